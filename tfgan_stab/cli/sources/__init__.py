"""Where images come from: a trained run, a generator's file, a folder of pictures, an array.

Start with `source.py` (what a source promises), then `opening.py` (which one a path stands for).
"""
