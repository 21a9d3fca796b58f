"""How many numbers a network trains, for figures that are derived by hand."""

import math


def trained(network):
    """Counts the entries of the trainable weights."""
    return sum(math.prod(weight.shape) for weight in network.trainable_variables)
