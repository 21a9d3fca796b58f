"""WGAN's clipping: after each update every weight of the critic is within a limit."""

from typing import Any

import keras

from tfgan_stab._utils import validation

# The weights that Keras' and this package's layers train, each with a constraint in its layer.
CLIPPED = ("kernel", "bias", "gamma", "beta", "embeddings")


@keras.saving.register_keras_serializable("tfgan_stab")
class ClippedWeights(keras.constraints.Constraint):
    """Keeps each weight in [-limit, limit].

    Args:
        limit: The largest size of a weight, a number > 0. WGAN's c.

    Raises:
        ValueError: If `limit` is no number > 0.

    Example:
        >>> ClippedWeights(0.5)(keras.ops.array([-1.0, 0.25])).numpy().tolist()
        [-0.5, 0.25]
    """

    def __init__(self, limit: float = 0.01) -> None:
        self.limit = validation.number("limit", limit, above=0, fix="WGAN uses 0.01.")

    def __call__(self, w: Any) -> Any:
        """Returns the weights, clipped."""
        return keras.ops.clip(w, -self.limit, self.limit)

    def get_config(self) -> dict[str, Any]:
        """Returns the limit."""
        return {"limit": self.limit}


def with_clipped_weights(network: keras.Model, limit: float = 0.01) -> keras.Model:
    """Has every update of a network end with `w <- min(max(w, -limit), limit)` for all its weights.

    Any optimizer and scheme does so, since the layers declare it as a constraint. Until the first
    update weights are as they were.

    Args:
        network: Any Keras model of the usual layers, such as WGAN's critic.
        limit: The largest size of a weight, a number > 0. WGAN's c.

    Returns:
        The network itself.

    Raises:
        ValueError: If `limit` is no number > 0, or the network trains weights of other kinds than
            kernels, biases, embeddings, scales and shifts.

    Example:
        >>> critic = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> with_clipped_weights(critic, 0.01).layers[0].kernel.constraint.limit
        0.01

    Source: Arjovsky et al. 2017, arXiv 1701.07875, algorithm 1 (number from memory).
    Departures: none.
    """
    constraint = ClippedWeights(limit)
    for layer in network._flatten_layers():
        for name in CLIPPED:
            weight = getattr(layer, name, None)
            if isinstance(weight, keras.Variable):
                # The layer's own attribute is what files hold.
                setattr(layer, f"{name}_constraint", constraint)
                weight.constraint = constraint
    others = [v.path for v in network.trainable_variables if v.constraint is not constraint]
    if others:
        raise ValueError(
            f"The network must train kernels, biases, embeddings, scales and shifts only, which "
            f"can be clipped. Received: {', '.join(others)}. Use tgs.GradientPenalty instead."
        )
    return network
