"""One whole run: builds what the gin files describe, trains it, and leaves it in a workdir."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from tfgan_stab import callbacks
from tfgan_stab._utils.files import replacing
from tfgan_stab.cli.jobs.build import build
from tfgan_stab.cli.jobs.report import report
from tfgan_stab.cli.workdir import Workdir
from tfgan_stab.data.batches import Batches
from tfgan_stab.game.penalties.base import LossPenalty, WeightGradientPenalty
from tfgan_stab.game.top_k import TopK
from tfgan_stab.game.validation import Pair
from tfgan_stab.networks.export import with_keras_layers
from tfgan_stab.training.averaging.rules import Average
from tfgan_stab.training.averaging.swap import LIVE
from tfgan_stab.training.fit_checks import check_data
from tfgan_stab.training.gan import GAN
from tfgan_stab.updates.scheme import Scheme

__all__ = ["train"]


def train(
    workdir: Workdir,
    ready: Callable[[], None],
    begun: Callable[[], None],
    *,
    data: Batches,
    generator: Callable[[], keras.Model],
    discriminator: Callable[[], keras.Model],
    generator_optimizer: Any,
    discriminator_optimizer: Any,
    latents: Any = 128,
    loss: Any = "non_saturating",
    scheme: Scheme | None = None,
    penalties: Sequence[LossPenalty | WeightGradientPenalty] = (),
    top_k: TopK | None = None,
    averages: Mapping[str, Average] | None = None,
    jit_compile: bool | str = "auto",
    seed: int = 0,
    epochs: int = 1,
    steps_per_epoch: int | None = None,
    scores: Sequence[Callable[..., Any]] = (),
    score_every: str | int = "epoch",
    max_share: float | None = None,
    weights: str = LIVE,
    sample_rows: int = 8,
    sample_columns: int = 8,
    checkpoint_every: str | int = "epoch",
    keep_checkpoints: int = 3,
    guard: callbacks.DivergenceGuard | None = None,
) -> GAN:
    """Trains a GAN in a workdir, from where it stopped if it has begun there.

    Gin files set every argument but the first three.

    Args:
        workdir: Where everything is written.
        ready: Called when all parts are built and nothing is written yet; may refuse the run.
        begun: Called when the first step is done: all parts work together.
        data: The real examples.
        generator: Makes the generator, once the seed of the initial weights is set.
        discriminator: Makes the discriminator.
        generator_optimizer: As in `GAN.compile`.
        discriminator_optimizer: As in `GAN.compile`.
        latents: As in `GAN`.
        loss: As in `GAN.compile`.
        scheme: As in `GAN.compile`.
        penalties: As in `GAN.compile`.
        top_k: As in `GAN.compile`.
        averages: As in `GAN.compile`.
        jit_compile: As in `GAN.compile`.
        seed: Decides initial weights and noise, an integer. The data have a seed of their own.
        epochs: How long to train, an integer >= 1.
        steps_per_epoch: Steps between evaluations, an integer >= 1; one pass over the data unless
            given.
        scores: What makes the scores of each epoch: called with `real=data`.
        score_every: When scores are taken: "epoch", or a number of steps, an integer >= 1.
        max_share: The largest part of the wall time that scores may take, in (0, 1]; as in
            `Evaluate`.
        weights: Which weights are drawn and saved: "live" or the name of an average.
        sample_rows: Rows of the grids of samples, an integer >= 1; 0 draws none.
        sample_columns: Columns of the grids of samples, an integer >= 1.
        checkpoint_every: "epoch", or a number of steps, an integer >= 1.
        keep_checkpoints: How many checkpoints stay, an integer >= 1.
        guard: Watches for numbers that are not finite; saves with the checkpoints, unless it has a
            directory of its own.

    Returns:
        The trained model.

    Raises:
        TypeError: If `data` is no data set of `tgs.data`.
        ValueError: If an argument is out of range, or the data do not fit the networks; nothing has
            been written then.
        DivergenceError: If the guard stopped the run.
    """
    for name, value in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ValueError(f"`{name}` must be an integer >= 1. Received: {value!r}.")
    gan = build(
        generator=generator,
        discriminator=discriminator,
        generator_optimizer=generator_optimizer,
        discriminator_optimizer=discriminator_optimizer,
        latents=latents,
        loss=loss,
        scheme=scheme,
        penalties=penalties,
        top_k=top_k,
        averages=averages,
        jit_compile=jit_compile,
        seed=seed,
    )
    gan.weights_in_use.check(weights)
    _check_data(data, gan.pair)
    check_data(data, None, None, gan.scheme, gan.top_k, gan.num_classes)
    measures = [make(real=data) for make in _checked_scores(scores)]
    followers: list[keras.callbacks.Callback] = [_Begun(begun), callbacks.RunLog(workdir.path)]
    if guard is not None:
        guard.directory = guard.directory or workdir.checkpoints
        followers.append(guard)
    if measures:
        followers.append(callbacks.BestCheckpoint(workdir.best))
        followers.append(
            callbacks.Evaluate(measures, score_every, at_start=True, max_share=max_share)
        )
    if sample_rows:
        followers.append(
            callbacks.SampleGrid(workdir.samples, sample_rows, sample_columns, weights=weights)
        )
    if weights != LIVE:
        followers.append(callbacks.SwapWeights(weights, swap_on_epoch=True))
    followers.append(_SaveGenerator(workdir))
    followers.append(callbacks.Checkpoint(workdir.checkpoints, checkpoint_every, keep_checkpoints))
    ready()
    gan.fit(data, epochs=epochs, steps_per_epoch=steps_per_epoch, callbacks=followers)
    with gan.using(weights):
        _save_generator(gan, workdir)
    print(report(workdir, gan, measures, weights))
    return gan


def _checked_scores(scores: Any) -> Sequence[Callable[..., Any]]:
    """Refuses what cannot make scores."""
    if not isinstance(scores, (list, tuple)) or not all(map(callable, scores)):
        raise TypeError(
            f"`scores` must be a list of what makes scores. Received: {scores!r:.200}. Use "
            "[@tgs.FID, @tgs.KID], in square brackets, and each without round ones."
        )
    return scores


def _check_data(data: Any, pair: Pair) -> None:
    """Refuses data that the networks cannot take."""
    if not isinstance(data, Batches):
        raise TypeError(
            "`data` must be a data set of tgs.data. Received: "
            f"{data!r:.200}. Use @tgs.data.arrays(), with its brackets."
        )
    shape, expected = list(data.example_shape), list(pair.example_shape)
    fits = len(shape) == len(expected) and all(
        side in (None, given) for side, given in zip(expected, shape, strict=True)
    )
    if not fits:
        raise ValueError(
            f"`data` must give examples of the networks' shape, {expected}. Received: "
            f"{data.name!r} of {shape}. Change the networks' image_size and channels, or "
            "choose other data."
        )
    if pair.conditional != (data.num_classes is not None):
        wanted, given = ("", "none") if pair.conditional else ("no ", "some")
        raise ValueError(
            f"`data` must give {wanted}labels, since the networks take {wanted}class labels. "
            f"Received: {data.name!r} with {given}. Change `labels` of the data, or choose "
            "other networks."
        )


class _Begun(keras.callbacks.Callback):
    """Says when the first step is done."""

    def __init__(self, begun: Callable[[], None]) -> None:
        super().__init__()
        self._begun = begun

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._begun()


class _SaveGenerator(keras.callbacks.Callback):
    """Saves the generator at each epoch's end, with the weights that are then in use."""

    def __init__(self, workdir: Workdir) -> None:
        super().__init__()
        self._workdir = workdir

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        _save_generator(self.model, self._workdir)


def _save_generator(gan: Any, workdir: Workdir) -> None:
    with replacing(workdir.generator) as draft:
        with_keras_layers(gan.generator).save(draft)
