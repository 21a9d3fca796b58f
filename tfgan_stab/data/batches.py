"""What every data set gives: an endless, shuffled, repeatable stream of full batches.

A `Source` knows the pictures; `Batches` is the `tf.data.Dataset` made from it that `fit` takes.
"""

from typing import Any, Protocol

import tensorflow as tf

from tfgan_stab.data.pipeline import finish


class Source(Protocol):
    """What `Batches` asks of a set of pictures."""

    @property
    def name(self) -> str:
        """What the set is called in reports, e.g. "digits" or "tfds:cifar10/train"."""

    @property
    def num_examples(self) -> int | None:
        """Examples in an epoch; `None` where examples are made up without end."""

    @property
    def num_classes(self) -> int | None:
        """Classes of the labels; `None` where the stream has no labels."""

    def stream(self, first: int, count: int, seed: int) -> tf.data.Dataset:
        """Endless batches of `count` examples, from the running number `first` on."""

    def in_order(self, count: int, limit: int | None) -> tf.data.Dataset:
        """Images only, one pass in a fixed order, at most `limit`, `count` at a time."""

    def facts(self) -> dict[str, Any]:
        """What a report should say of this set beside its name and size; goes into JSON."""


class Batches(tf.data.Dataset):
    """An endless, shuffled stream of full batches that can start at any step.

    Elements are images, float32 `[batch, height, width, channels]` in [-1, 1] (points:
    `[batch, 2]`), or pairs of those and labels, int32 `[batch]`. Each epoch shows every example
    once, in an order that the seed and the epoch decide; batches run across epoch ends, so none is
    left out or smaller. The same source, seed and batch size give the same bits.

    Args:
        source: Where the examples come from.
        batch_size: Examples of one minibatch, an integer >= 1 and at most the number of examples.
        seed: Decides the order, an integer in [0, 2**63).
        step: Where the stream begins, counted in elements, an integer >= 0.
        minibatches: Minibatches in one element, an integer >= 1: elements hold `parts * batch_size`
            examples.

    Raises:
        TypeError: If a setting is not an integer.
        ValueError: If a setting is outside its range.

    Example:
        >>> import tfgan_stab as tgs
        >>> batches = tgs.data.digits(batch_size=64, seed=0)
        >>> batches.num_examples, batches.element_spec.shape
        (1797, TensorShape([64, 8, 8, 1]))
        >>> third = next(iter(batches.skip(2)))
        >>> bool(tf.reduce_all(third == next(iter(batches.starting_at(2)))))
        True
    """

    def __init__(
        self, source: Source, batch_size: int, seed: int = 0, step: int = 0, minibatches: int = 1
    ) -> None:
        check_integer("batch_size", batch_size, at_least=1)
        check_integer("seed", seed, at_least=0)
        check_integer("step", step, at_least=0)
        check_integer("minibatches", minibatches, at_least=1)
        _check_enough_examples(source, batch_size)
        self.source = source
        self.batch_size = batch_size
        self.seed = seed
        self.minibatches = minibatches
        per_step = batch_size * minibatches
        self._stream = finish(source.stream(step * per_step, per_step, seed))
        super().__init__(self._stream._variant_tensor)

    def _inputs(self) -> list[tf.data.Dataset]:
        return [self._stream]

    @property
    def element_spec(self) -> Any:
        """Types and static shapes of an element."""
        return self._stream.element_spec

    @property
    def name(self) -> str:
        """What the set is called in reports, e.g. "tfds:cifar10/train"."""
        return self.source.name

    @property
    def num_examples(self) -> int | None:
        """Examples in an epoch; `None` where examples are made up without end."""
        return self.source.num_examples

    @property
    def num_classes(self) -> int | None:
        """Classes of the labels; `None` where the stream has no labels."""
        return self.source.num_classes

    @property
    def example_shape(self) -> tuple[int, ...]:
        """Shape of one image, `(height, width, channels)`, or of one point, `(2,)`."""
        images = self.element_spec[0] if self.num_classes else self.element_spec
        return tuple(images.shape[1:])

    def starting_at(self, step: int, minibatches: int = 1) -> "Batches":
        """Gives the same stream from a step on, several minibatches at a time.

        Steps count from the start of the stream, wherever this one begins: step r of p parts
        begins at example `r * p * batch_size`.

        Args:
            step: The first step, an integer >= 0.
            minibatches: Minibatches in a step, an integer >= 1.

        Returns:
            Batches of `parts * batch_size` examples, bit-equal to the uninterrupted stream's.
        """
        return type(self)(self.source, self.batch_size, self.seed, step, minibatches)

    def examples(self, limit: int | None = None) -> tf.data.Dataset:
        """Gives the images without labels, once, in a fixed order: what scores call "real".

        Args:
            limit: Examples at most, an integer >= 1; `None` for all there are.

        Returns:
            A finite data set of float32 `[batch_size, ...]`; the last element may be smaller.

        Raises:
            ValueError: If there is no end of examples and no limit.
        """
        if limit is not None:
            check_integer("limit", limit, at_least=1)
        elif self.num_examples is None:
            raise ValueError(
                f"`examples()` of {self.name!r} would never end, because its examples are made up "
                "as they are asked for. Give a number of examples: `examples(limit=10_000)`."
            )
        return finish(self.source.in_order(self.batch_size, limit))

    def description(self) -> dict[str, Any]:
        """Says what this is, in values that JSON can hold, for a run's report."""
        return {
            "name": self.name,
            "examples": self.num_examples,
            "shape": list(self.example_shape),
            "classes": self.num_classes,
            "batch_size": self.batch_size,
            "seed": self.seed,
            **self.source.facts(),
        }


def check_integer(name: str, value: int, at_least: int) -> None:
    """Refuses what is not an integer, or is too small.

    Args:
        name: The setting's name, for the message.
        value: What was given.
        at_least: The smallest that will do.

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it is too small, or does not fit in 63 bits.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"`{name}` must be an integer. Received: {name}={value!r}.")
    if not at_least <= value < 2**63:
        raise ValueError(f"`{name}` must be >= {at_least} and < 2**63. Received: {name}={value}.")


def _check_enough_examples(source: Source, batch_size: int) -> None:
    if source.num_examples is not None and batch_size > source.num_examples:
        raise ValueError(
            f"`batch_size` must be at most the number of examples in {source.name!r}, so that no "
            f"batch shows an example twice. Received: batch_size={batch_size}, "
            f"{source.num_examples} examples. Use batch_size={source.num_examples} or less."
        )
