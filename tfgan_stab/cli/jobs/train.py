"""One whole run: builds what the gin files describe, trains it, and saves it in a workdir."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import keras
import tensorflow as tf

from tfgan_stab import callbacks
from tfgan_stab._utils import validation
from tfgan_stab._utils.files import replacing
from tfgan_stab._utils.validation import integer
from tfgan_stab.callbacks.evaluate import checked_share
from tfgan_stab.cli.jobs.report import report
from tfgan_stab.cli.workdir import Workdir
from tfgan_stab.data.batches import Batches
from tfgan_stab.game.validation import Pair
from tfgan_stab.networks.export import with_keras_layers
from tfgan_stab.training.averaging.swap import LIVE
from tfgan_stab.training.fit_checks import check_data
from tfgan_stab.training.gan import GAN
from tfgan_stab.training.workers import is_chief
from tfgan_stab.training.xla import use_deterministic_operations

__all__ = ["Prepared", "build", "check_length", "prepare", "train", "with_arguments_of"]

Function = TypeVar("Function", bound=Callable[..., Any])


def with_arguments_of(inner: Callable[..., Any]) -> Callable[[Function], Function]:
    """Returns a decorator for a function whose `**kwargs` go to `inner`.

    It adds the arguments of `inner` to the function's signature, so that gin knows their names and
    defaults, and they are stated once.
    """

    def decorate(function: Any) -> Any:
        own = inspect.signature(function).parameters
        parameters = [each for each in own.values() if each.kind is not each.VAR_KEYWORD]
        parameters += [
            each.replace(kind=each.KEYWORD_ONLY)
            for each in inspect.signature(inner).parameters.values()
            if each.name not in (*own, "self")
        ]
        function.__signature__ = inspect.Signature(parameters)
        return function

    return decorate


@with_arguments_of(GAN.compile)
def build(
    *,
    generator: Callable[[], keras.Model],
    discriminator: Callable[[], keras.Model],
    latents: Any = 128,
    seed: int = 0,
    **settings: Any,
) -> GAN:
    """Returns a compiled GAN with new weights; its variables are those that a checkpoint holds.

    Args:
        generator: Makes the generator, once the seed of the initial weights is set.
        discriminator: Makes the discriminator.
        latents: As in `GAN`.
        seed: Decides initial weights and noise, an integer in [0, 2**62).
        **settings: The other arguments of `GAN.compile`.

    Raises:
        ValueError: If an argument is out of range, or the networks do not fit each other.
    """
    if settings.get("deterministic"):
        # Before the first operation: later may be too late.
        use_deterministic_operations(validation.seed(seed))
    for name, make in (("generator", generator), ("discriminator", discriminator)):
        if isinstance(make, keras.Model) or not callable(make):
            raise TypeError(
                f"`{name}` must be what makes a network. Received: {make!r:.200}. Use "
                "@tgs.networks.dcgan_generator and the like, without round brackets."
            )
    keras.utils.set_random_seed(validation.seed(seed) % 2**32)  # Keras takes no more bits.
    gan = GAN(generator(), discriminator(), latents=latents)
    gan.compile(seed=seed, **settings)
    return gan


class Prepared(NamedTuple):
    """A run that is built, and of which nothing is written yet.

    Attributes:
        gan: The compiled model.
        data: The examples.
        scores: What scores it.
        callbacks: What `fit` calls.
    """

    gan: GAN
    data: Batches
    scores: list[Any]
    callbacks: list[keras.callbacks.Callback]


@with_arguments_of(build)
def prepare(
    workdir: Workdir,
    started: Callable[[], None],
    *,
    data: Callable[[GAN], Batches],
    scores: Sequence[Callable[..., Any]] = (),
    score_every: str | int = "epoch",
    max_share: float | None = None,
    weights: str = LIVE,
    sample_rows: int = 8,
    sample_columns: int = 8,
    checkpoint_every: str | int = "epoch",
    keep_checkpoints: int = 3,
    guard: callbacks.DivergenceGuard | None = None,
    diagnostics: callbacks.Diagnostics | None = None,
    profile_steps: int = 0,
    strategy: tf.distribute.Strategy | None = None,
    **model: Any,
) -> Prepared:
    """Builds a run and writes nothing.

    Args:
        workdir: Where everything will be written.
        started: Called when the first step is done: everything works together.
        data: Returns the examples for a model.
        scores: What makes the scores of each epoch: called with `real=data`.
        score_every: When scores are computed: "epoch", or a number of steps, an integer >= 1.
        max_share: The largest share of the wall time that scores may take, in (0, 1]; as in
            `Evaluate`.
        weights: Which weights are drawn and saved: "live" or the name of an average.
        sample_rows: Rows of the grids of samples, an integer >= 1; 0 draws none. Texts come one on
            a line, rows times columns of them.
        sample_columns: Columns of the grids of samples, an integer >= 1.
        checkpoint_every: "epoch", or a number of steps, an integer >= 1.
        keep_checkpoints: How many checkpoints are kept, an integer >= 1.
        guard: Watches for numbers that are not finite; saves with the checkpoints, unless it has a
            directory of its own.
        diagnostics: Logs how well the training goes, and warns of a collapse.
        profile_steps: How many steps are profiled, an integer >= 0.
        strategy: Spreads the training over devices.
        **model: The arguments of `build`: networks, latents, seed, and what `GAN.compile` takes.

    Raises:
        TypeError: If the examples are no data set of `tgs.data`.
        ValueError: If an argument is out of range, or the data do not fit the networks.
    """
    # Also where nothing is scored or drawn, and before anything is built.
    validation.period("score_every", score_every)
    checked_share(max_share)
    integer("sample_columns", sample_columns)
    with (strategy or tf.distribute.get_strategy()).scope():
        gan = build(**model)
    gan.weights_in_use.check(weights)
    examples = data(gan)
    _check_data(examples, gan.pair)
    check_data(examples, None, gan.scheme, gan.top_k, gan.maker.classes)
    made_scores = [make(real=examples) for make in _checked_scores(scores)]
    run_callbacks: list[keras.callbacks.Callback] = [
        _Started(started),
        callbacks.RunLog(workdir.path),
    ]
    _check_callback("guard", guard, callbacks.DivergenceGuard)
    _check_callback("diagnostics", diagnostics, callbacks.Diagnostics)
    if guard is not None:
        guard.directory = guard.directory or workdir.checkpoints
        run_callbacks.append(guard)
    if diagnostics is not None:
        run_callbacks.append(diagnostics)
    if profile_steps:
        run_callbacks.append(callbacks.Profile(workdir.path / "profile", profile_steps))
    if made_scores:
        run_callbacks.append(callbacks.BestCheckpoint(workdir.best))
        run_callbacks.append(
            callbacks.Evaluate(made_scores, score_every, at_start=True, max_share=max_share)
        )
    if sample_rows:
        run_callbacks.append(_samples(workdir, examples, sample_rows, sample_columns, weights))
    if weights != LIVE:
        run_callbacks.append(callbacks.SwapWeights(weights, swap_on_epoch=True))
    run_callbacks.append(_SaveGenerator(workdir))
    run_callbacks.append(
        callbacks.Checkpoint(workdir.checkpoints, checkpoint_every, keep_checkpoints)
    )
    return Prepared(gan, examples, made_scores, run_callbacks)


@with_arguments_of(prepare)
def train(
    workdir: Workdir,
    ready: Callable[[], None],
    started: Callable[[], None],
    *,
    data: Batches,
    epochs: int = 1,
    steps_per_epoch: int | None = None,
    weights: str = LIVE,
    **run: Any,
) -> GAN:
    """Trains a GAN in a workdir, from where it stopped if it was trained there before.

    Gin files set every argument but the first three, as `tgs.train.epochs` and so on.

    Args:
        workdir: Where everything is written.
        ready: Called when everything is built and nothing is written yet; may refuse the run.
        started: Called when the first step is done: everything works together.
        data: The real examples.
        epochs: How long to train, an integer >= 1.
        steps_per_epoch: Steps between evaluations, an integer >= 1; one pass over the data unless
            given.
        weights: Which weights are drawn and saved: "live" or the name of an average.
        **run: The arguments of `prepare`: scores, samples, checkpoints, networks, and what
            `GAN.compile` takes.

    Returns:
        The trained model.

    Raises:
        TypeError: If `data` is no data set of `tgs.data`.
        ValueError: If an argument is out of range, or the data do not fit the networks; nothing has
            been written then.
        DivergenceError: If the guard stopped the run.
    """
    check_length(epochs, steps_per_epoch)
    gan, data, scores, run_callbacks = prepare(
        workdir, started, data=lambda gan: data, weights=weights, **run
    )
    ready()
    gan.fit(data, epochs=epochs, steps_per_epoch=steps_per_epoch, callbacks=run_callbacks)
    if is_chief(gan.distribute_strategy):
        with gan.using(weights):
            _save_generator(gan, workdir)
        print(report(workdir, gan, scores, weights))
    return gan


def _samples(
    workdir: Workdir, data: Batches, rows: int, columns: int, weights: str
) -> keras.callbacks.Callback:
    """Returns what shows samples as those of the data are shown: as pictures, or as text."""
    if data.characters is None:
        return callbacks.SampleGrid(workdir.samples, rows, columns, weights=weights)
    return callbacks.SampleText(workdir.samples, data.characters, rows * columns, weights)


def check_length(epochs: int, steps_per_epoch: int | None) -> None:
    """Raises ValueError unless both are whole numbers of epochs and steps."""
    integer("epochs", epochs)
    if steps_per_epoch is not None:
        integer("steps_per_epoch", steps_per_epoch)


def _checked_scores(scores: Any) -> Sequence[Callable[..., Any]]:
    """Returns `scores` if they make scores."""
    if not isinstance(scores, (list, tuple)) or not all(map(callable, scores)):
        raise TypeError(
            f"`scores` must be a list of what makes scores. Received: {scores!r:.200}. Use "
            "[@tgs.FID, @tgs.KID], in square brackets, and each without round ones."
        )
    return scores


def _check_callback(name: str, value: Any, kind: type) -> None:
    if value is not None and not isinstance(value, kind):
        raise TypeError(
            f"`{name}` must be a {kind.__name__}, or None. Received: {value!r:.200}. Use "
            f"@tgs.callbacks.{kind.__name__}(), with its brackets."
        )


def _check_data(data: Any, pair: Pair) -> None:
    """Refuses data that do not fit the networks."""
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
    if pair.conditional != isinstance(data.element_spec, tuple):
        wanted, given = ("", "none") if pair.conditional else ("no ", "some")
        raise ValueError(
            f"`data` must give {wanted}labels, since the networks take {wanted}class labels. "
            f"Received: {data.name!r} with {given}. Change `labels` of the data, or choose "
            "other networks."
        )


class _Started(keras.callbacks.Callback):
    """Calls a function when a step is done."""

    def __init__(self, started: Callable[[], None]) -> None:
        super().__init__()
        self._started = started
        self._called = False

    def steps_until_needed(self) -> int | None:
        """Returns 1 before the first step, then `None`."""
        return None if self._called else 1

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._called = True
        self._started()


class _SaveGenerator(keras.callbacks.Callback):
    """Saves the generator at each epoch's end, with the weights that are then in use."""

    chief_only = True

    def __init__(self, workdir: Workdir) -> None:
        super().__init__()
        self._workdir = workdir

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        _save_generator(self.model, self._workdir)


def _save_generator(gan: GAN, workdir: Workdir) -> None:
    with replacing(workdir.generator) as draft:
        with_keras_layers(gan.generator).save(draft)
