"""What gin files say, looked up and compared without gin: names, checks, texts."""
