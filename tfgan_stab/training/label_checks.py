"""Labels against classes: how many the networks are made for, and all labels compared with that.

A class that is too large is an error on CPUs alone: XLA takes it for the largest, GPUs for zeros.
"""

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab._utils import random
from tfgan_stab._utils.apportionment import shares_of
from tfgan_stab.data.batches import Batches
from tfgan_stab.game import losses
from tfgan_stab.game.functional import place_of_condition
from tfgan_stab.game.losses import AdversarialLoss
from tfgan_stab.game.penalties.base import Penalty
from tfgan_stab.game.penalties.consistency import Reconstruction
from tfgan_stab.game.validation import Condition, Pair
from tfgan_stab.training.data_checks import required, type_of, whole

layers = keras.layers

TRIED = 1000  # Labels of fakes that a function of the user's is tried for.
FROM_SEED = "Use tf.random.stateless_uniform([count], seed, maxval=10, dtype=tf.int32)."

# Layers and operations of Keras that hand numbers on as they are.
PASSING = set(
    "Reshape Flatten Permute RepeatVector Identity InputLayer Cast ExpandDims Squeeze Ravel "
    "GetItem".split()
)
# What looks classes up, and what it calls their number.
LOOKUPS = {
    "Embedding": "input_dim",
    "CategoryEncoding": "num_tokens",
    "OneHot": "num_classes",
    "MultiHot": "num_classes",
}


def known_classes(networks: Sequence[Any], num_classes: int | None) -> int | None:
    """Returns how many classes both networks have room for, `None` if that is not known.

    Labels are followed through a network, and the models in it, to what looks them up. Where they
    end up in something else, and nobody says how many classes there are, that is warned of.

    Args:
        networks: Both networks.
        num_classes: What the user says.

    Raises:
        ValueError: If the user says more than the networks have room for.
    """
    bounds, guesses, unknown = list[int](), list[int](), list[Any]()
    for network in networks:
        for taker in _takers_of_labels(network):
            if _is_of_keras(taker, LOOKUPS):
                bounds.append(getattr(taker, LOOKUPS[type(taker).__name__]))
            elif inside := _embeddings_inside(taker):
                # A layer of the user's own may use its embedding for something else.
                ours = type(taker).__module__.startswith("tfgan_stab.")
                (bounds if ours else guesses).extend(inside)
            else:
                unknown.append(taker)
    if num_classes is None:
        if unknown:
            _warn_of_unknown(unknown[0])
        return min([*bounds, *guesses], default=None)
    if num_classes > min(bounds, default=num_classes):
        raise ValueError(
            f"`num_classes` must be at most the {min(bounds)} classes that both networks have room "
            f"for. Received: num_classes={num_classes}. Make both networks, too, for {num_classes} "
            "classes."
        )
    return num_classes


def _takers_of_labels(network: Any) -> list[Any]:
    """Returns what takes a network's labels, of one number each, as they come in."""
    inputs = getattr(network, "inputs", None) or []
    if len(inputs) != 2:
        return []
    place = place_of_condition(inputs)
    # Vectors and pictures look nothing up.
    if tuple(inputs[place].shape[1:]) not in ((), (1,)) and "int" not in inputs[place].dtype:
        return []
    takers: list[Any] = []
    _follow(network, [place], takers)
    return takers


def _follow(network: Any, places: Sequence[int], takers: list[Any]) -> list[int]:
    """Follows numbers from a network's inputs to what takes them.

    Args:
        network: A model.
        places: At which of its inputs the numbers arrive.
        takers: What takes them is added here.

    Returns:
        At which of its outputs they leave it again.
    """
    graph = getattr(network, "_functional", network)  # Of a `Sequential` model.
    nodes = getattr(graph, "_nodes_by_depth", None)
    if nodes is None:  # A model of the user's own class.
        takers.append(network)
        return []
    holding = {id(graph.inputs[place]) for place in places}
    for depth in sorted(nodes, reverse=True):
        for node in nodes[depth]:
            given = [i for i, each in enumerate(node.input_tensors) if id(each) in holding]
            if not given:
                continue
            if _is_of_keras(node.operation, PASSING):
                holding.update(map(id, node.outputs))
            elif isinstance(node.operation, keras.Model):
                leaving = _follow(node.operation, given, takers)
                holding.update(id(node.outputs[place]) for place in leaving)
            else:
                takers.append(node.operation)
    return [place for place, each in enumerate(graph.outputs) if id(each) in holding]


def _is_of_keras(operation: Any, names: Any) -> bool:
    kind = type(operation)
    return kind.__name__ in names and kind.__module__.startswith("keras.")


def _embeddings_inside(operation: Any) -> list[int]:
    """Returns the rows of the embeddings in a layer, if all have as many; nothing otherwise."""
    inside = operation._flatten_layers() if isinstance(operation, keras.Layer) else []
    rows = {each.input_dim for each in inside if isinstance(each, layers.Embedding)}
    return [*rows] if len(rows) == 1 else []


