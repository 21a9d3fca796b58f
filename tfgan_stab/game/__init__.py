"""What each player wants: losses, and the vector field they define."""
