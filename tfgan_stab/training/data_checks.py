"""What is looked at in data before they are trained on, whatever brings them.

Kinds, shapes and types are known beforehand; ranges and finiteness are seen in the whole of an
array, and in the first batch of anything else.
"""

import contextlib
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab.data.batches import Batches
from tfgan_stab.data.image_decoding import extremes, not_finite, warn_of_half_range
from tfgan_stab.game.losses import LOSSES, AdversarialLoss, least_squares

layers = keras.layers

# What a network can return that ends with one of these.
BOUNDS = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0)}
PICTURES = (-1.0, 1.0)
WHITES = (255, 1023, 4095, 65535)  # Of 8, 10, 12 and 16 bits.
# Layers that move numbers and leave them as they are.
MOVING = (layers.Reshape, layers.Flatten, layers.Permute, layers.Cropping1D, layers.Cropping2D)

OF_NAN = (
    "Leave it out, or mend what makes it: (x - min) / (max - min) is 0 / 0 for a blank picture."
)


def last_activation(network: Any) -> str:
    """Returns "tanh", "sigmoid" or "softmax" if a network is known to end with it, or "".

    Args:
        network: A Keras model; of a class of the user's own, the layer that it made last counts.

    Example:
        >>> last_activation(keras.Sequential([layers.Dense(4, "tanh"), layers.Reshape((2, 2))]))
        'tanh'
    """
    for operation in reversed(getattr(network, "operations", None) or network.layers):
        if isinstance(operation, keras.Model):
            return last_activation(operation)
        function = getattr(operation, "activation", None)
        name = getattr(function, "__name__", type(operation).__name__.lower())
        is_cast = isinstance(operation, layers.Activation) and name == "linear"
        if not is_cast and not isinstance(operation, MOVING):
            return name if name in BOUNDS else ""
    return ""


def warn_of_sigmoid(discriminator: keras.Model, loss: AdversarialLoss) -> None:
    """Warns if a discriminator returns probabilities to a loss that expects logits.

    Args:
        discriminator: The network.
        loss: The players' losses.
    """
    # Least squares have targets between 0 and 1; of a user's own loss nothing is known.
    known = loss in LOSSES.values() and loss is not least_squares
    ends_with = last_activation(discriminator)
    if known and ends_with in ("sigmoid", "softmax"):
        warnings.warn(
            f"The discriminator ends in a {ends_with}, and the loss {loss.name!r} takes logits, "
            "which are any numbers: it hardly learns. End it with keras.layers.Dense(1) without an "
            "activation.",
            UserWarning,
            stacklevel=5,
        )


# -- Values ---------------------------------------------------------------------------------------


def check_values(where: str, examples: np.ndarray, ends_with: str, warn: bool = True) -> None:
    """Raises where examples are not those that the networks expect; warns of half a range.

    Args:
        where: What they are called in messages, such as "the first batch".
        examples: Floats `[examples, ...]`.
        ends_with: What the generator's `last_activation` is.
        warn: Whether to warn of half a range.

    Raises:
        ValueError: If an example is not finite, pictures are not in [-1, 1], or examples are where
            the generator cannot reach them.
    """
    if not examples.size:
        return
    low, high = extremes(examples)
    if not np.isfinite([low, high]).all():
        bad = not_finite(examples)
        raise ValueError(
            f"Examples must be finite numbers. Received: NaN or infinity in {len(bad)} of "
            f"{len(examples)} examples of {where}, the first at index {bad[0]}. {OF_NAN}"
        )
    pictures = examples.ndim == 4
    _check_range(where, low, high, pictures, ends_with)
    if not (warn and pictures):
        return
    if ends_with == "sigmoid":
        warnings.warn(
            "The generator ends in a sigmoid, so pictures are between 0 and 1; grids, files and "
            "scores of this library take -1 for black, and would show it gray. End it in tanh, and "
            "scale the data by `2 * images - 1`.",
            UserWarning,
            stacklevel=2,
        )
    if ends_with == "tanh" and low < high:
        warn_of_half_range(where, examples, stacklevel=3)


def _check_range(where: str, low: float, high: float, pictures: bool, ends_with: str) -> None:
    least, most = BOUNDS.get(ends_with, PICTURES if pictures else (low, high))
    if least <= low and high <= most:
        return
    if low >= 0 and high > 1:
        white = next((each for each in WHITES if high <= each), high)
        scaled = f"images / {white / 2:g} - 1" if least < 0 else f"images / {white:g}"
        fix = f"If black is 0 and white is {white:g}, use `{scaled}`."
    else:
        fix = f"Scale them, or clip what resizing overshoots: tf.clip_by_value(x, {least}, {most})."
    why = "Pictures must be floats"
    if ends_with in BOUNDS:
        why = f"The generator ends in {ends_with}, so examples must be floats"
        fix += f" Without {ends_with} a generator reaches all numbers." if not pictures else ""
    raise ValueError(
        f"{why} in [{least:g}, {most:g}]. Received: values from {low:g} to {high:g} in {where}. "
        f"{fix}"
    )


