"""From the batch that `fit` hands over to the minibatches of a step, each with its noise.

Noise is a pure function of the seed, the step and the minibatch, drawn for all replicas and sliced:
a resumed run draws what the uninterrupted one would have drawn, and N replicas with a share of the
batch each what one with the whole batch would have drawn.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgan_stab._utils import random
from tfgan_stab.game import top_k
from tfgan_stab.game.augmentation import Augmentation, AugmentationNoise
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.penalties.base import LossPenalty
from tfgan_stab.game.validation import Pair
from tfgan_stab.training import data_checks, distribution, label_checks
from tfgan_stab.updates.scheme import Scheme


@dataclasses.dataclass(frozen=True)
class MinibatchMaker:
    """Makes a step's minibatches.

    Attributes:
        pair: What the networks expect.
        scheme: Says how many minibatches a step has.
        sampler: Draws latents.
        penalties: The loss penalties, which have noise of their own.
        top_k: Which fake images the generator learns from; `None` for all.
        seed: Decides all noise.
        active: Whether penalties are active, by their interval, where that is known.
        classes: For how many classes the networks are made; `None` if that is not known.
        checks: Whether batches are checked here, and not before.
        augment: Changes the images that the discriminator sees; `None` for no changes.
        fake_labels: Draws the fake images' classes, function `(count, key)`; `None` where they are
            those of the real ones.
    """

    pair: Pair
    scheme: Scheme
    sampler: Callable[..., tf.Tensor]
    penalties: Sequence[LossPenalty]
    top_k: top_k.TopK | None
    seed: int
    active: Mapping[int, bool] = dataclasses.field(default_factory=dict)
    classes: int | None = None
    checks: bool = True
    augment: Augmentation | None = None
    fake_labels: Callable[..., tf.Tensor] | None = None

    def checked(self, data: Any) -> Any:
        """Returns a batch whose labels arrive only if all are classes of the networks."""
        known = self.checks and self.classes is not None
        return label_checks.with_classes(data, self.classes) if known else data

    def checked_for_step(self, data: Any) -> Any:
        """Returns a batch that arrives only if it can be split, and labels are classes."""
        return self.checked(_splittable(data, self.scheme) if self.checks else data)

    def make(
        self, data: Any, steps: tf.Tensor, epochs: tf.Tensor, probability: Any = 1.0
    ) -> list[Minibatch]:
        """Splits a batch into the minibatches that the scheme asks for, and draws their noise.

        Args:
            data: What Keras hands to `train_step`: examples, or `(examples, conditions)`;
                minibatches follow one another along axis 0.
            steps: int64 scalar, the steps done before this one.
            epochs: int64 scalar, epochs done.
            probability: How probable each change of an image is now.

        Raises:
            TypeError: If examples are no floats, or conditions of another kind.
            ValueError: If shapes do not fit, or the batch cannot be split evenly.
        """
        images, labels = unpack(data, self.pair)
        return [
            self.prepare(
                Minibatch(own, classes, self.latents(own, random.TRAINING, steps, number)),
                number,
                steps,
                epochs,
                probability,
            )
            for number, (own, classes) in enumerate(_split(images, labels, self.scheme))
        ]

    def prepare(
        self,
        minibatch: Minibatch,
        number: int,
        steps: tf.Tensor,
        epochs: tf.Tensor,
        probability: Any = 1.0,
    ) -> Minibatch:
        """Returns a minibatch with its number, all its noise, which penalties are active, and k.

        Args:
            minibatch: Images, conditions and latents.
            number: Its number in the step, from 0.
            steps: int64 scalar, the steps done before this one.
            epochs: int64 scalar, epochs done.
            probability: How probable each change of an image is now.
        """
        noise = []
        for place, penalty in enumerate(self.penalties):
            key = random.key(self.seed, random.PENALTIES, steps, number, place)
            count = tf.shape(minibatch.real_images)[0]
            noise.append(rows_of_replica(_noise_of(penalty, minibatch), count, key))
        known = self.active
        if tf.executing_eagerly():
            known = {i: bool(steps % i == 0) for i in self._intervals}
        return minibatch._replace(
            noise=tuple(noise),
            active=tuple(p.interval == 1 or known[p.interval] for p in self.penalties),
            num_kept=self._num_kept(minibatch, steps, epochs),
            number=tf.convert_to_tensor(
                number + self.scheme.minibatches * distribution.replica_number()
            ),
            augmentation=self._augmentation(minibatch, steps, number, probability),
            fake_labels=self.labels_for_fake_images(
                minibatch.real_images, random.TRAINING, steps, number
            ),
        )

    def _augmentation(
        self, minibatch: Minibatch, steps: tf.Tensor, number: int, probability: Any
    ) -> tuple:
        """Returns what images are changed by: noise for the real ones, other for the fake ones."""
        if self.augment is None:
            return ()
        count = tf.shape(minibatch.real_images)[0]
        keys = [random.key(self.seed, random.AUGMENTING, steps, number, i) for i in range(2)]
        real, fake = (rows_of_replica(self.augment.noise, count, key) for key in keys)
        return AugmentationNoise(real, fake, probability)

    @property
    def _intervals(self) -> list[int]:
        """The intervals of lazy penalties, each once."""
        return sorted({penalty.interval for penalty in self.penalties} - {1})

    @property
    def patterns(self) -> list[dict[int, bool]]:
        """Which lazy penalties are active in the same step, by their intervals: all there are.

        Penalties of intervals S are active together, and no others, in some step if none of the
        other intervals divides the least common multiple of S.
        """
        every = self._intervals
        found = []
        for active in itertools.product((False, True), repeat=len(every)):
            period = math.lcm(*itertools.compress(every, active))
            if all(on or period % i for i, on in zip(every, active, strict=True)):
                found.append(dict(zip(every, active, strict=True)))
        return found

    @property
    def is_undecided(self) -> bool:
        """Whether a graph is built in which it is not known which penalties are active."""
        return not tf.executing_eagerly() and any(i not in self.active for i in self._intervals)

    def next_pattern(self, steps: tf.Tensor) -> tf.Tensor:
        """Returns the place in `patterns` of the one that comes next, an int32 scalar."""
        active = [tf.equal(steps % i, 0) for i in self._intervals]
        same = [tf.reduce_all(tf.equal(active, list(each.values()))) for each in self.patterns]
        return tf.argmax(same, output_type=tf.int32)

    def latents(self, like: tf.Tensor, *counters: Any) -> tf.Tensor:
        """Returns this replica's latents for as many examples as `like` has rows.

        Args:
            like: float `[batch, ...]`.
            *counters: What the noise belongs to: a purpose, the step, the minibatch.
        """
        key = random.key(self.seed, *counters)
        return rows_of_replica(self.sampler, tf.shape(like)[0], key)

    def labels_for_fake_images(self, like: tf.Tensor, *counters: Any) -> tf.Tensor | None:
        """Returns this replica's conditions of the fakes; `None` where they are the real ones'.

        Args:
            like: float `[batch, ...]`.
            *counters: What the latents belong to that the fakes are made from.
        """
        if self.fake_labels is None or self.pair.condition is None:
            return None
        key = random.key(self.seed, random.FAKE_LABELS, *counters)
        classes = rows_of_replica(self.fake_labels, tf.shape(like)[0], key, "int32")
        return self.pair.condition.of_classes(classes)

    def k(self, images: tf.Tensor, steps: tf.Tensor, epochs: tf.Tensor) -> list[tf.Tensor]:
        """Returns top-k's k for so many fakes of all replicas, float64; nothing without top-k."""
        if self.top_k is None:
            return []
        return [self.top_k.k(images, self.top_k.times_shrunk(steps, epochs))]

    def _num_kept(
        self, minibatch: Minibatch, steps: tf.Tensor, epochs: tf.Tensor
    ) -> tf.Tensor | None:
        if self.top_k is None:
            return None
        times = self.top_k.times_shrunk(steps, epochs)
        images = minibatch.real_images
        if self.top_k.scope == "global":
            return top_k.rounded(self.top_k.k(distribution.rows_of(images).total, times))
        replicas = distribution.num_replicas()
        own = self.top_k.k(tf.shape(images)[0] * replicas, times)
        return top_k.rounded(own / replicas)


