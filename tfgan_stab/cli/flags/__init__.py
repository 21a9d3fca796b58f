"""The commands' flags, read and checked before TensorFlow is imported.

May import `cli.config` and `cli.sources.kinds`.
"""