def whole(values: Any) -> Any:
    """Returns an array of the rows of all replicas of this machine; what is none as it is."""
    if isinstance(values, tf.distribute.DistributedValues):
        return np.concatenate([np.asarray(each) for each in values.values])
    if isinstance(values, tf.experimental.Optional):  # Which Keras puts in the place of `None`.
        return None
    return np.asarray(values) if hasattr(values, "__array__") else values


# -- What a graph refuses -------------------------------------------------------------------------

_MARK = "Refused: "


def required(values: Any, condition: tf.Tensor, message: str, *numbers: tf.Tensor) -> tf.Tensor:
    """Returns values that arrive only if a condition holds; else `plain_errors` raises.

    XLA leaves that out: it must be asked for outside of what XLA compiles.

    Args:
        values: A tensor.
        condition: A boolean scalar.
        message: What is wrong otherwise, with `{}` for each number.
        *numbers: One or two integer scalars.
    """
    # TensorFlow's own assertion makes branches of it, which cost more than the rest.
    right = tf.raw_ops.Assert(condition=condition, data=[tf.constant(_MARK + message), *numbers])
    with tf.control_dependencies([] if right is None else [right]):
        return tf.identity(values)


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Says in plain words what `required` has found.

    Raises:
        ValueError: If a condition did not hold.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        _check_later_shape(str(error), error)
        pattern = rf"\[{_MARK}(.*?)\] \[(-?\d+)\](?: \[(-?\d+)\])?"
        found = re.search(pattern, str(error), re.DOTALL)
        if found is None:
            raise
        message = re.sub(r"\\(['\"])", r"\1", found[1])  # TensorFlow escapes quotes.
        for number in found.groups()[1:]:
            message = message.replace("{}", number or "", 1)
        raise ValueError(message) from error


def _check_later_shape(text: str, error: Exception) -> None:
    """Raises if a batch was of another shape than the first one; TensorFlow's words are long."""
    found = re.search(
        r"Shape of tensor \S+ (\[.*?\]) is not compatible with expected .*?(\[.*?\])", text
    )
    if found is not None:
        raise ValueError(
            f"All batches must have the shape {found[2]}. Received: {found[1]} in a later batch. "
            "Resize or crop the data to one size."
        ) from error


# -- Kinds, shapes and types ----------------------------------------------------------------------


def check_kind(x: Any, y: Any) -> None:
    """Raises where data are of a kind that Keras takes for something else.

    Args:
        x: What `fit` is given.
        y: What `fit` is given.

    Raises:
        TypeError: If `x` is a dictionary or a list of examples, or `y` is a list.
        ValueError: If there are no examples.
    """
    if isinstance(x, Mapping):
        raise TypeError(
            "`x` must be one array of examples [examples, ...], or a data set. Received: a "
            f"dictionary of {sorted(x)}. Choose: fit(x[{_key_of_images(x)!r}])."
        )
    if isinstance(x, list | tuple) and len(x) != 2:
        raise TypeError(
            "`x` must be one array of examples [examples, ...], or a data set. Received: a "
            f"{type(x).__name__} of {len(x)}. Make one array of them by numpy.stack(images)."
        )
    if isinstance(x, np.ndarray | tf.Tensor) and not len(x):
        raise ValueError("`x` must hold examples. Received: none. Look where they got lost.")
    if isinstance(y, list | tuple):
        raise TypeError(
            "`y` must be an array of classes, integers [examples]. Received: a "
            f"{type(y).__name__}. Use numpy.asarray(labels)."
        )


def check_end(x: Any, steps: int | None, name: str) -> None:
    """Raises if data are known to have no end, and nobody says how many steps an epoch has.

    Args:
        x: Data.
        steps: How many steps the user asks for; `None` for as many as there are batches.
        name: What Keras calls that number.

    Raises:
        ValueError: If there is no end.
    """
    if steps is not None or isinstance(x, Batches):
        return
    if _is_endless(x):
        raise ValueError(
            f"`{name}` is needed: the data have no end, so an epoch would have none. "
            f"Received: None. Write {name}=500, or leave `.repeat()` out."
        )


def check_unweighted(arguments: Mapping[str, Any]) -> None:
    """Raises if examples or classes are to be weighted; of examples alone Keras drops the weights.

    Args:
        arguments: What `fit` and the like are given by name.

    Raises:
        ValueError: If there are weights.
    """
    for name in ("sample_weight", "class_weight"):
        if arguments.get(name) is not None:
            raise ValueError(
                f"`{name}` has no meaning in a GAN's game, whose discriminator compares real "
                "examples with generated ones. Received: some. Leave it out; to show some examples "
                "more often, repeat them in the data."
            )


