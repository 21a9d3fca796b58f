"""The average that forgets: recent weights count more."""

import dataclasses
import math
from typing import Any

import tensorflow as tf

from tfgan_stab.averaging.rule import CommonSettings, Point

DEFAULT_DECAY = 0.999


@dataclasses.dataclass(frozen=True)
class ExponentialAverage(CommonSettings):
    """Follows the weights slowly: an exponential moving average.

    After each round, with a decay of beta::

        average <- beta average + (1 - beta) weights

    With a half-life of h rounds or images, `beta = 0.5 ** (n / h)` where n are the rounds or images
    since the update before: batches of any size, parts and synchronizations included, age the
    average alike.

    Args:
        decay: What is kept per update, in [0, 1). The paper's beta. 0.999 (the default unless a
            half-life is given) suits thousands of rounds, 0.9999 hundreds of thousands.
        half_life: Instead of a decay: after how many rounds or images weights count half as much, a
            number > 0.
        unit: What the half-life counts, "rounds" or "images" (real examples, of all parts on all
            replicas).
        warmup: "copy" starts from a copy of the weights, as the paper does: about `1 / (1 - beta)`
            rounds pass before the average means something. "unbiased" averages the weights since
            `start` only: the first replace the copy, and later every share is divided by
            `1 - beta^t` as in Adam's bias correction, so that weights count exactly as much as
            their age says.
        start: Rounds during which the average stays a copy of the weights, an integer >= 0.
        at: "round" to take in the weights after each round; "sync" only after those rounds in which
            a `Lookahead` synchronizes, when fast and slow weights are the same (lookahead-minmax's
            EMA-slow). With a period of k the same decay then lasts k times as long; a half-life
            lasts as long as it says.
        batch_statistics: What becomes of the moving means and variances of batch normalization:
            "average" treats them like weights, "copy" takes the live ones, "recalibrate" measures
            them under the averaged weights when they are first used.
        recalibration_batches: Batches to measure them over, an integer >= 1, for "recalibrate".
        recalibration_batch_size: Examples in each of these, an integer >= 2; best as in training.
        discriminator: Whether to average the discriminator's weights too. Swapping then swaps both
            networks.

    Raises:
        ValueError: If an argument is outside its range, or both `decay` and `half_life` are given.

    Example:
        >>> ExponentialAverage(half_life=1000).kept(points=2000, rounds=2000)
        0.25
        >>> ExponentialAverage(0.5, warmup="unbiased").kept(points=1, rounds=1)
        0.0

    Precision: float32 (float64 for weights in float64). Weights that differ from their average by
        less than 6e-8 / (1 - beta) of it are not followed; that is 6e-4 at 0.9999.
    Source: Yazici et al. 2019, arXiv 1806.04498, equation 2 (number from memory); the batch
        statistics as in their code; "sync": Chavdarova et al. 2021, arXiv 2006.14567, their code;
        bias correction: Kingma & Ba 2015, arXiv 1412.6980, algorithm 1.
    Departures: all but `decay` and "sync" is ours. Spectral-norm vectors, seeds and whatever else
        is neither trained nor a batch statistic are copied.
    """

    decay: float | None = None
    _: dataclasses.KW_ONLY
    half_life: float | None = None
    unit: str = "rounds"
    warmup: str = "copy"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.half_life is None:
            if self.decay is None:
                object.__setattr__(self, "decay", DEFAULT_DECAY)
            self._check_decay()
        else:
            self._check_half_life(self.half_life)
        if self.warmup not in ("copy", "unbiased"):
            raise ValueError(
                '`warmup` must be "copy" (start from a copy of the weights) or "unbiased" (average '
                f"only what comes after `start`). Received: {self.warmup!r}."
            )

    def _check_decay(self) -> None:
        if not _is_number(self.decay) or not 0.0 <= self.decay < 1.0:  # type: ignore[operator]
            raise ValueError(
                "`decay` must be in [0, 1), the part of the average that is kept per round. "
                f"Received: {self.decay!r}. Use 0.999 for thousands of rounds."
            )
        if self.unit != "rounds":
            raise ValueError(
                "`unit` says what `half_life` counts. Received: "
                f"unit={self.unit!r} without a half-life. Give half_life=..., or leave `unit` out."
            )

    def _check_half_life(self, half_life: float) -> None:
        if self.decay is not None:
            raise ValueError(
                "An average has a `decay` or a `half_life`. Received: both, "
                f"decay={self.decay!r} and half_life={half_life!r}. Leave one out, or None."
            )
        if not _is_number(half_life) or not 0.0 < half_life < math.inf:
            raise ValueError(
                "`half_life` must be a number > 0 of rounds or images. Received: "
                f"{half_life!r}. Use, for instance, half_life=700, which is a decay of 0.999."
            )
        if self.unit not in ("rounds", "images"):
            raise ValueError(
                '`unit` must be "rounds" or "images", what the half-life counts. Received: '
                f"{self.unit!r}."
            )

    @property
    def _rate(self) -> float:
        """How fast the average forgets: its half-life's unit in powers of 1 / e."""
        if self.half_life is not None:
            return math.log(2.0) / self.half_life
        return -math.log(self.decay) if self.decay else math.inf

    def _of(self, points: Any, rounds: Any, images: Any) -> Any:
        """Returns whichever of the three the rate belongs to."""
        if self.half_life is None:
            return points
        return rounds if self.unit == "rounds" else images

    def kept(self, points: int, rounds: int, images: float | None = None) -> float | None:
        """Returns how much of the average is still the copy that it started from.

        Args:
            points: Updates since the start.
            rounds: Rounds since the start.
            images: Images since the start, if they are known.

        Returns:
            A number in [0, 1]; `None` if it depends on images that are not known.
        """
        amount = self._of(points, rounds, images)
        if amount is None or amount <= 0:
            return None if amount is None else 1.0
        return 0.0 if self.warmup == "unbiased" else round(math.exp(-self._rate * amount), 12)

    def weight_of_point(self, point: Point) -> tf.Tensor:
        """Returns `1 - beta`; in an unbiased average divided by one minus the product of betas."""
        share = self._forgotten(self._of(1, point.rounds, point.images))
        if self.warmup == "copy":
            return share
        total = self._of(point.number, point.all_rounds, point.all_images)
        return share / self._forgotten(total)

    def _forgotten(self, amount: Any) -> tf.Tensor:
        if not tf.is_tensor(amount):
            return tf.constant(-math.expm1(-self._rate * amount), tf.float64)
        return -tf.math.expm1(-self._rate * tf.cast(amount, tf.float64))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
