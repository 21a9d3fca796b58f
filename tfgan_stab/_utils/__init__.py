"""What every package uses, and what imports none of them: checks, files, randomness, progress."""