def check_batch_size(x: Any, batch_size: Any) -> None:
    """Raises if data that are batches already are to be batched otherwise.

    Args:
        x: Data.
        batch_size: The argument of `fit`, `None` unless given.

    Raises:
        ValueError: If both say how large batches are.
    """
    if batch_size is None or not isinstance(x, tf.data.Dataset | keras.utils.PyDataset | Iterator):
        return
    fix = f"dataset.batch({batch_size})"
    if isinstance(x, Batches):
        fix = f"tgs.data.load(..., batch_size={batch_size}); here it is {x.batch_size}"
    raise ValueError(
        "`batch_size` is for arrays: data sets come in batches. Received: "
        f"batch_size={batch_size} and {type(x).__name__}. Leave it out, and set it where the data "
        f"are made: {fix}."
    )


def _is_endless(x: Any) -> bool:
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches is None
    return isinstance(x, tf.data.Dataset) and x.cardinality() == tf.data.INFINITE_CARDINALITY


def check_elements(spec: Any, pair: Any, check_batch: Any) -> None:
    """Raises if the elements of a data set cannot be batches, before the first one is made.

    Args:
        spec: The data set's `element_spec`.
        pair: What the networks expect.
        check_batch: Says what is wrong with examples, labels and weights.

    Raises:
        TypeError: If types are wrong.
        ValueError: If shapes are wrong.
    """
    parts = tf.nest.flatten(spec)
    if all(isinstance(part, tf.TensorSpec) for part in parts):
        check_batch(*keras.utils.unpack_x_y_sample_weight(spec), pair)


def check_examples_type(images: Any) -> None:
    """Raises if examples are no floats.

    Args:
        images: What should be a tensor, an array or a `tf.TensorSpec`.

    Raises:
        TypeError: If it is something else, or not of floats.
    """
    if isinstance(images, Mapping):
        key, others = _key_of_images(images), sorted(images)
        raise TypeError(
            "A batch must be examples, or (examples, labels). Received: a dictionary of "
            f"{others}. Choose: dataset.map(lambda element: element[{key!r}]), or for networks "
            f"that take labels dataset.map(lambda element: (element[{key!r}], element['label']))."
        )
    if isinstance(images, list | tuple):
        raise TypeError(
            "Examples must be one array or tensor [batch, ...]. Received: a "
            f"{type(images).__name__} of {len(images)}. Labels are the second argument: "
            "fit(images, labels); in a data set, elements are (images, labels)."
        )
    kind = type_of(images)
    if kind is None or not kind.is_floating:
        received = type(images) if kind is None else kind.name
        raise TypeError(
            f"Examples must be floats, images in [-1, 1]. Received: {received}. Scale bytes with "
            "tf.cast(images, tf.float32) / 127.5 - 1, or load them through tgs.data."
        )


def type_of(values: Any) -> tf.DType | None:
    """Returns the type of the numbers in a tensor or an array; `None` for anything else."""
    kind = getattr(values, "dtype", None)
    return None if kind is None else tf.as_dtype(kind)


def _key_of_images(element: Mapping[str, Any]) -> str:
    """Returns under which name a dictionary is likely to hold the examples."""
    ranks = {name: len(getattr(value, "shape", ())) for name, value in element.items()}
    return max(ranks, key=lambda name: ranks[name])


def check_shape(shape: Any, example_shape: Sequence[int | None]) -> None:
    """Raises if a batch has no examples of the shape that the networks take.

    Args:
        shape: The batch's.
        example_shape: Of one example.

    Raises:
        ValueError: If they are of another shape, or a single one.
    """
    shape, expected = tf.TensorShape(shape), tf.TensorShape(example_shape)
    if shape[1:].is_compatible_with(expected):
        return
    if shape.is_compatible_with(expected):
        raise ValueError(
            f"Examples must come in batches, shape [{', '.join(['batch', *map(str, expected)])}]. "
            f"Received: single ones, shape {shape.as_list()}. Use dataset.batch(64) for a data "
            "set, `images[None]` for an array."
        )
    fix = "Resize the data, or change both networks."
    if expected.rank == 3 and shape[1:].is_compatible_with(expected[:2]) and expected[2] == 1:
        fix = "Add the axis of channels: images[..., None]."
    elif expected.rank == 3 and shape[1:].is_compatible_with([expected[2], *expected[:2]]):
        fix = "Put the channels last: numpy.transpose(images, (0, 2, 3, 1))."
    raise ValueError(
        f"Examples must have the shape that the generator returns, {expected.as_list()}. "
        f"Received: {shape[1:].as_list()}. {fix}"
    )
