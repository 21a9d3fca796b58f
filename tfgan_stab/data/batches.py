"""What every data set gives: an endless, shuffled, repeatable stream of full batches.

An `ExampleSet` knows the pictures; `Batches` is the `tf.data.Dataset` made from it that `fit`
takes.
"""

import dataclasses
from typing import Any, Protocol

import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab.data.streams import Share, finish


class ExampleSet(Protocol):
    """What `Batches` asks of a set of pictures, or of points."""

    @property
    def name(self) -> str:
        """What the set is called in reports, e.g. "digits" or "tfds:cifar10/train"."""

    @property
    def num_examples(self) -> int | None:
        """Examples in an epoch; `None` where examples are made up without end."""

    @property
    def num_classes(self) -> int | None:
        """Classes of the labels; `None` where the stream has no labels."""

    def stream(self, share: Share, seed: int) -> tf.data.Dataset:
        """Endless batches of `share.count` examples: a process's share of each step."""

    def in_order(self, count: int, limit: int | None, labels: bool) -> tf.data.Dataset:
        """One pass in a fixed order, at most `limit`, `count` at a time.

        Images alone, or pairs of images and labels, which are asked of sets with classes only.
        """

    def metadata(self) -> dict[str, Any]:
        """What a report should say of this set beside its name and size; goes into JSON."""


class Batches(tf.data.Dataset):
    """An endless, shuffled stream of full batches that can start at any step.

    Elements are images, float32 `[batch, height, width, channels]` in [-1, 1] (points:
    `[batch, 2]`, texts: `[batch, length, characters]`), or pairs of those and labels, int32
    `[batch]`. Each epoch shows every example once, in an order that the seed and the epoch decide;
    batches run across epoch ends, so none is left out or smaller. The same examples, seed and batch
    size give the same bits.

    Args:
        example_set: Where the examples come from.
        batch_size: Examples of one minibatch, an integer >= 1 and at most the number of examples.
        seed: Decides the order, an integer in [0, 2**63).
        step: Where the stream begins, counted in elements, an integer >= 0.
        minibatches: Minibatches in one element, an integer >= 1: elements hold `minibatches *
            batch_size` examples.

    Raises:
        ValueError: If a setting is not an integer, or outside its range.

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
        self,
        example_set: ExampleSet,
        batch_size: int,
        seed: int = 0,
        step: int = 0,
        minibatches: int = 1,
    ) -> None:
        self.example_set = example_set
        self.batch_size = validation.integer("batch_size", batch_size)
        self.seed = validation.integer("seed", seed, least=0, most=2**63 - 1)
        self.minibatches = validation.integer("minibatches", minibatches)
        step = validation.integer("step", step, least=0)
        _check_enough_examples(example_set, batch_size)
        first = step * self.batch_size * self.minibatches
        self._share = Share(first, self.batch_size, self.minibatches)
        self._stream = finish(example_set.stream(self._share, self.seed))
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
        return self.example_set.name

    @property
    def num_examples(self) -> int | None:
        """Examples in an epoch; `None` where examples are made up without end."""
        return self.example_set.num_examples

    @property
    def num_classes(self) -> int | None:
        """Classes of the labels; `None` where the stream has no labels."""
        return self.example_set.num_classes

    @property
    def class_names(self) -> list[str] | None:
        """What the classes are called, in the order of their numbers; `None` where nothing says."""
        return getattr(self.example_set, "class_names", None)

    @property
    def characters(self) -> str | None:
        """What each number of a character stands for; `None` where examples are no texts."""
        return getattr(self.example_set, "characters", None)

    @property
    def example_shape(self) -> tuple[int, ...]:
        """Shape of one image, `(height, width, channels)`, point, `(2,)`, or text."""
        spec = self.element_spec
        images = spec[0] if isinstance(spec, tuple) else spec
        return tuple(images.shape[1:])

    def starting_at(self, step: int, minibatches: int = 1) -> "Batches":
        """Gives the same stream from a step on, several minibatches at a time.

        Steps count from the start of the stream, wherever this one begins: a step begins at example
        `step * minibatches * batch_size`.

        Args:
            step: The first step, an integer >= 0.
            minibatches: Minibatches in a step, an integer >= 1.

        Returns:
            Batches of `minibatches * batch_size` examples, bit-equal to the uninterrupted stream's.
        """
        return type(self)(self.example_set, self.batch_size, self.seed, step, minibatches)

    def of_process(self, process: int, processes: int, replicas: int) -> tf.data.Dataset:
        """Gives the part of the stream that one of several processes trains on.

        Of each minibatch the replicas take equal parts, in their order: together they see, in each
        step, what a single replica would have seen. Sets whose examples can be read by their index
        read the process's own only.

        Args:
            process: Which process this is, counted from 0.
            processes: How many processes there are, an integer >= 1.
            replicas: Replicas of all processes, a multiple of `processes` that divides
                `batch_size`.

        Returns:
            Endless elements of `minibatches * batch_size / replicas` examples, one for each replica
            of the process in turn.

        Raises:
            ValueError: If the batch cannot be shared evenly.
        """
        if self.batch_size % replicas or replicas % processes:
            raise ValueError(
                "`batch_size` must be a multiple of the replicas, and those of the processes. "
                f"Received: batch_size={self.batch_size}, replicas={replicas}, "
                f"processes={processes}. Choose a batch that all can share evenly."
            )
        share = dataclasses.replace(self._share, process=process, processes=processes)
        stream = self.example_set.stream(share, self.seed)
        return finish(share.split(stream, replicas // processes))

    def examples(self, limit: int | None = None, labels: bool = False) -> tf.data.Dataset:
        """Gives each example once, in a fixed order: what scores call "real".

        Args:
            limit: Examples at most, an integer >= 1; `None` for all there are.
            labels: Whether elements are `(images, labels)`; by default they are images alone.

        Returns:
            A finite data set of float32 `[batch_size, ...]`, with int32 `[batch_size]` labels when
            asked; the last element may be smaller.

        Raises:
            ValueError: If there is no end of examples and no limit, or there are no labels.
        """
        if limit is not None:
            limit = validation.integer("limit", limit)
        elif self.num_examples is None:
            raise ValueError(
                f"`examples()` of {self.name!r} would never end, because its examples are made up "
                "as they are asked for. Give a number of examples: `examples(limit=10_000)`."
            )
        if labels and self.num_classes is None:
            raise ValueError(
                f"`examples(labels=True)` needs data with classes. Received: {self.name!r}, which "
                "has none. Load it with labels, or leave them out."
            )
        return finish(self.example_set.in_order(self.batch_size, limit, labels))

    def damaged(self) -> dict[str, str]:
        """Looks for files that cannot be read; returns them, and why."""
        find = getattr(self.example_set, "damaged", dict)
        return find()

    def description(self) -> dict[str, Any]:
        """Says what this is, in values that JSON can hold, for a run's report."""
        return {
            "name": self.name,
            "examples": self.num_examples,
            "shape": list(self.example_shape),
            "classes": self.num_classes,
            "batch_size": self.batch_size,
            "seed": self.seed,
            **self.example_set.metadata(),
        }


def _check_enough_examples(example_set: ExampleSet, batch_size: int) -> None:
    available = example_set.num_examples
    if available is not None and batch_size > available:
        raise ValueError(
            f"`batch_size` must be at most the number of examples in {example_set.name!r}, so that "
            f"no batch shows an example twice. Received: batch_size={batch_size}, {available} "
            f"examples. Use batch_size={available} or less."
        )
