"""Draws new examples from a GAN's generator, a batch at a time."""

import concurrent.futures
import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab._utils import random, validation
from tfgan_stab.game.functional import call_in_inference, network_inputs
from tfgan_stab.game.validation import Condition, Pair
from tfgan_stab.training.averaging.swap import LIVE, WeightsInUse


class Sampling:
    """What a GAN offers to whoever wants examples; part of `tgs.GAN`."""

    generator: Any
    latents: Any
    pair: Pair
    num_classes: int | None
    weights_in_use: WeightsInUse
    data_metadata: dict[str, Any] | None
    generate: Callable[..., tf.Tensor]

    def using(self, weights: str) -> contextlib.AbstractContextManager[None]:
        """Puts weights into the generator inside a `with`.

        Args:
            weights: "live" for the trained weights, or an average's name.
        """
        return self.weights_in_use.using(weights)

    def sample(
        self, count: int, weights: str = LIVE, seed: int = 0, labels: Any = None
    ) -> np.ndarray:
        """Returns new examples.

        Args:
            count: How many, an integer >= 1.
            weights: "live" for the trained weights, or an average's name.
            seed: Decides the noise, an integer.
            labels: The conditions, for a conditional pair. Of classes int `[count]`, in turn 0, 1,
                ... unless given. Vectors or pictures, `[n, ...]`: the first `count`, or all of them
                again and again.

        Returns:
            float32 `[count, height, width, channels]` in [-1, 1]; for other examples than images
            whatever the generator returns.
        """
        return np.concatenate(
            list(self.sample_batches(count, weights=weights, seed=seed, labels=labels))
        )

    def sample_batches(
        self,
        count: int,
        batch_size: int = 256,
        weights: str = LIVE,
        seed: int = 0,
        labels: Any = None,
        devices: Sequence[str] = (),
    ) -> Iterator[np.ndarray]:
        """Returns new examples batch by batch; see `sample`. The first ones of more are the same.

        Args:
            count: How many in all, an integer >= 1.
            batch_size: How many at a time, an integer >= 1.
            weights: "live" for the trained weights, or an average's name.
            seed: Decides the noise, an integer.
            labels: The conditions, for a conditional pair; see `sample`.
            devices: Names of devices that make a batch each at the same time; where TensorFlow puts
                it unless given. What comes out does not depend on them, as far as they compute
                alike.

        Returns:
            Yields float32 `[batch_size, ...]`, the last one smaller.
        """
        validation.integer("count", count)
        validation.integer("batch_size", batch_size)
        self.weights_in_use.check(weights)
        conditions = _conditions(count, labels, self.pair.condition, self.num_classes)
        seed = validation.seed(seed)
        work = _Work(self.generate, self.latents, count, batch_size, seed, conditions)
        return _drawn(work, self.weights_in_use, weights, devices)

    def scores_now(self, scores: Sequence[Any], labels: Any = None) -> dict[str, float]:
        """Returns the scores of the weights in use, by name.

        Args:
            scores: Scores such as `tgs.FID(...)`.
            labels: As in `sample`.
        """
        weights = self.weights_in_use.current

        def drawn(count: int, seed: int, own: Any = None) -> Iterator[np.ndarray]:
            chosen = labels if own is None else own
            return self.sample_batches(count, weights=weights, seed=seed, labels=chosen)

        found: dict[str, float] = {}
        for score in scores:
            if hasattr(score, "of_generator"):
                score.match(self.generated_classes, labels)
                results = score.of_generator(lambda s: drawn(s.count, s.seed, s.labels))
                found.update({result.name: result.value for result in results})
            else:  # A mere function of images.
                result = score(drawn(score.samples, getattr(score, "seed", 0)))
                several = result if isinstance(result, list) else [result]
                found.update({each.name: each.value for each in several})
        return found

    @property
    def generated_classes(self) -> dict[int, str] | None:
        """The name of each class, by its number: the number if it has no other; `None` without."""
        condition = self.pair.condition
        if condition is None or not condition.classes or self.num_classes is None:
            return None
        names = (self.data_metadata or {}).get("class_names")
        return dict(enumerate(names or map(str, range(self.num_classes))))

    def _generated(self, latents: tf.Tensor, labels: tf.Tensor | None, key: tf.Tensor) -> tf.Tensor:
        inputs = network_inputs(self.generator, latents, labels)
        examples = tf.cast(call_in_inference(self.generator, inputs, key), tf.float32)
        # Pictures are clipped, for generators that do not end in tanh.
        return tf.clip_by_value(examples, -1.0, 1.0) if examples.shape.rank == 4 else examples


