"""What every package uses: checks, files, randomness, progress, serialization.

May import nothing of the other packages.
"""
