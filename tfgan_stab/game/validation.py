"""Whether two Keras models can play against each other, checked before anything is trained."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfgan_stab._utils import random
from tfgan_stab.data.latents import as_sampler
from tfgan_stab.game.functional import network_inputs, place_of_condition
from tfgan_stab.game.players import BOTH, Players

SIDE = 32  # Pixels of pictures to try networks on that take any size.


class Condition(NamedTuple):
    """What networks take beside noise and examples: a class, a vector or a picture.

    Attributes:
        shape: Shape of one condition: `()` or `(1,)` for a class, `(n,)`, `(height, width, n)`.
        dtype: "int32", or the float type of Keras.
        classes: Whether it stands for a class: its number, or a one-hot vector.
    """

    shape: tuple[int | None, ...]
    dtype: str
    classes: bool

    def of_classes(self, classes: Any) -> tf.Tensor:
        """Returns the conditions that stand for classes, int `[batch]`."""
        if self.shape in ((), (1,)):
            return tf.reshape(tf.cast(classes, self.dtype), [-1, *self.shape])
        return tf.one_hot(classes, self.shape[0], dtype=self.dtype)

    def examples(self, count: int) -> tf.Tensor:
        """Returns some to try the networks on: class 0, or vectors and pictures in [-1, 1]."""
        if self.classes:
            return self.of_classes(tf.zeros([count], tf.int32))
        shape = [count, *(side or SIDE for side in self.shape)]
        values = 2.0 * random.uniform(shape, random.key(0, random.TESTING, 1)) - 1.0
        return tf.cast(values, self.dtype)

    def checked(self, values: Any) -> tf.Tensor:
        """Returns a batch of conditions as the networks take them.

        Args:
            values: `[batch, ...]`; where conditions stand for classes, int `[batch]` will do.

        Raises:
            TypeError: If the numbers are of another kind.
            ValueError: If the shape is another.
        """
        if not tf.is_tensor(values):
            raise TypeError(
                f"Conditions must be one tensor {self}. Received: {type(values).__name__}."
            )
        is_integer = values.dtype.is_integer or values.dtype == tf.bool
        if self.classes and is_integer and values.shape.rank == 1:
            return self.of_classes(values)
        if self.shape == (1,) and values.shape.rank == 1:
            values = values[:, tf.newaxis]  # As Keras does.
        received = f"{values.dtype.name} {_rows(values.shape[1:])}"
        if self.dtype == "int32" and not is_integer:
            raise TypeError(
                f"Labels must be integers, shape {_rows(self.shape)}. Received: {received}. Take "
                "np.argmax(labels, axis=-1) of one-hot ones."
            )
        if not is_integer and not values.dtype.is_floating:
            raise TypeError(f"Conditions must be {self}. Received: {received}.")
        if is_integer and len(self.shape) == 3:
            raise TypeError(
                f"Pictures as conditions must be {self}, in [-1, 1]. Received: "
                f"{values.dtype.name}. Scale bytes with tf.cast(pictures, tf.float32) / 127.5 - 1."
            )
        if not values.shape[1:].is_compatible_with(self.shape):
            raise ValueError(
                f"Conditions must be {self}, as the networks take them. Received: "
                f"{received}. {self._fix(values)}"
            )
        return tf.cast(tf.ensure_shape(values, [None, *self.shape]), self.dtype)

    def _fix(self, values: tf.Tensor) -> str:
        if self.shape == () and values.shape.rank == 2:
            column = values.shape[1] == 1
            return "Write labels[:, 0]." if column else "Take np.argmax(labels, axis=-1)."
        if len(self.shape) == 1 and values.shape.rank == 1:
            return f"Take keras.utils.to_categorical(labels, {self.shape[0]}) of classes."
        return "Change the data, or both networks."

    def __str__(self) -> str:
        return f"{self.dtype} {_rows(self.shape)}"


def _rows(shape: Any) -> str:
    """Returns the shape of a batch for messages, such as "[batch, 5]"."""
    return f"[{', '.join(map(str, ['batch', *shape]))}]"


class Pair(NamedTuple):
    """What is known of a generator and a discriminator that fit.

    Attributes:
        example_shape: Shape of one example, without the batch.
        condition: What conditions are like; `None` for an unconditional pair.
    """

    example_shape: tuple[int | None, ...]
    condition: Condition | None

    @property
    def conditional(self) -> bool:
        """Whether the generator takes a condition."""
        return self.condition is not None

    def example_conditions(self, count: int) -> tf.Tensor | None:
        """Returns some conditions to try the networks on; `None` for an unconditional pair."""
        return None if self.condition is None else self.condition.examples(count)


def check_pair(
    generator: Any, discriminator: Any, latents: Any, num_classes: int | None = None
) -> Pair:
    """Builds both networks where they are not built, and checks that they fit.

    Args:
        generator: Maps latents `[batch, size]` (and conditions `[batch, ...]`) to examples.
        discriminator: Maps examples (and conditions) to logits `[batch, ...]`.
        latents: A latent sampler, or the size of the generator's noise; 0 for a generator that
            takes a condition alone.
        num_classes: Classes, where conditions are classes. Subclassed models do not say how many
            inputs they take: with a number they are called with `[first, labels]`. Networks of one
            input that is larger by so many numbers get one-hot vectors joined to it.

    Raises:
        TypeError: If one is no Keras model.
        ValueError: If shapes do not fit, a variable is shared, a network has nothing to train, or
            only one of them takes the condition, or there are more classes than they have room for.
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
    sampler: Any = as_sampler(latents)
    latent_shape = tuple(sampler.shape)
    condition = _condition(networks, latent_shape, num_classes)
    _check_input("generator", generator, latent_shape, "`latents` gives noise of", condition)
    # Not run, only traced: some layers take batches of certain sizes only.
    given = (
        None if condition is None else keras.KerasTensor((None, *condition.shape), condition.dtype)
    )
    noise = keras.KerasTensor((None, *latent_shape), keras.config.floatx())
    examples = _output_of(generator, network_inputs(generator, noise, given))
    if not isinstance(examples, keras.KerasTensor) or examples.shape[:1] != (None,):
        raise ValueError(
            "`generator` must return one tensor [batch, ...] of examples, as many as there are "
            f"latents. Received: {examples!r:.200}. Return examples alone."
        )
    example_shape = tuple(examples.shape[1:])
    _check_input("discriminator", discriminator, example_shape, "the generator returns", condition)
    logits = _output_of(discriminator, network_inputs(discriminator, examples, given))
    if not isinstance(logits, keras.KerasTensor) or "float" not in logits.dtype:
        raise ValueError(
            "`discriminator` must return one float tensor [batch, ...] of logits. Received: "
            f"{logits!r:.200}. End it with keras.layers.Dense(1)."
        )
    _check_variables(networks)
    return Pair(example_shape, condition)


