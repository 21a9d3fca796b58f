"""Scores: what to keep of real and generated images, and the number that comes of it."""
