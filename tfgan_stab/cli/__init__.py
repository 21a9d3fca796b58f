"""Command lines: flags in, training out. Importing this does not import TensorFlow."""