def _output_of(network: keras.Model, inputs: Any) -> Any:
    """Returns the symbolic output for symbolic inputs; builds the network where it is not built."""
    return network.compute_output_spec(inputs) if network.built else network(inputs)


def _condition(networks: Players, latent_shape: tuple, num_classes: int | None) -> Condition | None:
    """Returns what conditions the networks' inputs take; `None` if they take none."""
    inputs = Players(*(getattr(network, "inputs", None) or [] for network in networks))
    for name, own in inputs._asdict().items():
        if len(own) > 2:
            raise ValueError(
                f"`{name}` must have one input, or two of which one takes a condition, such "
                f"as class labels. Received: {len(own)} inputs."
            )
    if latent_shape == (0,) and len(inputs.generator) != 1:
        raise ValueError(
            "latents=0 is for a generator that takes a condition alone, with one keras.Input. "
            f"Received: {len(inputs.generator) or 'an unknown number of'} inputs. Give the "
            "size of its noise, or build it by the functional API."
        )
    found = _taking_conditions(inputs, latent_shape)
    if not found:
        return None if num_classes is None else _joined_classes(inputs, latent_shape, num_classes)
    first, *others = (_described(name, each, num_classes) for name, each in found)
    for other in others:
        if first.dtype != other.dtype or not _compatible(first.shape, other.shape):
            raise ValueError(
                "Both networks must take the same condition. Received: a generator for "
                f"{first} and a discriminator for {other}. Give both the same keras.Input."
            )
        shape = tf.TensorShape(first.shape).merge_with(other.shape)
        first = first._replace(shape=tuple(shape.as_list()))
    return first


