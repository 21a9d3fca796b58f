"""Command lines: flags in; a trained run, samples, or a game out.

Importing this does not import TensorFlow.
"""
