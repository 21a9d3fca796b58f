"""Whether two Keras models can play against each other, checked before anything is trained."""

from typing import Any, NamedTuple

import keras

from tfgan_stab.data.latents import as_sampler
from tfgan_stab.game.players import Players


class Pair(NamedTuple):
    """What is known of a generator and a discriminator that fit.

    Attributes:
        example_shape: Shape of one example, without the batch.
        conditional: Whether both networks take a class label as their second input.
    """

    example_shape: tuple[int | None, ...]
    conditional: bool


def check_pair(
    generator: Any, discriminator: Any, latents: Any, num_classes: int | None = None
) -> Pair:
    """Builds both networks where they are not built, and checks that they fit.

    Args:
        generator: Maps latents `[batch, size]` (and int labels `[batch]`) to examples.
        discriminator: Maps examples (and int labels `[batch]`) to logits `[batch, ...]`.
        latents: A latent sampler, or the size of the generator's noise.
        num_classes: Classes of the labels. Subclassed models do not say how many inputs they take:
            with a number they are called with `[first, labels]`.

    Raises:
        TypeError: If one is no Keras model.
        ValueError: If shapes do not fit, a variable is shared, a network has nothing to train, or
            only one of them takes labels.
    """
    networks = Players(generator, discriminator)
    for name, network in networks._asdict().items():
        if not isinstance(network, keras.Model):
            raise TypeError(
                f"`{name}` must be a Keras model, an instance of keras.Model. Received: "
                f"{network!r}. Wrap layers in keras.Sequential([...])."
            )
    if num_classes is not None and (
        isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 1
    ):
        raise ValueError(
            f"`num_classes` must be a number of classes, an integer >= 1. Received: "
            f"{num_classes!r}. Leave it out for networks without labels."
        )
    conditional = _check_labels(networks, num_classes)
    sampler: Any = as_sampler(latents)
    latent_shape = tuple(sampler.shape)
    _check_input("generator", generator, latent_shape, "`latents` gives noise of")
    # Not run, only traced: some layers take batches of certain sizes only.
    labels = [keras.KerasTensor((None,), "int32")] if conditional else []
    noise = keras.KerasTensor((None, *latent_shape), keras.config.floatx())
    examples = _output_of(generator, [noise, *labels])
    if not isinstance(examples, keras.KerasTensor) or examples.shape[:1] != (None,):
        raise ValueError(
            "`generator` must return one tensor [batch, ...] of examples, as many as there are "
            f"latents. Received: {examples!r:.200}. Return examples alone."
        )
    example_shape = tuple(examples.shape[1:])
    _check_input("discriminator", discriminator, example_shape, "the generator returns")
    logits = _output_of(discriminator, [examples, *labels])
    if not isinstance(logits, keras.KerasTensor) or "float" not in logits.dtype:
        raise ValueError(
            "`discriminator` must return one float tensor [batch, ...] of logits. Received: "
            f"{logits!r:.200}. End it with keras.layers.Dense(1)."
        )
    _check_variables(networks)
    return Pair(example_shape, conditional)


def _output_of(network: keras.Model, inputs: list) -> Any:
    """Returns the symbolic output for symbolic inputs; builds the network where it is not built."""
    given = inputs if len(inputs) > 1 else inputs[0]
    return network.compute_output_spec(given) if network.built else network(given)


def _check_labels(networks: Players, num_classes: int | None) -> bool:
    unknown = 1 if num_classes is None else 2
    counts = Players(*(len(getattr(n, "inputs", None) or [None] * unknown) for n in networks))
    for name, count in counts._asdict().items():
        if count > 2:
            raise ValueError(
                f"`{name}` must have one input, or two of which the second takes integer class "
                f"labels. Received: {count} inputs."
            )
    if counts.generator != counts.discriminator:
        raise ValueError(
            "Either both networks take class labels as a second input or neither does. Received: "
            f"a generator with {counts.generator} and a discriminator with {counts.discriminator} "
            "input(s). Add keras.Input((), dtype='int32') to the one that lacks it."
        )
    if counts.generator == 1:
        if num_classes is not None:
            raise ValueError(
                "`num_classes` expects networks that take class labels as a second input. "
                f"Received: num_classes={num_classes} and networks of one input. Leave it out, or "
                "add keras.Input((), dtype='int32') to both."
            )
        return False
    for name, network in networks._asdict().items():
        if not getattr(network, "inputs", None):
            continue
        second = network.inputs[1]
        if not second.dtype.startswith("int") or len(second.shape) != 1:
            raise ValueError(
                f"The second input of `{name}` must take integer class labels, shape [batch]. "
                f"Received: {second.dtype} {list(second.shape)}. Use "
                "keras.Input((), dtype='int32')."
            )
    return True


def _check_input(name: str, network: keras.Model, given: tuple, giver: str) -> None:
    inputs = getattr(network, "inputs", None)
    if not inputs:
        return
    expected = tuple(inputs[0].shape[1:])
    fits = len(expected) == len(given) and all(
        e is None or g is None or e == g for e, g in zip(expected, given, strict=True)
    )
    if not fits:
        fix = (
            f"Write latents={expected[0]}"
            if name == "generator"
            else "Give the discriminator that input shape"
        )
        raise ValueError(
            f"`{name}` expects inputs of shape {list(expected)}. Received: {giver} shape "
            f"{list(given)}. {fix}, or change the network."
        )


def _check_variables(networks: Players) -> None:
    for name, network in networks._asdict().items():
        if not network.trainable_variables:
            raise ValueError(
                f"`{name}` must have trainable weights. Received: {network.name!r} without any. "
                "Set trainable=True or add a layer with weights."
            )
    owned = {id(variable) for variable in networks.generator.variables}
    shared = [v.path for v in networks.discriminator.variables if id(v) in owned]
    if shared:
        raise ValueError(
            "Each variable must belong to one player. Received: a generator and a discriminator "
            f"that share {shared[:5]}. Give each its own layers, for example by building the "
            "shared part twice."
        )
