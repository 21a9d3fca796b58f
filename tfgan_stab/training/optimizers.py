"""The players' optimizers: checked, copied for trial steps, and with schedules that count steps.

Keras' schedules count an optimizer's updates. A scheme may update a player several times a step,
trial steps included, and then two players would run through their schedules at different speeds.
"""

import math
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras.optimizers import schedules

from tfgan_stab.game.players import Players
from tfgan_stab.training import distribution
from tfgan_stab.updates.scheme import Scheme


def check_optimizers(generator: Any, discriminator: Any) -> Players:
    """Returns both players' optimizers, made where names are given.

    Raises:
        TypeError: If one is no Keras optimizer.
        ValueError: If one is in use already, both are the same object, or a learning rate is
            negative or no finite number.
    """
    optimizers = Players(
        _optimizer("generator_optimizer", generator),
        _optimizer("discriminator_optimizer", discriminator),
    )
    for player, optimizer in optimizers._asdict().items():
        _check_learning_rate(player, optimizer)
        if optimizer.use_ema:
            raise ValueError(
                f"`{player}_optimizer` must leave averaging to the GAN, which knows batch "
                "statistics and swaps. Received: use_ema=True. Write compile(..., averages={'ema': "
                f"tgs.ExponentialAverage({optimizer.ema_momentum})}})."
            )
        if optimizer.gradient_accumulation_steps:
            raise ValueError(
                f"`{player}_optimizer` must update at each call: trial steps and updates of a "
                "scheme would be mixed. Received: gradient_accumulation_steps="
                f"{optimizer.gradient_accumulation_steps}. Use a larger batch."
            )
        if optimizer.built:
            raise ValueError(
                f"`{player}_optimizer` must be new: an optimizer remembers the weights it updates. "
                f"Received: {optimizer.name!r}, which is in use already. Make another one."
            )
    if optimizers.generator is optimizers.discriminator:
        raise ValueError(
            "Each player needs an optimizer of its own. Received: the same object for both. Make "
            "two, with two learning rates if you like (TTUR)."
        )
    return Players(*map(_within_strategy, optimizers))


def _within_strategy(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Returns a new optimizer as it is, or made again if that was outside the strategy's scope."""
    if getattr(optimizer, "_distribution_strategy", None) in (None, tf.distribute.get_strategy()):
        return optimizer
    config = optimizer.get_config()
    rate = getattr(optimizer, "_learning_rate", None)
    if isinstance(rate, schedules.LearningRateSchedule):  # It need not be known to Keras.
        config["learning_rate"] = rate
    return type(optimizer).from_config(config)


def _check_learning_rate(player: str, optimizer: keras.optimizers.Optimizer) -> None:
    try:
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
    except (ValueError, TypeError, tf.errors.OpError):  # What a schedule makes of words.
        rate = math.nan
    if not math.isfinite(rate) or rate < 0:
        given = optimizer.get_config()["learning_rate"]
        raise ValueError(
            f"`{player}_optimizer` must have a finite learning rate >= 0. Received: {given!r}. Use "
            "keras.optimizers.Adam(1e-4, beta_1=0.5)."
        )


def _optimizer(name: str, given: Any) -> keras.optimizers.Optimizer:
    if isinstance(given, (str, dict)):
        try:
            return keras.optimizers.get(given)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"`{name}` must be an optimizer of keras.optimizers or its name. Received: "
                f"{given!r}. Use keras.optimizers.Adam(1e-4, beta_1=0.5)."
            ) from error
    if not isinstance(given, keras.optimizers.Optimizer):
        raise TypeError(
            f"`{name}` must be an optimizer of keras.optimizers or its name. Received: {given!r}. "
            "Use keras.optimizers.Adam(1e-4, beta_1=0.5), an instance."
        )
    return given


