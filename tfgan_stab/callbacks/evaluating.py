"""Scores the generator while it trains."""

from collections.abc import Sequence
from typing import Any

from tfgan_stab.callbacks.periodic import Measurement, Periodic
from tfgan_stab.swapping import LIVE


class Evaluate(Periodic):
    """Scores the live weights and the averages side by side, every so often.

    The scores appear in Keras' logs (and so in the progress bar and the history) as "fid" for the
    live weights and "fid_ema" for an average called "ema".

    Args:
        scores: One score or several, such as `tgs.FID(...)`.
        every: "epoch", or a number of rounds >= 1.
        weights: Which weights to score: "live" or names of averages, one or several; all there are
            unless given.
        at_start: Whether to score before the first round too, to see where training comes from.

    Raises:
        TypeError: If something is no score.
        ValueError: If there is nothing to score, two scores have the same name, or there are no
            weights of a given name.

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
    ):
        super().__init__(every)
        self.scores = list(scores) if isinstance(scores, (list, tuple)) else [scores]
        for score in self.scores:
            if not callable(score) or not all(hasattr(score, a) for a in ("name", "samples")):
                raise TypeError(
                    f"`scores` must be scores such as tgs.FID('digits', real). Received: {score!r}."
                )
        names = [score.name for score in self.scores]
        if len(set(names)) < len(names):
            raise ValueError(
                f"Scores must have different names, which tell them apart in logs. Received: "
                f"{names}. Rename one: score.name = ..."
            )
        self.at_start = at_start
        self._weights = [weights] if isinstance(weights, str) else weights
        if not self.scores or (weights is not None and not self._weights):
            raise ValueError(
                f"Evaluate needs a score and weights to score. Received: scores={scores!r}, "
                f"weights={weights!r}. Leave the callback out to score nothing."
            )
        self.latest: list[Measurement] = []

    @property
    def weights(self) -> list[str]:
        """Which weights are scored."""
        return [LIVE, *self.gan.averages] if self._weights is None else list(self._weights)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Checks that all weights can be sampled from before anything is trained."""
        super().on_train_begin(logs)
        for name in self.weights:
            # Draws nothing yet, but says if the weights or the classes are not known.
            self.gan.sample_batches(1, weights=name)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Scores the start if asked: now, when whoever listens has begun to, wherever it stands."""
        if self.at_start and self.gan.rounds == 0:
            self.act({})

    def act(self, logs: dict[str, Any]) -> None:
        """Measures, publishes, and shows the numbers in the logs."""
        self.latest = self.measure()
        for measurement in self.latest:
            self.gan.publish(measurement)
        self._show(logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measures if it is time; the epoch's logs hold the latest scores in any case."""
        super().on_epoch_end(epoch, logs)
        if logs is not None:
            self._show(logs)

    def measure(self) -> list[Measurement]:
        """Returns every score of every weights, now."""
        return [self._measured(score, name) for score in self.scores for name in self.weights]

    def _measured(self, score: Any, weights: str) -> Measurement:
        seed = getattr(score, "seed", 0)
        result = score(self.gan.sample_batches(score.samples, weights=weights, seed=seed))
        return Measurement(
            self.gan.rounds,
            self.gan.images_seen,
            self.gan.clock.seconds,
            weights,
            result,
            getattr(score, "larger_is_better", False),
        )

    def _show(self, logs: dict[str, Any]) -> None:
        logs.update({measurement.label: measurement.result.value for measurement in self.latest})
