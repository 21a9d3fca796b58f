"""The commands' flags, read and checked before TensorFlow is imported."""
