"""What an average is: a rule that says how much the newest weights count."""

import abc
import dataclasses
import math
from typing import Any, ClassVar, NamedTuple

import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab._utils.serialization import Serializable


class Point(NamedTuple):
    """Weights that an average takes in, and what lies between them and those before.

    All are int64 scalars. They count from the average's start.

    Attributes:
        number: Which point this is, 1 for the first.
        step: Steps done, counted from the beginning of training.
        steps: Steps since the point before; 1 unless the average waits for synchronizations.
        images: Real examples of those steps, of all minibatches on all replicas.
        all_steps: Steps since the start, up to this point.
        all_images: Real examples since the start, up to this point.
    """

    number: tf.Tensor
    step: tf.Tensor
    steps: tf.Tensor
    images: tf.Tensor
    all_steps: tf.Tensor
    all_images: tf.Tensor


AT = ("step", "sync")
BATCH_STATISTICS = ("average", "copy", "recalibrate")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Average(Serializable, abc.ABC):
    """A rule for averaging weights over steps, with the settings that all rules have.

    See `tgs.ExponentialAverage` for them. Derive from it to write your own: a frozen dataclass with
    `weight_of_point`.

    Attributes:
        precision: What averages are kept in, where the weights are not more precise already.
    """

    start: int = 0
    at: str = "step"
    batch_statistics: str = "average"
    recalibration_batches: int = 16
    recalibration_batch_size: int = 64
    discriminator: bool = False

    precision: ClassVar[str] = "float32"

    def __post_init__(self) -> None:
        validation.integer(
            "start", self.start, least=0, unit="steps", fix="Use 0 to average from the first step."
        )
        validation.choice(
            "at",
            self.at,
            AT,
            'Use "step" to update after each one, "sync" after those in which a Lookahead '
            "synchronizes.",
        )
        validation.choice(
            "batch_statistics",
            self.batch_statistics,
            BATCH_STATISTICS,
            'Use "average" to treat them like weights, "copy" for the live ones, "recalibrate" to '
            "measure them under the averaged weights.",
        )
        for name, least in (("recalibration_batches", 1), ("recalibration_batch_size", 2)):
            default = type(self).__dataclass_fields__[name].default
            validation.integer(name, getattr(self, name), least=least, fix=f"Use {default}.")
        validation.choice(
            "discriminator",
            self.discriminator,
            (True, False),
            "Use True to average the discriminator's weights too.",
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Returns the average that a configuration describes."""
        # Version 0.1 called a step a round.
        renamed = {"round": "step", "rounds": "steps"}
        for name in config.keys() & {"at", "unit"}:
            config = {**config, name: renamed.get(config[name], config[name])}
        return super().from_config(config)

    @abc.abstractmethod
    def weight_of_point(self, point: Point) -> tf.Tensor:
        """Returns the weight in [0, 1] that a point's weights get."""

    def share_of_start(self, points: int, steps: int, images: float | None = None) -> float | None:
        """Returns how much of the average is still the copy that it started from.

        Args:
            points: Updates since the start.
            steps: Steps since the start.
            images: Images since the start, if they are known.

        Returns:
            A number in [0, 1]; `None` if it is not known.
        """
        del points, steps, images
        return None

    @property
    def faster(self) -> str:
        """What to change so that it forgets faster."""
        return "a rule that forgets faster"

    def update_period(self, synchronization_period: int | None) -> int:
        """Returns how many steps lie between the average's updates.

        Args:
            synchronization_period: Steps between a scheme's synchronizations; `None` without any.

        Raises:
            ValueError: If the average waits for synchronizations that never come.
        """
        if self.at == "step":
            return 1
        if synchronization_period is None:
            raise ValueError(
                f"{self!r} is updated when a Lookahead synchronizes. Received: a scheme that never "
                'does. Wrap it, tgs.Lookahead(scheme, sync_period=5), or use at="step".'
            )
        return synchronization_period


def check_averages(averages: Any) -> dict[str, Average]:
    """Returns the averages by name.

    Raises:
        ValueError: If a name is not usable, "live" included, which names the trained weights.
        TypeError: If it is no dictionary of averages.
    """
    if averages is None:
        return {}
    if not isinstance(averages, dict) or not all(
        isinstance(average, Average) for average in averages.values()
    ):
        raise TypeError(
            '`averages` must be a dictionary such as {"ema": tgs.ExponentialAverage(0.999)}. '
            f"Received: {averages!r}."
        )
    for name in averages:
        if name == "live" or not isinstance(name, str) or not name.isidentifier():
            raise ValueError(
                "A name of `averages` must be an identifier other than 'live', which means the "
                f"trained weights. Received: {name!r}. Use a name such as 'ema'."
            )
    return dict(averages)


DEFAULT_DECAY = 0.999


@dataclasses.dataclass(frozen=True)
class ExponentialAverage(Average):
    """Follows the weights slowly: an exponential moving average.

    After each step, with a decay of beta::

        average <- beta average + (1 - beta) weights

    With a half-life of h steps or images, `beta = 0.5 ** (n / h)` where n are the steps or images
    since the update before: batches of any size, minibatches and synchronizations included, age the
    average alike.

    Args:
        decay: What is kept per update, in [0, 1). The paper's beta. 0.999 (the default unless a
            half-life is given) suits thousands of steps, 0.9999 hundreds of thousands.
        half_life: Instead of a decay: after how many steps or images weights count half as much, a
            number > 0.
        unit: What the half-life counts, "steps" or "images" (real examples, of all minibatches
            on all replicas).
        warmup: "copy" starts from a copy of the weights, as the paper does: about `1 / (1 - beta)`
            steps pass before the average means something. "unbiased" averages the weights since
            `start` only: the first replace the copy, and later every share is divided by
            `1 - beta^t` as in Adam's bias correction, so that weights count exactly as much as
            their age says.
        start: Steps during which the average stays a copy of the weights, an integer >= 0.
        at: "step" to take in the weights after each step; "sync" only after those steps in which
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
        >>> ExponentialAverage(half_life=1000).share_of_start(points=2000, steps=2000)
        0.25
        >>> ExponentialAverage(0.5, warmup="unbiased").share_of_start(points=1, steps=1)
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
    unit: str = "steps"
    warmup: str = "copy"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.half_life is None:
            if self.decay is None:
                object.__setattr__(self, "decay", DEFAULT_DECAY)
            self._check_decay()
        else:
            self._check_half_life(self.half_life)
        validation.choice(
            "warmup",
            self.warmup,
            ("copy", "unbiased"),
            'Use "copy" to start from a copy of the weights, "unbiased" to average only what comes '
            "after `start`.",
        )

    def _check_decay(self) -> None:
        validation.number(
            "decay",
            self.decay,
            least=0,
            below=1,
            fix="It is the part of the average that is kept per update. Use 0.999 for thousands of "
            "steps.",
        )
        if self.unit != "steps":
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
        validation.number(
            "half_life",
            half_life,
            above=0,
            unit="steps or images",
            fix="Use, for instance, half_life=700, which is a decay of 0.999.",
        )
        validation.choice("unit", self.unit, ("steps", "images"))

    @property
    def _rate(self) -> float:
        """How fast the average forgets: its half-life's unit in powers of 1 / e."""
        if self.half_life is not None:
            return math.log(2.0) / self.half_life
        return -math.log(self.decay) if self.decay else math.inf

    def _of(self, points: Any, steps: Any, images: Any) -> Any:
        """Returns whichever of the three the rate belongs to."""
        if self.half_life is None:
            return points
        return steps if self.unit == "steps" else images

    def share_of_start(self, points: int, steps: int, images: float | None = None) -> float | None:
        """Returns how much of the average is still the copy that it started from.

        Args:
            points: Updates since the start.
            steps: Steps since the start.
            images: Images since the start, if they are known.

        Returns:
            A number in [0, 1]; `None` if it depends on images that are not known.
        """
        amount = self._of(points, steps, images)
        if amount is None or amount <= 0:
            return None if amount is None else 1.0
        return 0.0 if self.warmup == "unbiased" else round(math.exp(-self._rate * amount), 12)

    @property
    def faster(self) -> str:
        """What to change so that it forgets faster."""
        if self.half_life is None:
            return f'a smaller decay than {self.decay}, warmup="unbiased"'
        return f'a smaller half-life than {self.half_life:g} {self.unit}, warmup="unbiased"'

    def weight_of_point(self, point: Point) -> tf.Tensor:
        """Returns `1 - beta`; in an unbiased average divided by one minus the product of betas."""
        share = self._forgotten(self._of(1, point.steps, point.images))
        if self.warmup == "copy":
            return share
        total = self._of(point.number, point.all_steps, point.all_images)
        return share / self._forgotten(total)

    def _forgotten(self, amount: Any) -> tf.Tensor:
        if not tf.is_tensor(amount):
            return tf.constant(-math.expm1(-self._rate * amount), tf.float64)
        return -tf.math.expm1(-self._rate * tf.cast(amount, tf.float64))


@dataclasses.dataclass(frozen=True)
class UniformAverage(Average):
    """The plain mean of the weights after each step since `start`.

    The n-th point counts 1 / n, so that the first replaces the copy::

        average <- average + (weights - average) / n

    Args:
        start: Steps during which the average stays a copy of the weights, an integer >= 0. Early
            weights spoil the mean for as long as it runs: the source starts after a tenth of it.
        at: As in `tgs.ExponentialAverage`.
        batch_statistics: As there: "average", "copy" or "recalibrate".
        recalibration_batches: As there.
        recalibration_batch_size: As there.
        discriminator: As there.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.UniformAverage(start=1000).start
        1000

    Precision: float64, which takes twice the memory of the weights. A mean in float32 stands still
        where weights differ from it by less than 6e-8 n of it: of a million steps whose weights
        shift by 1 % on the way it was 0.6 % off, where float64 was right to 1e-13.
    Source: Yazici et al. 2019, arXiv 1806.04498, their moving average and its code, where it starts
        at iteration 50,000 of 500,000.
    Departures: float64; spectral-norm vectors, seeds and whatever else is neither trained nor a
        batch statistic are copied.
    """

    start: int = 0

    precision: ClassVar[str] = "float64"

    def weight_of_point(self, point: Point) -> tf.Tensor:
        """Returns `1 / n`."""
        return 1.0 / tf.cast(point.number, tf.float64)
