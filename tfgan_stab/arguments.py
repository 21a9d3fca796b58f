"""What `GAN.compile` is given, checked before anything is built."""

from typing import Any

import keras

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
        ValueError: If one is in use already, or both are the same object.
    """
    optimizers = Players(
        _optimizer("generator_optimizer", generator),
        _optimizer("discriminator_optimizer", discriminator),
    )
    for player, optimizer in optimizers._asdict().items():
        if optimizer.use_ema:
            raise ValueError(
                f"`{player}_optimizer` must leave averaging to the GAN, which knows batch "
                "statistics and swaps. Received: use_ema=True. Write compile(..., averages={'ema': "
                f"tgs.ExponentialAverage({optimizer.ema_momentum})}})."
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
