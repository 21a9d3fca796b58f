"""All averages of a run: made for its networks, started, and updated together."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgan_stab import distribution, recalibrating
from tfgan_stab.averaging import AveragedWeights, WeightsRule, update_period
from tfgan_stab.averaging.batch_statistics import copied, measurable
from tfgan_stab.updates.scheme import shortest_period


def built(gan: Any, rules: Mapping[str, WeightsRule]) -> dict[str, AveragedWeights]:
    """Returns the averages that belong to rules, by name.

    Args:
        gan: The model; its scheme, latents and seed are known.
        rules: The rules by name.

    Raises:
        ValueError: If an average waits for what never comes, or cannot be recalibrated.
    """
    found = {}
    for name, rule in rules.items():
        networks = averaged_networks(gan, rule)
        found[name] = AveragedWeights(
            rule,
            [variable for network in networks for variable in network.variables],
            name,
            update_period(rule, shortest_period(gan.scheme)),
            copied(networks, rule),
            _recalibration(gan, name, rule),
        )
    return found


def averaged_networks(gan: Any, rule: WeightsRule) -> list[keras.Model]:
    """Returns the networks whose weights a rule averages, the generator first."""
    both = getattr(rule, "discriminator", False)
    return [gan.generator, gan.discriminator] if both else [gan.generator]


def _recalibration(
    gan: Any, name: str, rule: Any
) -> Callable[[list[tf.Tensor]], list[tf.Tensor]] | None:
    if getattr(rule, "batch_statistics", "average") != "recalibrate":
        return None
    if not measurable(gan.generator):
        raise ValueError(
            f"Average {name!r} recalibrates batch statistics, and expects a generator that has "
            "some. Received: a generator without batch normalization that is trained. Leave out "
            'batch_statistics="recalibrate".'
        )
    if len(averaged_networks(gan, rule)) > 1 and measurable(gan.discriminator):
        raise ValueError(
            f"Average {name!r} recalibrates batch statistics on examples of the generator; those "
            "of a discriminator belong to real examples too. Received: discriminator=True and a "
            'discriminator with batch normalization. Use batch_statistics="average", or leave out '
            "discriminator=True."
        )
    return recalibrating.Recalibration(
        gan, rule.recalibration_batches, rule.recalibration_batch_size
    )


def check_classes(gan: Any) -> None:
    """Raises ValueError if an average could not be used for lack of a number of classes."""
    for rule in gan.averages.values():
        if getattr(rule, "batch_statistics", "average") == "recalibrate":
            recalibrating.check_classes(gan)


def start(averages: Mapping[str, AveragedWeights], networks: Sequence[keras.Model]) -> None:
    """Makes all averages copies of the networks' weights, before the first round.

    Args:
        averages: The averages.
        networks: The generator and the discriminator.
    """
    values = _values(networks)
    for average in averages.values():
        distribution.write(average.weights, average.started(values[: len(average.averages)]))


def follow(
    averages: Mapping[str, AveragedWeights],
    networks: Sequence[keras.Model],
    rounds: tf.Tensor,
    images: tf.Tensor,
    compiled: bool,
) -> None:
    """Lets all averages take in what a round ended with.

    Args:
        averages: The averages.
        networks: The generator and the discriminator.
        rounds: int64 scalar, the rounds done, this one included.
        images: int64 scalar, the real examples of this round.
        compiled: Whether XLA should fuse the arithmetic, each weight being read once for all
            averages. Within a round that it compiles anyway there is no need to ask.
    """
    if not averages:
        return

    def updated(held: list, values: list, rounds: tf.Tensor, images: tf.Tensor) -> list:
        return [
            average.updated(own, values[: len(average.averages)], rounds, images)
            for average, own in zip(averages.values(), held, strict=True)
        ]

    if compiled:
        updated = tf.function(updated, autograph=False, jit_compile=True)
    held = [distribution.read(average.weights) for average in averages.values()]
    for average, own in zip(
        averages.values(), updated(held, _values(networks), rounds, images), strict=True
    ):
        distribution.write(average.weights, own)


def _values(networks: Sequence[keras.Model]) -> list[tf.Tensor]:
    return [value for network in networks for value in distribution.read(network.variables)]
