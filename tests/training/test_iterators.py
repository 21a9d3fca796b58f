"""Iterators are destroyed beside the training that used them, as that can take as long as it."""

import gc
import threading
import time
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from point_gans import make, points

from tfgan_stab.training.iterators import KeptIterators, replayed


def noted(kept, names):
    """Makes it note the thread in which each iterator that is used is destroyed."""
    keep, seen = kept.keep, weakref.WeakSet()

    def keep_and_note(kind, iterator):
        if iterator not in seen:
            seen.add(iterator)
            weakref.finalize(iterator, lambda: names.append(thread_name()))
        keep(kind, iterator)

    kept.keep = keep_and_note


def thread_name():
    thread = threading.current_thread()
    # Python ends while a daemon thread is inside TensorFlow, and TensorFlow aborts the process.
    return f"{thread.name}, a daemon" if thread.daemon else thread.name


def wait_for(names, count):
    end = time.monotonic() + 60  # TensorFlow's longest.
    while len(names) < count and time.monotonic() < end:
        time.sleep(0.01)
    return names


def test_one_is_destroyed_beside_the_caller_when_another_takes_its_place():
    kept, names = KeptIterators(), []
    noted(kept, names)
    kept.keep("fit", iter(tf.data.Dataset.range(3)))
    kept.keep("test", iter(tf.data.Dataset.range(3)))
    assert names == []
    kept.keep("fit", iter(tf.data.Dataset.range(3)))
    assert wait_for(names, 1) == ["destroy_iterators"]
    kept.let_go("fit", "test")
    assert wait_for(names, 3) == ["destroy_iterators"] * 3


@pytest.mark.parametrize("eager", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_no_epoch_waits_for_the_one_before(eager):
    gan, names = make(run_eagerly=eager), []
    noted(gan.iterators, names)
    x = points(16)
    gan.fit(x, epochs=3, batch_size=8, validation_data=x, verbose=0)
    assert wait_for(names, 6) == ["destroy_iterators"] * 6
    gan.evaluate(x, batch_size=8, verbose=0)
    assert wait_for(names, 7) == ["destroy_iterators"] * 7


WORDS = "no more of this"


class Fails(keras.callbacks.Callback):
    """Raises in one of its hooks."""

    def __init__(self, hook):
        super().__init__()
        setattr(self, hook, self.fail)

    def fail(self, *_, **__):
        raise ValueError(WORDS)


@pytest.fixture(scope="module")
def eager():
    return make(run_eagerly=True, check_derivatives=False)


@pytest.mark.parametrize(
    ("call", "hook", "count"),
    [
        ("evaluate", "on_test_batch_end", 1),
        ("fit", "on_train_batch_end", 1),
        ("fit", "on_test_batch_end", 2),
        ("fit", "on_epoch_end", 2),
    ],
)
def test_an_exception_leaves_no_iterators_and_no_data_behind(eager, monkeypatch, call, hook, count):
    monkeypatch.setattr(eager, "iterators", KeptIterators())
    names, x = [], points(8)
    noted(eager.iterators, names)
    others = {"validation_data": x} if call == "fit" else {}
    with pytest.raises(ValueError, match=WORDS):
        getattr(eager, call)(x, batch_size=8, verbose=0, callbacks=[Fails(hook)], **others)
    data, x, others = weakref.ref(x), None, None
    gc.collect()
    assert len(wait_for(names, count)) == count
    assert data() is None


def test_those_of_other_kinds_are_left_alone():
    class Batch(list):
        pass

    kept, batch = KeptIterators(), Batch([np.zeros(2)])
    reference = weakref.ref(batch)
    kept.keep("fit", batch)
    del batch
    assert reference() is None


def test_a_batch_is_replayed_in_the_shapes_of_another_iterator():
    spec = iter(tf.data.Dataset.range(5).batch(2)).element_spec
    again = replayed(keras.ops.convert_to_tensor([3, 4], "int64"), spec)
    assert [next(again).numpy().tolist() for _ in range(3)] == [[3, 4]] * 3
    assert again.element_spec == spec
