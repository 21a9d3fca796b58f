"""Parts of class-conditional networks: batch normalization by class or vector, the projection."""

import functools
from collections.abc import Callable
from typing import Any

import keras

from tfgan_stab._utils import validation
from tfgan_stab.networks.normalization import BatchNormalization
from tfgan_stab.networks.residual import EPSILON, Convolutions

ops = keras.ops
layers = keras.layers


@keras.saving.register_keras_serializable("tfgan_stab")
class ConditionalBatchNormalization(keras.layers.Layer):
    """Batch normalization with a scale and a shift for each class.

        y = gamma[label] (x - mean) / sqrt(variance + epsilon) + beta[label]

    The mean and the variance of a channel are those of the whole batch, whatever its labels; in
    inference they are moving ones. Derivatives of all orders are right.

    Args:
        num_classes: Number of classes, an integer >= 1.
        momentum: Part of the moving mean and variance that a step keeps, in [0, 1].
        epsilon: Added to the variance, > 0.
        **kwargs: `name`, `dtype` and so on, as in other layers.

    Returns:
        For float `[batch, ..., channels]` and int32 labels `[batch]`: floats of the same shape.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> layer = ConditionalBatchNormalization(num_classes=10)
        >>> features = keras.ops.convert_to_tensor([[1.0], [3.0]])
        >>> outputs = layer(features, keras.ops.convert_to_tensor([7, 2]), training=True)
        >>> [round(float(y), 2) for y in outputs[:, 0]]
        [-1.0, 1.0]

    Source: Dumoulin et al. 2017, arXiv 1610.07629, section 2.2 (number from memory); as in the
        released code of Miyato and Koyama 2018, arXiv 1802.05637: gamma starts at 1, beta at 0.
    Departures: None.
    """

    def __init__(
        self, num_classes: int, momentum: float = 0.99, epsilon: float = 1e-3, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.num_classes = validation.integer("num_classes", num_classes, fix="Use 10.")
        momentum = validation.number("momentum", momentum, least=0.0, most=1.0, fix="Use 0.9.")
        epsilon = validation.number("epsilon", epsilon, above=0.0, fix="Use 1e-5.")
        self.normalization = BatchNormalization(
            momentum=momentum, epsilon=epsilon, center=False, scale=False, dtype=self.dtype_policy
        )

    def build(self, inputs_shape: Any, labels_shape: Any) -> None:
        """Makes the tables of scales and shifts."""
        self.normalization.build(inputs_shape)
        for name, start in (("gammas", "ones"), ("betas", "zeros")):
            table = layers.Embedding(
                self.num_classes, inputs_shape[-1], start, dtype=self.dtype_policy, name=name
            )
            table.build(labels_shape)
            setattr(self, name, table)

    def call(self, inputs: Any, labels: Any, training: bool | None = None) -> Any:
        """Normalizes features, and scales and shifts those of each example by its label."""
        shape = (-1, *[1] * (len(inputs.shape) - 2), inputs.shape[-1])
        gamma, beta = (ops.reshape(table(labels), shape) for table in (self.gammas, self.betas))
        return self.normalization(inputs, training=training) * gamma + beta

    def compute_output_shape(self, inputs_shape: Any, labels_shape: Any) -> Any:
        """Returns the shape of the inputs."""
        return inputs_shape

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` rebuilds the layer from."""
        config = {"num_classes": self.num_classes, "momentum": self.normalization.momentum}
        return {**super().get_config(), **config, "epsilon": self.normalization.epsilon}


def projection(
    features: Any,
    labels: Any,
    num_classes: int,
    initializer: keras.initializers.Initializer,
    wrapped: Callable[[keras.Layer], keras.Layer],
) -> Any:
    """Returns what labels add to a discriminator's logits: <embedding(label), features>.

    Args:
        features: The discriminator's features, `[batch, size]`, that its last layer sees too.
        labels: Labels `[batch]`.
        num_classes: Number of classes, an integer >= 1.
        initializer: Of the embedding.
        wrapped: Wraps the embedding, as in spectral normalization.

    Returns:
        `[batch, 1]`.

    Source: Miyato and Koyama 2018, arXiv 1802.05637, equation 4 (number from memory).
    """
    num_classes = validation.integer("num_classes", num_classes, fix="Use 10.")
    table = layers.Embedding(num_classes, features.shape[-1], embeddings_initializer=initializer)
    return layers.Dot(axes=1)([wrapped(table)(labels), features])


def labels_input(num_classes: int | None) -> Any:
    """Returns the input for labels, int32 `[batch]`; `None` without classes."""
    return None if num_classes is None else keras.Input((), dtype="int32", name="labels")


def judged(
    images: Any,
    logits: Any,
    features: Any,
    num_classes: int | None,
    initializer: Callable[[], keras.initializers.Initializer],
    wrapped: Callable[[keras.Layer], keras.Layer] = lambda layer: layer,
    name: str = "discriminator",
) -> keras.Model:
    """Returns a discriminator, with the projection added to its logits if there are classes.

    Args:
        images: Its input.
        logits: Of images alone, `[batch, 1]`.
        features: What the logits are made from, `[batch, size]`.
        num_classes: Number of classes; `None` for a discriminator without labels.
        initializer: Makes the initializer of the projection's embedding.
        wrapped: Wraps that embedding, as in spectral normalization.
        name: The model's name.
    """
    labels = labels_input(num_classes)
    if num_classes is None:
        return keras.Model(images, logits, name=name)
    added = projection(features, labels, num_classes, initializer(), wrapped)
    return keras.Model([images, labels], layers.Add()([logits, added]), name=name)


def shared_conditions(
    noise: Any,
    labels: Any,
    num_classes: int,
    size: int,
    blocks: int,
    hierarchical: bool,
    initializer: keras.initializers.Initializer,
) -> tuple[Any, list[Any]]:
    """Returns the noise for a generator's first layer, and what conditions each of its blocks.

    Args:
        noise: The latents, `[batch, size]`.
        labels: Labels `[batch]`.
        num_classes: Number of classes, an integer >= 1.
        size: Size of the labels' embedding, which all blocks share, an integer >= 1.
        blocks: Number of blocks.
        hierarchical: Whether each block gets a part of the noise too, and the first layer only one.
        initializer: Of the embedding.

    Raises:
        ValueError: If a number is out of range, or the noise cannot be cut into equal parts.

    Source: Brock et al. 2019, arXiv 1809.11096, section 3 (number from memory).
    """
    num_classes = validation.integer("num_classes", num_classes, fix="Use 10.")
    size = validation.integer("shared_embedding", size, fix="Use 128.")
    embedded = layers.Embedding(num_classes, size, embeddings_initializer=initializer)(labels)
    if not hierarchical:
        return noise, [embedded] * blocks
    if noise.shape[-1] % (blocks + 1):
        raise ValueError(
            f"`latents` must be a multiple of {blocks + 1} with hierarchical=True: a part for the "
            f"first layer and for each of {blocks} blocks. Received: {noise.shape[-1]}. Use "
            f"{32 * (blocks + 1)}."
        )
    first, *parts = ops.split(noise, blocks + 1, axis=-1)
    return first, [layers.Concatenate()([embedded, part]) for part in parts]


def modulated(x: Any, condition: Any, make: Convolutions) -> Any:
    """Returns batch-normalized features, scaled by 1 + A c and shifted by B c for a condition c.

    Args:
        x: Features `[batch, height, width, channels]`.
        condition: One vector for each example, `[batch, size]`.
        make: Makes the network's layers; A and B are spectrally normalized if they are.

    Source: As for `shared_conditions`.
    """

    def linear() -> Any:
        layer = layers.Dense(x.shape[-1], use_bias=False, kernel_initializer=make.initializer())
        return layers.Reshape((1, 1, x.shape[-1]))(make.wrapped(layer)(condition))

    plain = BatchNormalization(momentum=0.9, epsilon=EPSILON, center=False, scale=False)
    normalized = plain(x)
    return layers.Add()([normalized, layers.Multiply()([normalized, linear()]), linear()])


def batch_normalized(
    x: Any, labels: Any = None, num_classes: int | None = None, epsilon: float = EPSILON
) -> Any:
    """Returns normalized features, with scales and shifts by class if there are classes."""
    if num_classes is None:
        return BatchNormalization(momentum=0.9, epsilon=epsilon)(x)
    return ConditionalBatchNormalization(num_classes, momentum=0.9, epsilon=epsilon)(x, labels)


def block_normalizations(
    inputs: Any,
    labels: Any,
    num_classes: int | None,
    shared_embedding: int | None,
    hierarchical: bool,
    blocks: int,
    make: Convolutions,
) -> tuple[Any, list[Callable[[Any], Any]]]:
    """Returns the noise for the first layer, and for each block what normalizes its features."""
    if shared_embedding is None and not hierarchical:
        plain = functools.partial(batch_normalized, labels=labels, num_classes=num_classes)
        return inputs, [plain] * blocks
    if num_classes is None or shared_embedding is None:
        raise ValueError(
            "`shared_embedding` needs `num_classes`, and `hierarchical` needs both. Received: "
            f"{num_classes=}, {shared_embedding=}, {hierarchical=}. Use 10 classes and 128."
        )
    noise, conditions = shared_conditions(
        inputs, labels, num_classes, shared_embedding, blocks, hierarchical, make.initializer()
    )
    return noise, [functools.partial(modulated, condition=c, make=make) for c in conditions]