def _taking_conditions(inputs: Players, latent_shape: tuple) -> list[tuple[str, Any]]:
    """Returns the inputs that take the condition, with their network's name."""
    found: list[tuple[str, Any]] = []
    for name, own, first in zip(BOTH, inputs, (latent_shape, None), strict=True):
        if first == (0,):
            found.append((name, own[0]))
        elif len(own) == 2:
            condition = tuple(found[0][1].shape[1:]) if found else None
            found.append((name, own[place_of_condition(own, first, condition)]))
    return found


def _joined_classes(inputs: Players, latent_shape: tuple, num_classes: int) -> Condition:
    """Returns the condition of networks whose inputs do not tell, but whose classes are known."""
    if not any(inputs):
        return Condition((), "int32", True)
    if inputs.generator and _compatible(inputs.generator[0].shape[1:], latent_shape):
        raise ValueError(
            "`num_classes` expects networks that take class labels as a second input, or one-hot "
            f"ones joined to their only one. Received: num_classes={num_classes} and a generator "
            "that takes noise alone. Leave it out, or add keras.Input((), dtype='int32') to both."
        )
    return Condition((num_classes,), keras.config.floatx(), True)


def _described(name: str, given: Any, num_classes: int | None) -> Condition:
    """Returns the condition that an input takes."""
    shape, is_integer = tuple(given.shape[1:]), "int" in given.dtype
    if not is_integer and "float" not in given.dtype:
        raise ValueError(
            f"The condition that `{name}` takes must be integer class labels or floats. Received: "
            f"{given.dtype} {list(given.shape)}. Use keras.Input((), dtype='int32') for classes."
        )
    is_number = shape in ((), (1,))
    named = num_classes is not None and (is_number or shape == (num_classes,))
    dtype = "int32" if is_integer else keras.config.floatx()
    found = Condition(shape, dtype, is_number if is_integer else named)
    if num_classes is not None and not found.classes:
        raise ValueError(
            f"`num_classes` is for conditions that are classes, int32 [batch] or one-hot [batch, "
            f"{num_classes}]. Received: a `{name}` for {found}. Leave it out."
        )
    return found


def _check_input(
    name: str, network: keras.Model, given: tuple, giver: str, condition: Condition | None
) -> None:
    inputs = getattr(network, "inputs", None)
    if not inputs or given == (0,):
        return
    shape = None if condition is None else condition.shape
    place = 1 - place_of_condition(inputs, given, shape) if len(inputs) == 2 else 0
    expected = tuple(inputs[place].shape[1:])
    joined = None if condition is None or len(inputs) == 2 else _joined(given, condition)
    if joined is not None and _compatible(expected, joined):
        return
    if not _compatible(expected, given):
        fix = f"Give the {name} that input shape"
        if name == "generator" and joined is None:
            fix = f"Write latents={expected[0] if len(expected) == 1 else 0}"
            fix += "" if len(expected) == 1 else " if it takes pictures as conditions, and no noise"
        more = "" if joined is None else f", {list(joined)} with the condition"
        raise ValueError(
            f"`{name}` expects inputs of shape {list(expected)}. Received: {giver} shape "
            f"{list(given)}{more}. {fix}, or change the network."
        )
    # A discriminator may judge pictures by themselves where they are made from other pictures.
    lacks = condition is not None and len(inputs) == 1
    if condition and lacks and not (name == "discriminator" and len(condition.shape) == 3):
        raise ValueError(
            "Either both networks take class labels, or another condition, as a second input or "
            f"neither does. Received: a {name} without, where the other one takes {condition}. Add "
            f"keras.Input({condition.shape}, dtype={condition.dtype!r}) to it."
        )


def _joined(given: tuple, condition: Condition) -> tuple | None:
    """Returns the shape of an input with the condition joined to it; `None` if that cannot be."""
    shape = condition.shape
    fits = len(shape) == 1 or (len(shape) == len(given) and _compatible(shape[:-1], given[:-1]))
    if condition.dtype == "int32" or not fits or None in (given[-1], shape[-1]):
        return None
    return (*given[:-1], given[-1] + shape[-1])


def _compatible(one: Any, other: Any) -> bool:
    return bool(tf.TensorShape(one).is_compatible_with(other))


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
