"""Points from a mixture of Gaussians in the plane: the usual test for lost modes.

Example number i is a pure function of the seed and i, so the stream can start anywhere.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab.data.batches import Batches
from tfgan_stab.data.streams import Share, parallel_map

LAYOUTS = ("grid", "ring")
PHILOX = 1  # Its number in TensorFlow's raw operations.
# What one seed is used for: each purpose has its own sequence of random numbers.
TRAINING_NOISE, TRAINING_MODES, REAL_NOISE, REAL_MODES = range(4)


class GaussianMixture:
    """Points around given centers, made up without end.

    Args:
        name: What the set is called in reports.
        centers: Means of the Gaussians, float `[modes, 2]`.
        std: Standard deviation of each coordinate, a number > 0.
        seed: Decides the points that scores call real, an integer in [0, 2**63).
        stratified: Whether every `modes` examples in a row hold each mode once.
        labels: Whether elements are `(points, modes)`.
    """

    num_examples = None

    def __init__(
        self,
        name: str,
        centers: np.ndarray,
        std: float,
        seed: int,
        stratified: bool,
        labels: bool,
    ) -> None:
        self.name = name
        self.num_classes = len(centers) if labels else None
        self.centers = centers.astype(np.float32)
        self.std = std
        self._seed = seed
        self._stratified = stratified

    def stream(self, share: Share, seed: int) -> tf.data.Dataset:
        """Endless batches of a process's share of each step, drawn as a whole."""

        def draw(numbers: tf.Tensor) -> Any:
            modes = self._modes(numbers, seed, TRAINING_MODES)
            points = self._points(numbers, modes, seed, TRAINING_NOISE)
            own = share.rows(points)
            return (own, share.rows(modes)) if self.num_classes else own

        return parallel_map(share.whole.numbers(), draw)

    def in_order(self, count: int, limit: int | None, labels: bool) -> tf.data.Dataset:
        """Examples that are not in the stream, `count` at a time, `limit` in all."""

        def draw(numbers: tf.Tensor) -> Any:
            modes = self._modes(numbers, self._seed, REAL_MODES)
            points = self._points(numbers, modes, self._seed, REAL_NOISE)
            return (points, modes) if labels else points

        return parallel_map(tf.data.Dataset.range(limit).batch(count), draw)

    def metadata(self) -> dict[str, Any]:
        """Where the modes are."""
        return {
            "centers": self.centers.tolist(),
            "std": self.std,
            "stratified": self._stratified,
        }

    def _modes(self, numbers: tf.Tensor, seed: int, purpose: int) -> tf.Tensor:
        num_modes = len(self.centers)
        if self._stratified:
            return tf.cast(numbers % num_modes, tf.int32)
        key, counter = _key_and_counter(numbers, seed, purpose)
        draws = tf.raw_ops.StatelessRandomUniformFullIntV2(
            shape=_four_per_example(numbers), key=key, counter=counter, alg=PHILOX, dtype=tf.uint32
        )
        # The top bits of draw * modes: even to one in 2**32, which a remainder would not be.
        return tf.cast(tf.cast(draws[:, 0], tf.int64) * num_modes // 2**32, tf.int32)

    def _points(self, numbers: tf.Tensor, modes: tf.Tensor, seed: int, purpose: int) -> tf.Tensor:
        key, counter = _key_and_counter(numbers, seed, purpose)
        noise = tf.raw_ops.StatelessRandomNormalV2(
            shape=_four_per_example(numbers), key=key, counter=counter, alg=PHILOX
        )
        return tf.gather(self.centers, modes) + self.std * noise[:, :2]


class MixtureBatches(Batches):
    """A stream of points that knows its modes, for scores that count them."""

    example_set: GaussianMixture

    @property
    def modes(self) -> np.ndarray:
        """Centers of the Gaussians, float32 `[modes, 2]`."""
        return self.example_set.centers

    @property
    def std(self) -> float:
        """Standard deviation of each coordinate around its center."""
        return self.example_set.std


def mixture(
    batch_size: int = 512,
    seed: int = 0,
    layout: str = "grid",
    modes: int = 16,
    std: float = 0.02,
    spacing: float | None = None,
    radius: float | None = None,
    stratified: bool = False,
    labels: bool = False,
) -> MixtureBatches:
    """Streams points around the corners of a square grid, or around a ring.

    Args:
        batch_size: Points in a minibatch, an integer >= 1.
        seed: Decides the points, an integer in [0, 2**63).
        layout: "grid" (as wide as high, about the origin) or "ring" (about the origin).
        modes: Gaussians, an integer >= 1; a square number for a grid, at least 2 for a ring.
        std: Standard deviation of each coordinate, a number > 0.
        spacing: Distance between neighboring centers, a number > 0. A grid's default is 1.
        radius: Radius of the ring, a number > 0, in place of `spacing`; its default is 2.
        stratified: Whether each minibatch holds every mode equally often; then `modes` must divide
            `batch_size`.
        labels: Whether elements are `(points, modes)`, modes numbered in the order of `.modes`.

    Returns:
        Endless batches of float32 `[batch_size, 2]`, not scaled to [-1, 1], with int32
        `[batch_size]` labels when asked; `.modes` has the centers, float32 `[modes, 2]`.

    Raises:
        ValueError: If a setting is outside its range or does not go with another.

    Example:
        >>> batches = mixture(batch_size=32, layout="ring", modes=8, stratified=True, labels=True)
        >>> points, modes = next(iter(batches))
        >>> np.bincount(modes).tolist()
        [4, 4, 4, 4, 4, 4, 4, 4]

    Reference:
        The defaults, and `stratified=True`, are those of the notebook released with Qin et al.,
        "Training Generative Adversarial Networks by Solving Ordinary Differential Equations",
        NeurIPS 2020.
    """
    for setting, value in (("std", std), ("spacing", spacing), ("radius", radius)):
        if value is not None:
            validation.number(setting, value, above=0)
    validation.choice("layout", layout, LAYOUTS)
    validation.integer("modes", modes)
    centers = _centers(layout, modes, spacing, radius)
    if stratified and batch_size % modes:
        raise ValueError(
            "With `stratified=True`, `modes` must divide `batch_size`, so that each mode gets the "
            f"same share. Received: modes={modes}, batch_size={batch_size}. "
            f"Use e.g. batch_size={modes * max(1, round(batch_size / modes))}."
        )
    name = f"mixture/{layout}-{modes}"
    points = GaussianMixture(name, centers, std, seed, stratified, labels)
    return MixtureBatches(points, batch_size, seed)


def _centers(layout: str, modes: int, spacing: float | None, radius: float | None) -> np.ndarray:
    return (_grid if layout == "grid" else _ring)(modes, spacing, radius)


def _grid(modes: int, spacing: float | None, radius: float | None) -> np.ndarray:
    side = round(modes**0.5)
    if side**2 != modes:
        raise ValueError(
            "A grid needs a square number of `modes`, such as 16, 25, 64 or 100. "
            f"Received: modes={modes}."
        )
    if radius is not None:
        raise ValueError(
            "`radius` is for `layout='ring'`; a grid takes `spacing`, the distance between "
            f"neighbors. Received: radius={radius}."
        )
    ticks = (np.arange(side) - (side - 1) / 2) * (1.0 if spacing is None else spacing)
    return np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(modes, 2)


def _ring(modes: int, spacing: float | None, radius: float | None) -> np.ndarray:
    if modes < 2:
        raise ValueError(f"A ring needs at least 2 `modes`. Received: modes={modes}.")
    if spacing is not None and radius is not None:
        raise ValueError(
            "A ring takes `spacing` or `radius`, not both. "
            f"Received: spacing={spacing}, radius={radius}."
        )
    if spacing is not None:
        radius = spacing / (2 * np.sin(np.pi / modes))
    angles = 2 * np.pi * np.arange(modes) / modes
    return (2.0 if radius is None else radius) * np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def _key_and_counter(numbers: tf.Tensor, seed: int, purpose: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Places the random sequence at the first of consecutive example numbers.

    Philox turns a counter into four numbers at a time. The counter here is the example's number,
    so row i of a `[count, 4]` draw depends on the seed and on example `numbers[i]` alone.
    """
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(
        seed=tf.constant([seed, purpose], tf.int64)
    )
    start = counter[0] + tf.cast(numbers[0], tf.uint64)
    return key, tf.stack([start, counter[1]])


def _four_per_example(numbers: tf.Tensor) -> list[Any]:
    return [tf.size(numbers) if numbers.shape[0] is None else numbers.shape[0], 4]
