"""What the commands do once their flags and gin files are read.

May import every other package.
"""