def _warn_of_unknown(taker: Any) -> None:
    warnings.warn(
        f"Labels go to {type(taker).__name__} {taker.name!r}, which does not say how many classes "
        "there are, so those that are too large will not be noticed: XLA takes them for the last "
        "class. Write GAN(..., num_classes=10).",
        UserWarning,
        stacklevel=5,
    )


def fake_label_sampler(
    fake_labels: Any,
    condition: Condition | None,
    classes: int | None,
    loss: AdversarialLoss,
    penalties: Sequence[Penalty],
) -> Callable[..., tf.Tensor] | None:
    """Returns what draws the classes of fakes, `None` where they are those of the real examples.

    Args:
        fake_labels: What `compile` got.
        condition: What the networks take; `None` for an unconditional pair.
        classes: What the networks' `known_classes` are; `None` if that is not known.
        loss: What the players minimise.
        penalties: All penalties.

    Returns:
        A function `(count, key) -> classes`, integers `[count]`.

    Raises:
        TypeError: If it is neither a function nor "uniform", draws no integers, or cannot be part
            of a graph.
        ValueError: If there are no classes to draw, it draws others, or others each time, or a loss
            or penalty compares each fake with the real example of its label.
    """
    if fake_labels is None:
        return None
    is_function = callable(fake_labels) and not isinstance(fake_labels, type)
    # Arrays compare element by element.
    if not is_function and not (isinstance(fake_labels, str) and fake_labels == "uniform"):
        raise TypeError(
            '`fake_labels` must be None, "uniform" or a function (count, seed) -> integers [count].'
            f" Received: {fake_labels!r:.200}. With None fakes have the labels of the reals."
        )
    if condition is None or not condition.classes:
        received = "an unconditional pair" if condition is None else f"networks for {condition}"
        raise ValueError(
            f"`fake_labels` expects networks that take classes. Received: {received}. Leave it out"
            f"{'' if condition is None else ': fakes are made for the conditions of the reals'}."
        )
    pairing = [f"loss={loss.name!r}"] * (loss.generator is losses.relativistic_generator_loss)
    pairing += [repr(each) for each in penalties if isinstance(each, Reconstruction)]
    if pairing:
        raise ValueError(
            "`fake_labels` expects losses and penalties that do not compare a fake with a real "
            f"example of the same label. Received: {pairing[0]}, which does. Leave one of them out."
        )
    if is_function:
        _check_drawn(fake_labels, classes)
        return fake_labels
    if classes is None:
        raise ValueError(
            '`fake_labels="uniform"` needs to know how many classes there are, and the networks do '
            "not say. Received: num_classes=None. Write GAN(..., num_classes=10)."
        )
    return functools.partial(_uniform, classes)


def _uniform(classes: int, count: Any, key: tf.Tensor) -> tf.Tensor:
    return random.integers(count, classes, key)


def _check_drawn(fake_labels: Callable[..., Any], classes: int | None) -> None:
    """Raises if a function of the user's own draws anything but classes, or not as a step does."""
    in_graph = tf.function(
        lambda count, seed: tf.convert_to_tensor(fake_labels(count, seed)), autograph=False
    )
    try:
        step = in_graph.get_concrete_function(
            tf.TensorSpec([], tf.int32), tf.TensorSpec([2], tf.int32)
        )
    except Exception as error:  # Whatever its own code raises.
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise TypeError(
            "`fake_labels` must be a function (count, seed) that draws by operations of TensorFlow:"
            f" in the graph of a step neither has a value. Received: {said:.200}. {FROM_SEED}"
        ) from error
    given = tf.constant(TRIED), random.key(0, random.FAKE_LABELS)
    drawn, again = step(*given), step(*given)
    if not drawn.dtype.is_integer:
        raise TypeError(
            "`fake_labels` must draw integers, a class from 0 on for each fake. Received: "
            f"{drawn.dtype.name}. Use tf.cast(..., tf.int32)."
        )
    if drawn.shape != [TRIED]:
        raise ValueError(
            f"`fake_labels` must draw as many classes as it is asked for, here [{TRIED}]. Received:"
            f" shape {drawn.shape.as_list()}. Write def fake_labels(count, seed)."
        )
    # What Python draws was drawn once for the graph; without it others come.
    if not all(np.array_equal(drawn, each) for each in (again, fake_labels(*given))):
        raise ValueError(
            "`fake_labels` must draw the same classes from the same seed, so that runs repeat and "
            f"resume. Received: others the second time. {FROM_SEED}"
        )
    try:
        check_classes(drawn.numpy(), classes)
    except ValueError as error:
        raise ValueError(f"`fake_labels` must draw classes. {error}") from None


