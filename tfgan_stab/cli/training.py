"""One whole run: builds what the gin files describe, trains it, and leaves it in a workdir."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from tfgan_stab import callbacks
from tfgan_stab.averaging import Average
from tfgan_stab.cli.report import report
from tfgan_stab.cli.workdir import Workdir
from tfgan_stab.data.batches import Batches
from tfgan_stab.files import replacing
from tfgan_stab.model import GAN
from tfgan_stab.swapping import LIVE
from tfgan_stab.updates.scheme import Scheme

__all__ = ["train"]


def train(
    workdir: Workdir,
    ready: Callable[[], None],
    *,
    data: Batches,
    generator: Callable[[], keras.Model],
    discriminator: Callable[[], keras.Model],
    generator_optimizer: Any,
    discriminator_optimizer: Any,
    latents: Any = 128,
    loss: Any = "non_saturating",
    scheme: Scheme | None = None,
    averages: Mapping[str, Average] | None = None,
    jit_compile: bool | str = "auto",
    seed: int = 0,
    epochs: int = 1,
    rounds_per_epoch: int | None = None,
    scores: Sequence[Callable[..., Any]] = (),
    weights: str = LIVE,
    sample_rows: int = 8,
    sample_columns: int = 8,
    checkpoint_every: str | int = "epoch",
    keep_checkpoints: int = 3,
) -> GAN:
    """Trains a GAN in a workdir, from where it stopped if it has begun there.

    Gin files set every argument but the first two.

    Args:
        workdir: Where everything is written.
        ready: Called when all parts are built and nothing is written yet; may refuse the run.
        data: The real examples.
        generator: Makes the generator, once the seed of the initial weights is set.
        discriminator: Makes the discriminator.
        generator_optimizer: As in `GAN.compile`.
        discriminator_optimizer: As in `GAN.compile`.
        latents: As in `GAN`.
        loss: As in `GAN.compile`.
        scheme: As in `GAN.compile`.
        averages: As in `GAN.compile`.
        jit_compile: As in `GAN.compile`.
        seed: Decides initial weights and noise, an integer. The data have a seed of their own.
        epochs: How long to train, an integer >= 1.
        rounds_per_epoch: Rounds between evaluations, an integer >= 1; one pass over the data unless
            given.
        scores: What makes the scores of each epoch: called with `real=data`.
        weights: Which weights are drawn and saved: "live" or the name of an average.
        sample_rows: Rows of the grids of samples, an integer >= 1; 0 draws none.
        sample_columns: Columns of the grids of samples, an integer >= 1.
        checkpoint_every: "epoch", or a number of rounds, an integer >= 1.
        keep_checkpoints: How many checkpoints stay, an integer >= 1.

    Returns:
        The trained model.

    Raises:
        ValueError: If an argument is out of range; nothing has been written then.
    """
    for name, value in (("epochs", epochs), ("rounds_per_epoch", rounds_per_epoch)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ValueError(f"`{name}` must be an integer >= 1. Received: {value!r}.")
    keras.utils.set_random_seed(seed)
    gan = GAN(generator(), discriminator(), latents=latents)
    gan.compile(
        generator_optimizer=generator_optimizer,
        discriminator_optimizer=discriminator_optimizer,
        loss=loss,
        scheme=scheme,
        averages=dict(averages or {}),
        jit_compile=jit_compile,
        seed=seed,
    )
    gan.weights_in_use.check(weights)
    measures = [make(real=data) for make in scores]
    followers: list[keras.callbacks.Callback] = [callbacks.RunLog(workdir.path)]
    if measures:
        followers.append(callbacks.Evaluate(measures, at_start=True))
    if sample_rows:
        followers.append(
            callbacks.SampleGrid(workdir.samples, sample_rows, sample_columns, weights=weights)
        )
    if weights != LIVE:
        followers.append(callbacks.SwapWeights(weights, swap_on_epoch=True))
    followers.append(_SaveGenerator(workdir))
    followers.append(callbacks.Checkpoint(workdir.checkpoints, checkpoint_every, keep_checkpoints))
    ready()
    gan.fit(data, epochs=epochs, steps_per_epoch=rounds_per_epoch, callbacks=followers)
    with gan.using(weights):
        _save_generator(gan, workdir)
    print(report(workdir, gan, measures, weights))
    return gan


class _SaveGenerator(keras.callbacks.Callback):
    """Saves the generator at each epoch's end, with the weights that are then in use."""

    def __init__(self, workdir: Workdir) -> None:
        super().__init__()
        self._workdir = workdir

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        _save_generator(self.model, self._workdir)


def _save_generator(gan: Any, workdir: Workdir) -> None:
    with replacing(workdir.generator) as draft:
        gan.generator.save(draft)