def copy_optimizer(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Returns a new optimizer with the same settings and the very same learning rate."""
    config = optimizer.get_config()
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        del config["inner_optimizer"]
        return type(optimizer)(copy_optimizer(optimizer.inner_optimizer), **config)
    copy = type(optimizer).from_config({**config, "learning_rate": 0.0})
    # A schedule of the user's need not be known to Keras, and a rate may be set later on.
    for name in ("_learning_rate", "_exclude_from_weight_decay_pattern"):
        if hasattr(optimizer, name):
            vars(copy)[name] = getattr(optimizer, name)
    return copy


# Under the name that files written by version 0.1 have.
@keras.saving.register_keras_serializable("tfgan_stab", name="ByRound")
class ByStep(schedules.LearningRateSchedule):
    """A schedule that is asked about the step instead of the optimizer's own count.

    Saved as the plain schedule that it wraps; the model that loads it wraps it again.

    Args:
        schedule: The user's schedule.
        steps: int64 variable, the steps done.

    Attributes:
        scale: float32 variable, what the schedule is multiplied by: 1 until a rollback makes it
            smaller.
    """

    def __init__(self, schedule: Any, steps: keras.Variable):
        self.schedule = schedule
        self._steps = steps
        self.scale = keras.Variable(1.0, trainable=False, dtype="float32", name="rate_scale")

    def __call__(self, step: Any) -> tf.Tensor:
        """Returns the learning rate of this step, whatever the step."""
        del step
        rate = tf.convert_to_tensor(self.schedule(tf.convert_to_tensor(self._steps.value)))
        return rate * tf.cast(tf.convert_to_tensor(self.scale.value), rate.dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the plain schedule's description."""
        return {"schedule": keras.saving.serialize_keras_object(self.schedule)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Returns the plain schedule."""
        return keras.saving.deserialize_keras_object(config["schedule"])


def count_steps(optimizer: keras.optimizers.Optimizer, steps: keras.Variable) -> None:
    """Lets an optimizer's schedule, if it has one, count steps.

    Args:
        optimizer: Any Keras optimizer.
        steps: int64 variable, the steps done.
    """
    optimizer = _plain(optimizer)
    schedule = getattr(optimizer, "_learning_rate", None)
    if isinstance(schedule, ByStep):
        schedule = schedule.schedule
    if isinstance(schedule, schedules.LearningRateSchedule):
        optimizer.learning_rate = ByStep(schedule, steps)


def rate_scale(optimizer: keras.optimizers.Optimizer) -> float:
    """Returns what an optimizer's schedule is multiplied by; 1 for a constant learning rate."""
    schedule = getattr(_plain(optimizer), "_learning_rate", None)
    return (
        float(tf.convert_to_tensor(schedule.scale.value)) if isinstance(schedule, ByStep) else 1.0
    )


def set_rate_scale(optimizer: keras.optimizers.Optimizer, scale: float) -> None:
    """Multiplies an optimizer's schedule, from the next step on; a constant rate stays."""
    schedule = getattr(_plain(optimizer), "_learning_rate", None)
    if isinstance(schedule, ByStep):
        distribution.write([schedule.scale], [scale])


def slow_down(optimizers: Iterable[keras.optimizers.Optimizer], factor: float) -> None:
    """Multiplies optimizers' learning rates, be they constants or schedules.

    Args:
        optimizers: Those that `count_steps` has seen. A rate that several share, such as that of
            an optimizer's copy for trial steps, is multiplied once.
        factor: A number > 0.
    """
    rates = {id(rate): rate for rate in (_plain(each)._learning_rate for each in optimizers)}
    for rate in rates.values():
        variable = rate.scale if isinstance(rate, ByStep) else rate
        distribution.write([variable], [tf.convert_to_tensor(variable.value) * factor])


def _plain(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Returns the optimizer that has the learning rate, inside one that scales losses."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return _plain(optimizer.inner_optimizer)
    return optimizer


def set_rate_scales(
    optimizers: Iterable[keras.optimizers.Optimizer], scales: Iterable[float]
) -> None:
    """Multiplies each player's schedule by its scale."""
    for optimizer, scale in zip(optimizers, scales, strict=True):
        set_rate_scale(optimizer, scale)


def rate_scales(optimizers: Iterable[keras.optimizers.Optimizer]) -> list[float]:
    """Returns what each player's schedule of learning rates is multiplied by."""
    return [rate_scale(optimizer) for optimizer in optimizers]


class PairOfOptimizers(keras.Model):
    """Builds the optimizers of both players and of their trial steps; part of `tgs.GAN`."""

    scheme: Scheme
    generator_optimizer: Any
    discriminator_optimizer: Any
    generator_extrapolation_optimizer: Any
    discriminator_extrapolation_optimizer: Any
    _variables: Any
    _counters: Any

    def _build_optimizers(self, optimizers: Players) -> None:
        self.generator_optimizer, self.discriminator_optimizer = optimizers
        separate = self.scheme.separate_extrapolation
        with self.distribute_strategy.scope():
            others = Players(*(copy_optimizer(o) if separate else None for o in optimizers))
            self.generator_extrapolation_optimizer = others.generator
            self.discriminator_extrapolation_optimizer = others.discriminator
            for players in [optimizers, others] if separate else [optimizers]:
                for optimizer, variables in zip(players, self._variables, strict=True):
                    optimizer.build(variables)
                    distribution.use_local_gradients(optimizer)
                    count_steps(optimizer, self._counters.steps)


class TwoOptimizers:
    """The attribute `optimizer` of a model that has two: says what to use instead.

    It is falsy, since Keras asks so whether there is one.
    """

    built = True  # Keras would build it.

    def __get__(self, model: Any, kind: Any = None) -> "TwoOptimizers":
        return self

    def __set__(self, model: Any, value: Any) -> None:
        if value is not None:  # Which Keras' own `compile` sets.
            raise AttributeError(
                "A GAN has two optimizers and no `optimizer`. Received: "
                f"optimizer={value!r:.60}. Call gan.compile(generator_optimizer, "
                "discriminator_optimizer)."
            )

    def __bool__(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            "A GAN has two optimizers and no `optimizer`. Received: "
            f"`optimizer.{name}`. Use `generator_optimizer.{name}` and "
            f"`discriminator_optimizer.{name}` of the model."
        )

    def __setattr__(self, name: str, value: Any) -> None:
        self.__getattr__(name)


def warn_of_lost_training(steps: int, averages: Iterable[str]) -> None:
    """Warns of what another `compile` forgets.

    Args:
        steps: Steps done since the last one.
        averages: The names of the averages there were.
    """
    names = ", ".join(map(repr, averages))
    lost = f", and averages {names} start over from the trained weights" if names else ""
    warnings.warn(
        f"`compile` begins a new training: the {steps} steps so far are no longer counted, the "
        f"optimizers forget their moments{lost}. To go on, call `fit` alone, and set rates by "
        "gan.generator_optimizer.learning_rate.assign(1e-4). To keep what is lost, call "
        "gan.save('gan.keras') before.",
        UserWarning,
        stacklevel=5,
    )


def check_trained(compiled: Sequence[int], networks: Players) -> None:
    """Raises if other weights are trainable than when the model was compiled.

    Args:
        compiled: What `trained` said then.
        networks: Both networks.

    Raises:
        ValueError: If layers were frozen or unfrozen since.
    """
    changed = set(compiled) ^ set(trained(networks))
    if changed:
        paths = [v.path for n in networks for v in n.variables if id(v) in changed]
        raise ValueError(
            "The layers that are trainable must be those of `compile`, where each optimizer is "
            f"built on its weights. Received: {len(paths)} other weights, such as {paths[0]!r}. "
            "Call gan.compile(...) again after setting `trainable`."
        )


def trained(networks: Players) -> tuple[int, ...]:
    """Returns what tells the networks' trainable weights from all others.

    Raises:
        ValueError: If a network has none.
    """
    for name, network in networks._asdict().items():
        if not network.trainable_variables:
            raise ValueError(
                f"The {name} must have weights that train, whoever is updated. Received: none. "
                f"Leave out `{name}.trainable = False`: each player is updated by its own "
                "optimizer alone."
            )
    return tuple(id(v) for network in networks for v in network.trainable_variables)
