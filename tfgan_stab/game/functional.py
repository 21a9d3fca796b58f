"""Both networks as pure functions at given weights: nothing is read from variables or written."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfgan_stab._utils import random
from tfgan_stab.game.players import BOTH, Players


class Minibatch(NamedTuple):
    """What one evaluation of the gradients is computed on, with all its random numbers.

    Attributes:
        real_images: float `[batch, ...]`, the data (images, points or texts).
        labels: The conditions, `None` for an unconditional pair: int32 `[batch]` classes, or float
            `[batch, ...]` vectors or pictures.
        latents: float `[batch, latents]`, the generator's noise.
        noise: For each loss penalty, in order, nested tensors `[batch, ...]`: its own noise.
        active: For each loss penalty, in order, whether it is added in this step: a Python boolean
            where the gradients are computed; before that, a boolean scalar where it depends on the
            step.
        num_kept: int32 scalar, how many of the fake images the generator learns from; `None` for
            all.
        fake_weights: float `[batch]`, what each fake image counts for in the generator's loss,
            where replicas choose together; `None` elsewhere.
        number: int32 scalar, which minibatch of the step it is, counted over all replicas: layers
            with random numbers, such as dropout, draw others for each.
        augmentation: The noise that images are changed by before the discriminator sees them, an
            `AugmentationNoise`; `()` where they are not.
        fake_labels: The conditions that the fake images are made and judged for, like `labels`;
            `None` where they are made for the same ones.
    """

    real_images: tf.Tensor
    labels: tf.Tensor | None
    latents: tf.Tensor
    noise: tuple = ()
    active: tuple = ()
    num_kept: tf.Tensor | None = None
    fake_weights: tf.Tensor | None = None
    number: tf.Tensor | int = 0
    augmentation: Any = ()
    fake_labels: tf.Tensor | None = None

    def without_penalties(self) -> "Minibatch":
        """Returns the minibatch for the losses alone: no loss penalty is active."""
        return self._replace(active=(False,) * len(self.active))


def only(values: Players, players: Sequence[str]) -> Players:
    """Returns the values of the players named, `None` for the others.

    Example:
        >>> only(Players(1, 2), ["discriminator"])
        Players(generator=None, discriminator=2)
    """
    return Players(*(v if name in players else None for name, v in zip(BOTH, values, strict=True)))


def network_inputs(network: Any, first: Any, condition: Any) -> Any:
    """Returns what a network is called with.

    A network of two inputs takes both, in its own order and structure. One of a single input takes
    what its size says: `first` alone, or `first` with the condition joined along the last axis, a
    vector as constant planes. A generator without noise takes the condition alone.

    Args:
        network: A built network.
        first: `[batch, ...]`: the generator's noise, or the discriminator's examples.
        condition: `[batch, ...]`, or `None` for an unconditional pair.

    Example:
        >>> network = keras.Sequential([keras.Input((4, 4, 5)), keras.layers.Flatten()])
        >>> network_inputs(network, tf.zeros([2, 4, 4, 3]), tf.ones([2, 2])).shape
        TensorShape([2, 4, 4, 5])
    """
    if condition is None:
        return _packed(network, [first])
    if first.shape[-1] == 0:
        return _packed(network, [condition])
    inputs = getattr(network, "inputs", None)
    if not inputs or len(inputs) == 2:
        both = [first, condition]
        if inputs and place_of_condition(inputs, first.shape[1:], condition.shape[1:]) == 0:
            both.reverse()
        return _packed(network, both)
    if inputs[0].shape[-1] == first.shape[-1]:
        return first
    planes = keras.ops.cast(condition, first.dtype)
    if len(planes.shape) < len(first.shape):
        between = [1] * (len(first.shape) - len(planes.shape))
        planes = keras.ops.reshape(planes, [-1, *between, planes.shape[-1]])
        planes = planes + keras.ops.zeros_like(first[..., :1])
    return keras.ops.concatenate([first, planes], axis=-1)


def place_of_condition(inputs: Sequence[Any], first: Any = None, condition: Any = None) -> int:
    """Returns which of a network's two inputs takes the condition.

    It is the only one of integers; of two floats the one whose shape says so; else the second.

    Args:
        inputs: The network's inputs.
        first: Shape of one latent or example, which the other input takes; `None` if not known.
        condition: Shape of one condition; `None` if not known.
    """
    integers = ["int" in each.dtype for each in inputs]
    if sum(integers) == 1:
        return integers.index(True)
    for shape, if_first in ((first, [False, True]), (condition, [True, False])):
        own = [tf.TensorShape(each.shape[1:]) for each in inputs]
        if shape is not None and [each.is_compatible_with(shape) for each in own] == if_first:
            return 0
    return 1


def _packed(network: Any, tensors: list[Any]) -> Any:
    """Returns tensors in the structure that a network was made with: a list, a dictionary."""
    structure = getattr(network, "_inputs_struct", None)
    if structure is None or len(keras.tree.flatten(structure)) != len(tensors):
        return tensors if len(tensors) > 1 else tensors[0]
    return keras.tree.pack_sequence_as(structure, tensors)


def call_in_inference(network: Any, inputs: Any, key: tf.Tensor) -> Any:
    """Returns what a network gives in inference; layers that stay random draw by a key.

    Args:
        network: A built network.
        inputs: What it is called with.
        key: int32 `[2]`. Without it such layers would go on from where the last call left them.
    """
    seeds = [variable for variable in network.non_trainable_variables if is_seed(variable)]
    if not seeds:
        return network(inputs, training=False)
    scope = keras.StatelessScope()
    for number, variable in enumerate(seeds):
        # The 0 at the end is what a layer counts its draws by.
        scope.add_update((variable, tf.cast(random.fold_in(key, number + 1, 0), variable.dtype)))
    with scope:
        return network(inputs, training=False)


class Output(NamedTuple):
    """What a network's call gives.

    Attributes:
        values: The examples, or the logits.
        state: The network's non-trainable variables after the call.
        regularization: The losses that its layers declare, a scalar.
    """

    values: tf.Tensor
    state: list[tf.Tensor]
    regularization: Any


class NetworksAt:
    """A generator and a discriminator at one point.

    Args:
        networks: `Players` of built Keras models.
        params: `Players` of lists of tensors, the trainable weights.
        state: `Players` of lists of tensors, the non-trainable variables. Every call starts from
            them, so that two calls see the same power iteration.
        labels: The conditions `[batch, ...]` of the real images, or `None`.
        training: Whether layers behave as in training.
        number: int32 scalar, the minibatch's number. The random numbers of a layer, such as
            dropout's, depend on it and on how many calls came before: each call has its own, and
            whoever calls in the same order again has the same ones.
        augment: Changes images before the discriminator sees them, a function `(images, "real" or
            "fake") -> images`; `None` for no changes.
        fake_labels: The conditions of the fake images; `None` where they are `labels`.
    """

    def __init__(
        self,
        networks: Players,
        params: Players,
        state: Players,
        labels: tf.Tensor | None,
        training: bool = True,
        number: tf.Tensor | int = 0,
        augment: Callable[[tf.Tensor, str], tf.Tensor] | None = None,
        fake_labels: tf.Tensor | None = None,
    ):
        self._networks = networks
        self._params = params
        self._state = state
        self._labels = {"real": labels, "fake": labels if fake_labels is None else fake_labels}
        self._training = training
        self._number = number
        self._augment = augment
        self._calls = 0

    def generate(self, latents: tf.Tensor, labels: tf.Tensor | None = None) -> Output:
        """Returns examples for latents, of other conditions where they are given."""
        return self._call("generator", latents, self._labels["fake"] if labels is None else labels)

    def discriminate(self, examples: tf.Tensor, which: str = "real") -> Output:
        """Returns logits for examples; half-precision ones as float32, for sums need more.

        Args:
            examples: float `[batch, ...]`, before they are augmented.
            which: Whose conditions and augmentation they get, "real" or "fake".
        """
        if self._augment is not None:
            examples = self._augment(examples, which)
        output = self._call("discriminator", examples, self._labels[which])
        logits = output.values
        exact = tf.cast(logits, tf.float32) if logits.dtype.size < 4 else logits
        # An operation that TensorFlow moves no arithmetic across: it would merge a loss with the
        # last layer, and round otherwise, where nothing else uses the logits.
        return output._replace(values=tf.ensure_shape(exact, exact.shape))

    def _call(self, player: str, inputs: tf.Tensor, labels: tf.Tensor | None) -> Output:
        network = getattr(self._networks, player)
        weights, before = getattr(self._params, player), getattr(self._state, player)
        state = [
            self._of_this_call(value) if is_seed(variable) else value
            for variable, value in zip(network.non_trainable_variables, before, strict=True)
        ]
        # A call inside a scope of substituted values; `stateless_call` would bypass `__call__`,
        # which hands `training` down to the layers of a subclassed model.
        with keras.StatelessScope(collect_losses=True) as scope:
            for variables, values in (
                (network.trainable_variables, weights),
                (network.non_trainable_variables, state),
            ):
                for update in zip(variables, values, strict=True):
                    scope.add_update(update)  # As they are; the constructor would round to float32.
            outputs = network(network_inputs(network, inputs, labels), training=self._training)
            regularization = sum(network.losses)
        self._calls += 1
        _check_unwritten(network, weights, scope)
        after = [scope.get_current_value(v) for v in network.non_trainable_variables]
        # A seed has advanced by as many draws as the call made.
        after = [
            old + (new - own) if is_seed(variable) else new
            for variable, old, own, new in zip(
                network.non_trainable_variables, before, state, after, strict=True
            )
        ]
        return Output(outputs, after, regularization)

    def _of_this_call(self, seed: tf.Tensor) -> tf.Tensor:
        """Returns a layer's seed for this call, from the one that the step begins with."""
        # The 0 at the end is what a layer counts its draws by.
        return random.fold_in(seed, self._number, self._calls, 0) if self._training else seed


def is_seed(variable: keras.Variable) -> bool:
    """Returns whether it is the state of a `keras.random.SeedGenerator`: a seed and a counter."""
    return variable.name == "seed_generator_state"


def _check_unwritten(network: keras.Model, weights: Sequence, scope: keras.StatelessScope) -> None:
    """Raises if a layer has written to trainable weights while it was called.

    What it wrote would be lost: training would see other weights than sampling and averages.
    """
    for variable, value in zip(network.trainable_variables, weights, strict=True):
        if scope.get_current_value(variable) is not value:
            writers = [
                layer
                for layer in network._flatten_layers()
                if not isinstance(layer, keras.Model)
                and any(each is variable for each in layer.trainable_variables)
            ]
            raise LayerWritesWeightsError(
                "Layers must leave their trainable weights to the optimizers. Received: "
                f"{type(writers[0]).__name__} {writers[0].name!r} of {network.name!r}, which "
                f"writes to {variable.path!r} when it is called. Use "
                "tgs.networks.SpectralNormalization for that of Keras, and keep what other layers "
                "write in weights with trainable=False."
            )


class LayerWritesWeightsError(TypeError):
    """A layer writes to its trainable weights when it is called."""