@dataclasses.dataclass(frozen=True)
class _Work:
    """Which examples to make, in batches that are counted from 0."""

    generate: Callable[..., tf.Tensor]
    sampler: Callable[..., tf.Tensor]
    count: int
    batch_size: int
    seed: int
    conditions: np.ndarray | None

    @property
    def num_batches(self) -> int:
        return -(-self.count // self.batch_size)

    def batch(self, number: int, device: str | None = None) -> np.ndarray:
        """Makes one batch of them with the weights that the generator holds."""
        first = number * self.batch_size
        rows = range(first, first + min(self.batch_size, self.count))
        with contextlib.nullcontext() if device is None else tf.device(device):
            # Drawn for a whole batch, so that the first examples of more are the same.
            key = random.key(self.seed, random.SAMPLING, number)
            latents = self.sampler(self.batch_size, key)[: len(rows)]
            own = self.conditions
            if own is not None:
                own = np.take(own, rows, axis=0, mode="wrap")
            examples = self.generate(tf.cast(latents, keras.config.floatx()), own, key).numpy()
        return examples[: self.count - first]


def _drawn(
    work: _Work, weights_in_use: WeightsInUse, weights: str, devices: Sequence[str]
) -> Iterator[np.ndarray]:
    together = max(1, len(devices))
    with concurrent.futures.ThreadPoolExecutor(together) as pool:
        for first in range(0, work.num_batches, together):
            numbers = range(first, min(first + together, work.num_batches))
            # Swapped each time, so that whoever takes the batches finds the weights as they were.
            with weights_in_use.using(weights):
                if len(devices) < 2:
                    made = [work.batch(first)]
                else:
                    made = list(pool.map(work.batch, numbers, devices))
            yield from made


def _conditions(
    count: int, labels: Any, condition: Condition | None, num_classes: int | None
) -> np.ndarray | None:
    """Returns the conditions to generate examples for, `[n, ...]`, in turn."""
    if condition is None:
        if labels is not None:
            raise ValueError(
                "`labels` expects networks that take class labels, or another condition. Received: "
                "labels for an unconditional pair. Leave them out."
            )
        return None
    if labels is not None:
        given = np.asarray(labels)
        if condition.classes and given.dtype.kind in "OSU":
            raise TypeError(
                f"`labels` must be numbers, {condition}. Received: {given.ravel()[:3]}. Give each "
                "class's number, its place among the class names, from 0."
            )
        if condition.classes:
            _check_classes(given, count, num_classes)
        conditions = condition.checked(tf.convert_to_tensor(given)).numpy()
        if not len(conditions):
            raise ValueError("`labels` must hold a condition. Received: none. Leave it out.")
        return conditions
    if not condition.classes:
        raise ValueError(
            f"A generator that takes conditions, {condition}, needs some to make examples for. "
            "Received: no `labels`. Give some of your data: labels=conditions."
        )
    if num_classes is None:
        raise ValueError(
            "A class-conditional generator needs to know its classes. Received: no `labels`. "
            "Give labels, or write GAN(..., num_classes=10)."
        )
    return condition.of_classes(np.arange(count, dtype=np.int32) % num_classes).numpy()


def _check_classes(labels: np.ndarray, count: int, num_classes: int | None) -> None:
    if labels.shape[:1] != (count,):
        raise ValueError(
            f"`labels` must hold one class per example, shape [{count}]. Received: shape "
            f"{list(labels.shape)}."
        )
    if num_classes is not None and not np.all((labels >= 0) & (labels < num_classes)):
        raise ValueError(
            f"`labels` must be classes from 0 to {num_classes - 1}. Received: {labels.min()} "
            f"to {labels.max()}."
        )
