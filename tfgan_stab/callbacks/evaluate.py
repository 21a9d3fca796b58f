"""Scores the generator while it trains, and bounds what that costs."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tfgan_stab._utils import validation
from tfgan_stab.callbacks.base import Periodic, ScoreEvent, TextEvent
from tfgan_stab.evaluation.evaluate import Draw, baselines, measure, validate
from tfgan_stab.evaluation.real_images import read_real_images
from tfgan_stab.evaluation.results import ScoreResult, all_of
from tfgan_stab.evaluation.samples import Sample
from tfgan_stab.evaluation.score import Score
from tfgan_stab.training import distribution, workers
from tfgan_stab.training.averaging.swap import LIVE

SHARE = "evaluation_share"


class Evaluate(Periodic):
    """Scores the live weights and the averages side by side, every so often.

    The scores appear in Keras' logs (and so in the progress bar and the history) as "fid" for the
    live weights and "fid_ema" for an average called "ema". At each epoch's end "evaluation_share"
    is the fraction of the wall time that scoring has taken since `fit` began.

    Several scores share their work: images are drawn once for all that have the same seed, features
    extracted once, real images gone through once. On several replicas of this machine each draws
    and extracts batches of its own; the numbers do not depend on how many there are.

    Args:
        scores: One score or several, such as `tgs.FID(...)`; a `tgs.evaluation.Score`, or any
            function of batches of images that returns a `ScoreResult` and has a `name` and
            `samples`.
        every: "epoch", or a number of steps >= 1.
        weights: Which weights to score: "live" or names of averages, one or several; all there are
            unless given.
        at_start: Whether to score before the first step too, to see where training comes from.
        max_share: The largest fraction of the wall time that scoring may take, in (0, 1]; a score
            that would exceed it is postponed to the next time, so that the interval is stretched.
            `None` scores whenever it is time. The first score is always taken, and one after the
            last epoch.
        baseline: Whether to report, before the first score, what real images score against other
            real images: as an event, which `RunLog` writes to `events.jsonl`, and as `baselines`.
        labels: The conditions of the images that are scored, for a conditional pair; see
            `GAN.sample`. Unless given, each class comes as often as among the score's real images,
            where these have labels, and else in turn, as many of each. A score of one class takes
            it.

    Raises:
        TypeError: If something is no score.
        ValueError: If there is nothing to score, two scores have the same name, there are no
            weights of a given name, or `max_share` is out of range.

    Example:
        >>> import numpy as np, tfgan_stab as tgs
        >>> real = np.zeros([100, 8, 8, 1], "float32")
        >>> tgs.callbacks.Evaluate(tgs.FID("digits", real, samples=100), every=500).every
        500
    """

    def __init__(
        self,
        scores: Any,
        every: str | int = "epoch",
        weights: str | Sequence[str] | None = None,
        at_start: bool = False,
        max_share: float | None = None,
        baseline: bool = False,
        labels: Any = None,
    ):
        super().__init__(every)
        self.scores = list(scores) if isinstance(scores, (list, tuple)) else [scores]
        for score in self.scores:
            if not _is_score(score):
                raise TypeError(
                    f"`scores` must be scores such as tgs.FID('digits', real). Received: {score!r}."
                )
        self._check_names()
        self.at_start = at_start
        self._weights = [weights] if isinstance(weights, str) else weights
        if not self.scores or (weights is not None and not self._weights):
            raise ValueError(
                f"Evaluate needs a score and weights to score. Received: scores={scores!r}, "
                f"weights={weights!r}. Leave the callback out to score nothing."
            )
        self.share = TimeShare(max_share)
        self.postponed = 0
        self._is_due = False
        self.latest: list[ScoreEvent] = []
        self.baselines: list[ScoreResult] | None = None
        self._with_baseline = baseline
        self._labels = labels

    @property
    def weights(self) -> list[str]:
        """Which weights are scored."""
        return [LIVE, *self.gan.averages] if self._weights is None else list(self._weights)

    def set_model(self, model: Any) -> None:
        """Forgets the scores of another model."""
        if model is not self.model:
            self.latest = []
        super().set_model(model)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Checks that all weights can be sampled from, and that scores take such images."""
        super().on_train_begin(logs)
        self._match_classes()
        for name in self.weights:
            for sample in self._samples:
                # Draws nothing yet, but says if the weights or the conditions are not known.
                self._drawing(name)(sample)
        validate(self._sharing, self._drawing(self.weights[0]))
        self.postponed, self._is_due = 0, False
        self.share.begin()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Scores the start if asked: only now, when all listeners have been attached."""
        if self.at_start and self.gan.steps == 0:
            self.act({})

    def act(self, logs: dict[str, Any]) -> None:
        """Measures, publishes, and shows the numbers in the logs; or waits for the next time."""
        if workers.chiefs(self.gan.distribute_strategy, int(self.share.has_room)):
            self._score(logs)
        else:
            self._postpone()

    def _score(self, logs: dict[str, Any]) -> None:
        self._is_due = False
        with self.share.once():
            self._read_real_images()
        with self.share.again():
            self.latest = self.measure()
        for measurement in self.latest:
            self.gan.publish(measurement)
        self._show(logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measures if it is time; the epoch's logs hold the latest scores in any case.

        After the last epoch a postponed score is taken, whatever its share: it is what the run has
        come to.
        """
        super().on_epoch_end(epoch, logs)
        if self._is_due and epoch + 1 == self.params.get("epochs"):
            self._score({})
        if logs is not None:
            self._show(logs)
            logs[SHARE] = self.share.now

    def measure(self) -> list[ScoreEvent]:
        """Returns every score of every weights, now."""
        by_weights = {name: self._scored(name) for name in self.weights}
        # All weights of one score side by side.
        return [
            self._measurement(name, result, score)
            for number, score in enumerate(self.scores)
            for name in self.weights
            for result in by_weights[name][number]
        ]

    def _read_real_images(self) -> None:
        compared = [each.reading() for each in self._components if each.compares]
        read_real_images(compared, self._devices, self._shows_progress)
        if self._with_baseline and self.baselines is None:
            found = baselines(self._sharing, self._devices, self._shows_progress)
            self.baselines = [result for results in found for result in results]
            self._publish_baselines(self.baselines)

    def _publish_baselines(self, results: Sequence[ScoreResult]) -> None:
        numbers = ", ".join(f"{result.name} {result.value:.4g}" for result in results)
        self._publish_event(
            "baseline",
            f"Real images score against other real images: {numbers or 'nothing that was asked'}.",
            {
                result.name: {"value": result.value, "protocol": str(result.protocol)}
                for result in results
            },
        )

    def _publish_event(self, kind: str, text: str, details: dict[str, Any]) -> None:
        self.gan.publish(TextEvent(self.gan.steps, self.gan.clock.seconds, kind, text, details))

    @property
    def _sharing(self) -> list[Any]:
        """The scores that share images, features and passes over the real images."""
        return [score for score in self.scores if _shares(score)]

    @property
    def _components(self) -> list[Score]:
        return [each for score in self._sharing for each in score.components]

    @property
    def _samples(self) -> list[Sample]:
        """The images that scores ask for."""
        alone = [_sample_of(score) for score in self.scores if not _shares(score)]
        return [*(each.sample for each in self._components), *alone]

    def _match_classes(self) -> None:
        """Has scores ask for the classes of their real images, by name."""
        for score in self._sharing:
            score.match(self.gan.generated_classes, self._labels)

    @property
    def _devices(self) -> list[str]:
        return distribution.local_devices(self.gan.distribute_strategy)

    @property
    def _shows_progress(self) -> bool:
        return bool((self.params or {}).get("verbose"))

    def _scored(self, weights: str) -> list[list[ScoreResult]]:
        """Returns the results of each score for one weights."""
        draw = self._drawing(weights)
        found = measure(self._sharing, draw, devices=self._devices, show=self._shows_progress)
        shared = iter(found)
        return [
            next(shared) if _shares(score) else self._alone(score, draw) for score in self.scores
        ]

    def _drawing(self, weights: str) -> Draw:
        """Returns what draws the images that a score asks for."""

        def draw(sample: Sample) -> Iterator[np.ndarray]:
            labels = sample.labels
            return self.gan.sample_batches(
                sample.count,
                weights=weights,
                seed=sample.seed,
                labels=self._labels if labels is None else labels,
                devices=self._devices,
            )

        return draw

    def _alone(self, score: Any, draw: Draw) -> list[ScoreResult]:
        """Returns the results of a score that is a mere function of images."""
        return all_of(score(draw(_sample_of(score))))

    def _measurement(self, weights: str, result: ScoreResult, score: Any) -> ScoreEvent:
        larger = result.larger_is_better
        if not _shares(score):
            larger = larger or getattr(score, "larger_is_better", False)
        return ScoreEvent(
            self.gan.steps,
            self.gan.images_seen,
            self.gan.clock.seconds,
            weights,
            result,
            larger,
        )

    def _postpone(self) -> None:
        self._is_due = True
        self.postponed += 1
        if self.postponed > 1:
            return
        cost, share = self.share.last_cost, self.share.now
        self._publish_event(
            "evaluation_postponed",
            f"Scoring takes {cost:.1f} s and has taken {share:.0%} of the time so far. It waits, "
            f"to stay below max_share={self.share.largest}.",
            {"seconds_per_score": cost, "share": share, "max_share": self.share.largest},
        )

    def _check_names(self) -> None:
        names = [name for score in self.scores for name in getattr(score, "names", [score.name])]
        if len(set(names)) < len(names):
            raise ValueError(
                f"Scores must have different names, which tell them apart in logs. Received: "
                f"{names}. Rename one: score.name = ..."
            )

    def _show(self, logs: dict[str, Any]) -> None:
        logs.update({measurement.label: measurement.result.value for measurement in self.latest})


