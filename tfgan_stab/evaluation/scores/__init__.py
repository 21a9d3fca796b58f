"""Scores: what to keep of real and generated images, and the number that comes of it.

May import `_utils`, `data` and `evaluation`.
"""