def warn_of_classes_without_examples(x: Any, y: Any, pair: Pair, classes: int | None) -> None:
    """Warns where data are known to have fewer classes than fakes are drawn from.

    Args:
        x: What `fit` is given: it is known of data sets of `tgs.data` and of arrays.
        y: What `fit` is given.
        pair: What the networks expect.
        classes: How many are drawn; `None` if that is not known.
    """
    known = isinstance(x, Batches)
    found = x.num_classes if known else np.count_nonzero(_class_counts(y, pair))
    if not found or not classes or found >= classes:
        return
    warnings.warn(
        f'`fake_labels="uniform"` expects examples of all {classes} classes that it draws. '
        f"Received: {repr(x.name) if known else '`y`'} with {found}, so {1 - found / classes:.0%} "
        "of the fakes are of classes without a real example. Number the classes of the data from 0 "
        f"to {found - 1}, and make both networks, and num_classes, for {found}; or leave "
        "`fake_labels` out.",
        UserWarning,
        stacklevel=4,
    )


def class_shares(x: Any, y: Any, pair: Pair) -> tuple[int, ...]:
    """Returns how often each class comes in data; nothing if all come as often, or it is not known.

    Args:
        x: What `fit` is given: it is known of data sets of `tgs.data` and of arrays.
        y: What `fit` is given.
        pair: What the networks expect.
    """
    labels = getattr(x.example_set, "labels", None) if isinstance(x, Batches) else y
    return shares_of(_class_counts(labels, pair).tolist())


def _class_counts(labels: Any, pair: Pair) -> np.ndarray:
    """Returns how many examples are of each class; nothing if that is not known."""
    labels = whole(labels)
    if (
        pair.condition is None
        or not pair.condition.classes
        or not isinstance(labels, np.ndarray)
        or labels.dtype.kind not in "iuf"
        or not labels.size
    ):
        return np.array([], np.int64)
    if labels.ndim == 2 and labels.shape[1] > 1:
        labels = labels.argmax(axis=1)
    return np.bincount(labels.ravel().astype(np.int64))


def check_classes(labels: Any, classes: int | None) -> None:
    """Raises if labels are no classes.

    Args:
        labels: Integers `[examples]`; `None` without.
        classes: What the networks' `known_classes` are; `None` if that is not known.

    Raises:
        ValueError: If a label is no class.
    """
    if labels is None or classes is None or not len(labels):
        return
    low, high = int(np.min(labels)), int(np.max(labels))
    if low < 0 or high >= classes:
        raise ValueError(_not_a_class(classes).format(low, high))


def with_classes(data: Any, classes: int | None) -> Any:
    """Returns a batch whose labels arrive only if all are classes; see `plain_errors`.

    Args:
        data: Examples, or `(examples, labels)`.
        classes: What the networks' `known_classes` are; `None` if that is not known.
    """
    if classes is None or not isinstance(data, tuple) or len(data) != 2:
        return data
    images, labels = data
    if not tf.is_tensor(labels) or not labels.dtype.is_integer:
        return data
    wide = tf.cast(labels, tf.int64)  # Narrow types cannot hold all numbers of classes.
    low, high = tf.reduce_min(wide), tf.reduce_max(wide)
    all_are_classes = tf.logical_and(low >= 0, high < classes)
    return images, required(labels, all_are_classes, _not_a_class(classes), low, high)


def _not_a_class(classes: int) -> str:
    return (
        f"Labels must be classes from 0 to {classes - 1}. Received: {{}} to {{}}. "
        "Count classes from 0, or make both networks, and num_classes, for all of them."
    )


def check_labels(labels: Any) -> None:
    """Raises if labels are not classes by their type and shape.

    Args:
        labels: A tensor, an array or a `tf.TensorSpec`.

    Raises:
        TypeError: If they are no integers.
        ValueError: If they are not one number for each example.
    """
    kind, shape = type_of(labels), tf.TensorShape(getattr(labels, "shape", None))
    expected = "Labels must be integers, shape [batch]: a class from 0 on for each example."
    if kind is None or not kind.is_integer:
        fix = "Use tf.cast(labels, tf.int32)."
        if kind == tf.string:
            fix = "Number the words: numpy.unique(words, return_inverse=True)[1]."
        elif shape.rank == 2 and shape[1] != 1:
            fix = "Of one-hot rows take the class: tf.argmax(labels, axis=-1)."
        received = type(labels) if kind is None else kind.name
        raise TypeError(f"{expected} Received: {received}. {fix}")
    if shape.rank not in (None, 1):
        fix = "Of one-hot rows take the class: tf.argmax(labels, axis=-1)."
        if shape.rank == 0:
            fix = "Use dataset.batch(64)."
        elif shape[-1] == 1:
            fix = "Take the only column: labels[:, 0]."
        raise ValueError(f"{expected} Received: shape {shape.as_list()}. {fix}")
