"""What every test starts from."""

import gc
import importlib.util
import pathlib
import random

import gin
import keras
import numpy as np
import pytest


def pytest_ignore_collect(collection_path):
    """Leaves out programs and modules that tests use, where doctests would be looked for."""
    if collection_path.suffix == ".py" and not collection_path.name.startswith("test_"):
        return True
    return None


# Files of tests that take minutes. First, so that no core is left with them in the end.
LONGEST = ("test_replicas.py", "test_resume_after_kill.py", "test_execution.py")


@pytest.hookimpl(tryfirst=True)  # Before pytest chooses by marks.
def pytest_collection_modifyitems(items):
    """Puts the longest files of tests first, and marks the cases that need not always run."""
    items.sort(key=lambda item: item.path.name not in LONGEST)
    for cases in cases_by_test(items).values():
        limits = cases[0].get_closest_marker("cases").kwargs
        kept = mark_all_but(limits.get("full"), cases, pytest.mark.exhaustive)
        mark_all_but(limits.get("fast"), kept, pytest.mark.slow)


def cases_by_test(items):
    """Returns the cases of each test that is marked `cases`, in their order."""
    groups = {}
    for item in items:
        if item.get_closest_marker("cases"):
            groups.setdefault((item.path, item.originalname), []).append(item)
    return groups


def mark_all_but(count, cases, mark):
    """Marks all but so many of the cases that always run, evenly among them; returns those."""
    cases = [case for case in cases if not case.get_closest_marker("exhaustive")]
    count = len(cases) if count is None else min(count, len(cases))
    kept = [cases[i * len(cases) // count] for i in range(count)]
    for case in cases:
        if case not in kept:
            case.add_marker(mark)
    return kept


@pytest.fixture(autouse=True, scope="module")
def short_memory():
    """Clears up after each file, and then leaves what outlives it out of the garbage collection.

    Of a process's many graphs millions of objects stay: to look through them all took half a minute
    in the middle of some later test.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def known_state():
    """Fixes the seeds, Keras' initial weights too, and forgets the previous configuration."""
    random.seed(0)  # where Keras takes the seeds of initial weights from
    np.random.seed(0)
    gin.clear_config()


@pytest.fixture
def float64():
    """Lets Keras make networks and noise in double precision."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def tiny():
    """The module helpers.py: GANs small enough for tests, and what tests do with them."""
    path = pathlib.Path(__file__).with_name("helpers.py")
    specification = importlib.util.spec_from_file_location("helpers", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def compiled_image_gan(tiny):
    """A GAN with two averages, and its numbers when new."""
    import tfgan_stab as tgs

    averages = {"ema": tgs.ExponentialAverage(0.75), "late": tgs.ExponentialAverage(0.5, start=3)}
    gan = tiny.image_gan(averages)
    return gan, tiny.everything(gan)


@pytest.fixture
def image_gan(tiny, compiled_image_gan):
    """A tiny GAN on 8x8 pictures as it was when new: tracing a new one would take seconds."""
    gan, new = compiled_image_gan
    tiny.put_back(gan, new)
    yield gan
    tiny.put_back(gan, new)
