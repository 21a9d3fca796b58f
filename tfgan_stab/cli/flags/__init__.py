"""The commands' flags, read and checked before TensorFlow is imported.

May import `_utils`, `cli.config` and `cli.sources.kinds`.
"""