def _is_score(score: Any) -> bool:
    if isinstance(score, type):
        return False
    return _shares(score) or (
        callable(score) and hasattr(score, "name") and hasattr(score, "samples")
    )


def _sample_of(score: Any) -> Sample:
    """Returns the images that a score which shares none asks for."""
    return Sample(score.samples, getattr(score, "seed", 0))


def _shares(score: Any) -> bool:
    """Whether a score is made of components that can share images with others."""
    return hasattr(score, "components") and hasattr(score, "collect")


def checked_share(largest: float | None) -> float | None:
    """Returns the largest fraction of the wall time that scoring may take; `None` for any.

    Args:
        largest: That fraction, in (0, 1], or `None`.

    Raises:
        ValueError: If it is out of range.
    """
    if largest is not None:
        fix = "Use 0.1 for a tenth of the wall time, or None for any."
        validation.number("max_share", largest, above=0.0, most=1.0, fix=fix)
    return largest


class TimeShare:
    """Which fraction of the wall time a recurring piece of work takes, and whether it may go on.

    Args:
        largest: The largest fraction of the wall time it may take, in (0, 1]; `None` for any.
        now: Tells the time in seconds.

    Raises:
        ValueError: If `largest` is out of range.

    Example:
        >>> share = TimeShare(0.1)
        >>> share.begin()
        >>> share.has_room
        True
    """

    def __init__(
        self, largest: float | None = None, now: Callable[[], float] = time.perf_counter
    ) -> None:
        self.largest = checked_share(largest)
        self._now = now
        self.begin()

    def begin(self) -> None:
        """Counts from now on."""
        self._began = self._now()
        self._spent = 0.0
        self.last_cost = 0.0

    @property
    def now(self) -> float:
        """The fraction of the wall time that the work has taken so far."""
        elapsed = self._now() - self._began
        return self._spent / elapsed if elapsed > 0 else 0.0

    @property
    def has_room(self) -> bool:
        """Whether the work may be done now; it is expected to cost what it did the last time."""
        if self.largest is None or not self.last_cost:
            return True
        elapsed = self._now() - self._began + self.last_cost
        return self._spent + self.last_cost <= self.largest * elapsed

    @contextlib.contextmanager
    def once(self) -> Iterator[None]:
        """Counts what is done inside, and will not be done again."""
        before = self._now()
        yield
        self._spent += self._now() - before

    @contextlib.contextmanager
    def again(self) -> Iterator[None]:
        """Counts what is done inside, and notes what it costs."""
        before = self._now()
        yield
        self.last_cost = self._now() - before
        self._spent += self.last_cost
