"""Where images come from: a trained run, a generator's file, a folder of pictures, an array.

May import `_utils`, `data`, `game`, `training`, `evaluation`, `callbacks`, `cli.config` and, since
a run is built anew to draw from it, `cli.jobs.train`. Start with `source.py` (what a source
promises), then `opening.py` (which one a path stands for).
"""
