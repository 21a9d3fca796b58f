"""Flags and gin in; a trained run, scores or samples out. Importing this imports no TensorFlow.

May import every other package; none imports it.
"""
