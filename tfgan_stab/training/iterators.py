"""The iterators that a training's batches come from: looked into, repeated, and let go of."""

import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import tensorflow as tf


class FirstBatch(NamedTuple):
    """A batch that has been taken from an iterator.

    Attributes:
        data: The batch.
        spec: The iterator's `element_spec`.
    """

    data: Any
    spec: Any


def gives_batches(iterator: Any) -> bool:
    """Returns whether it is an iterator of `fit`, not the single batch of `train_on_batch`."""
    return isinstance(iterator, tf.data.Iterator) or is_distributed(iterator)


def is_distributed(iterator: Any) -> bool:
    """Returns whether batches come in a part for each replica."""
    return isinstance(iterator, tf.distribute.DistributedIterator)


def replayed(data: Any, spec: Any) -> Iterator[Any]:
    """Returns an iterator that gives the same batch again and again, of the shapes of another.

    Args:
        data: A batch.
        spec: The other iterator's `element_spec`.
    """

    def shaped(value: Any, like: Any) -> Any:
        if not isinstance(like, tf.TensorSpec):  # What Keras puts in the place of `None`.
            return value
        return tf.compat.v1.placeholder_with_default(value, like.shape)

    def element(*_: Any) -> Any:
        return tf.nest.map_structure(shaped, data, spec)

    options = tf.data.Options()
    options.autotune.enabled = False  # There is nothing to tune, and see `KeptIterators`.
    return iter(tf.data.Dataset.range(1).repeat().map(element).with_options(options))


class KeptIterators:
    """The iterators in use, each kept until another takes its place, and destroyed beside training.

    Most data sets tune themselves. TensorFlow destroys their iterator only when the thread that
    tunes next wakes up: every 10 ms at first, then half as often each time, once a minute at last.
    Keras waits for that where an epoch over data that end gives way to the next: often for as long
    as the epoch took.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def keep(self, kind: str, iterator: Any) -> None:
        """Keeps an iterator in use, and lets go of the one before.

        Args:
            kind: What it is used for, such as "fit".
            iterator: What Keras iterates over; a single batch of `train_on_batch` is not kept.
        """
        if self._kept.get(kind) is not iterator and gives_batches(iterator):
            destroy([self._kept.pop(kind, None)])
            self._kept[kind] = iterator

    def of(self, kind: str) -> Any:
        """Returns the iterator in use for something; `None` without one."""
        return self._kept.get(kind)

    def let_go(self, *kinds: str) -> None:
        """Lets go of those of some kinds, when what they were used for is over."""
        destroy([self._kept.pop(kind, None) for kind in kinds])


def destroy(iterators: list[Any]) -> None:
    """Drops what may be the last references in a thread of its own, and does not wait for it.

    Python itself waits at its end: a daemon thread inside TensorFlow would end the process by a
    signal then.

    Args:
        iterators: Iterators, or what holds some, or `None`; the list is emptied.
    """
    if any(each is not None for each in iterators):
        threading.Thread(target=iterators.clear, name="destroy_iterators").start()
