"""Distances and statistics of arrays, without networks or images' sources.

May import `_utils`.
"""
