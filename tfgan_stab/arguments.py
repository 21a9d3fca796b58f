"""What `GAN.compile` is given, checked before anything is built."""

import math
from typing import Any

import keras
import tensorflow as tf

from tfgan_stab.game.players import Players


def checked_seed(seed: Any) -> int:
    """Returns `seed` if it is one.

    Raises:
        ValueError: If it is no integer in [0, 2**62).
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**62:
        raise ValueError(f"`seed` must be an integer in [0, 2**62). Received: {seed!r}.")
    return seed


def checked_optimizers(generator: Any, discriminator: Any) -> Players:
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
                f"`{player}_optimizer` must move at each call: a scheme's trial steps and moves "
                "would be mixed. Received: gradient_accumulation_steps="
                f"{optimizer.gradient_accumulation_steps}. Use a larger batch."
            )
        if optimizer.built:
            raise ValueError(
                f"`{player}_optimizer` must be new: an optimizer remembers the weights it moves. "
                f"Received: {optimizer.name!r}, which is in use already. Make another one."
            )
    if optimizers.generator is optimizers.discriminator:
        raise ValueError(
            "Each player needs an optimizer of its own. Received: the same object for both. Make "
            "two, with two learning rates if you like (TTUR)."
        )
    return optimizers


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


def copied(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Returns a new optimizer with the same settings and the very same learning rate."""
    config = optimizer.get_config()
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        del config["inner_optimizer"]
        return type(optimizer)(copied(optimizer.inner_optimizer), **config)
    copy = type(optimizer).from_config({**config, "learning_rate": 0.0})
    # A schedule of the user's need not be known to Keras, and a rate may be set later on.
    for name in ("_learning_rate", "_exclude_from_weight_decay_pattern"):
        if hasattr(optimizer, name):
            vars(copy)[name] = getattr(optimizer, name)
    return copy