def _noise_of(penalty: LossPenalty, minibatch: Minibatch) -> Callable[..., Any]:
    image, latent = _sizes(minibatch.real_images), _sizes(minibatch.latents)
    return lambda count, key: penalty.noise(count, image, latent, key)


def _sizes(values: tf.Tensor) -> list[Any]:
    """Returns the shape of one row; sizes that the graph does not know as tensors."""
    known = list(enumerate(values.shape))[1:]
    return [tf.shape(values)[axis] if size is None else size for axis, size in known]


def rows_of_replica(
    sampler: Callable[..., Any], count: Any, key: tf.Tensor, dtype: str | None = None
) -> Any:
    """Returns this replica's rows of the noise that all replicas share, nested `[count, ...]`.

    Drawing the whole and keeping some makes N replicas see what one would have seen.

    Args:
        sampler: Function `(count, key) -> nested tensors [count, ...]`.
        count: This replica's rows.
        key: int32 `[2]`.
        dtype: The type of what is returned; the float type of Keras unless given.
    """
    first = distribution.replica_number() * count
    return tf.nest.map_structure(
        lambda drawn: tf.cast(drawn[first : first + count], dtype or keras.config.floatx()),
        sampler(count * distribution.num_replicas(), key),
    )


def unpack(data: Any, pair: Pair) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns a batch's examples and conditions, as the networks expect them.

    Args:
        data: What Keras hands to `train_step`: examples, or `(examples, conditions)`.
        pair: What the networks expect.

    Raises:
        TypeError: If examples are no floats, or conditions of another kind.
        ValueError: If shapes do not fit, or conditions are missing, superfluous or weighted.
    """
    images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
    check_batch(images, labels, weights, pair)
    # Where no graph is built, Keras hands over arrays.
    images, labels = (None if v is None else tf.convert_to_tensor(v) for v in (images, labels))
    # Data may not know their own sizes; the networks do.
    shaped = tf.ensure_shape(images, [None, *pair.example_shape])
    floats = tf.cast(shaped, keras.config.floatx())
    return floats, None if pair.condition is None else pair.condition.checked(labels)


def _split(images: tf.Tensor, labels: tf.Tensor | None, scheme: Scheme) -> Any:
    """Returns pairs of images and conditions, one for each minibatch."""
    count = scheme.data_minibatches
    rows = images.shape[0]
    if rows is not None:
        check_divides(rows, scheme, "a batch of {} (per replica)")
    conditions = [None] * count if labels is None else tf.split(labels, count)
    pairs = zip(tf.split(images, count), conditions, strict=True)
    return itertools.islice(itertools.cycle(pairs), scheme.minibatches)


def _splittable(data: Any, scheme: Scheme) -> Any:
    """Returns a batch of as many rows as arrive, if these can be split into minibatches."""
    images, *others = data if isinstance(data, tuple) else (data,)
    count = scheme.data_minibatches
    if count == 1 or not tf.is_tensor(images) or images.shape[:1] != [None]:
        return data
    rows = tf.shape(images)[0]
    message = _does_not_divide(scheme, "a batch of {} rows, probably a smaller last one")
    images = data_checks.required(images, tf.equal(rows % count, 0), message, rows)
    return (images, *others) if isinstance(data, tuple) else images


def check_divides(rows: int, scheme: Scheme, what: str) -> None:
    """Raises ValueError if rows cannot be split among a scheme's minibatches.

    Args:
        rows: Rows of a batch.
        scheme: Says how many minibatches there are.
        what: What the rows are, with `{}` for their number.
    """
    if rows % scheme.data_minibatches:
        raise ValueError(_does_not_divide(scheme, what.format(rows)))


def _does_not_divide(scheme: Scheme, received: str) -> str:
    return (
        f"{scheme} splits each batch into {scheme.data_minibatches} equal minibatches. Received: "
        f"{received}. Batch by a multiple of {scheme.data_minibatches}, without a smaller last "
        f"batch: dataset.batch({64 * scheme.data_minibatches}, drop_remainder=True); or give `fit` "
        "a data set of tgs.data, which takes care of it."
    )


def check_batch(images: Any, labels: Any, weights: Any, pair: Pair) -> None:
    """Raises where a batch is not what the networks expect; conditions check themselves.

    Args:
        images: A tensor, an array or a `tf.TensorSpec`.
        labels: The like; `None` without.
        weights: Must be `None`.
        pair: What the networks expect.

    Raises:
        TypeError: If examples are no floats.
        ValueError: If shapes do not fit, or conditions are missing, superfluous or weighted.
    """
    if weights is not None:
        raise ValueError(
            "A batch must be examples, or (examples, conditions). Received: a third element. "
            "Weights of samples have no meaning in a GAN's game; leave them out."
        )
    data_checks.check_examples_type(images)
    if pair.condition is not None and labels is None:
        what = "labels" if pair.condition.classes else "conditions"
        raise ValueError(
            f"The networks take {what} {pair.condition}, so batches must be (examples, {what}). "
            "Received: examples alone. Load labels with labels=True, or zip two data sets: "
            "tf.data.Dataset.zip((examples, conditions))."
        )
    if pair.condition is None and labels is not None:
        raise ValueError(
            "The networks take no class labels, so batches must be examples alone. Received: "
            "(examples, labels). Leave labels out: fit(examples), or of a data set "
            "dataset.map(lambda examples, labels: examples)."
        )
    data_checks.check_shape(images.shape, pair.example_shape)
    if pair.condition is not None and pair.condition.classes and pair.condition.shape == ():
        label_checks.check_labels(labels)
