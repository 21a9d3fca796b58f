"""The scheme in docs/write_your_own_scheme.md keeps the promises of the library's own schemes."""

import pathlib
import re

import numpy as np
import promises
import pytest
import tensorflow as tf
from schemes import SCHEMES

from tfgan_stab.game.players import BOTH, Players

TEXT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "write_your_own_scheme.md"


@pytest.fixture(scope="module")
def documented():
    """The names that the documentation's code defines, run as it stands."""
    names = {"__name__": "documented"}
    for block in re.findall(r"```python\n(.*?)```", TEXT.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(TEXT), "exec"), names)
    return names


@pytest.mark.slow
def test_documented_code_trains(documented):
    assert documented["gan"].steps == 10


@pytest.mark.slow
def test_documented_factor(documented):
    # The roots of r^2 = r (1 + 3/2 z) - z / 2 at z = 0.1 i.
    expected = np.abs(np.roots([1, -(1 + 0.15j), 0.05j])).max()
    np.testing.assert_allclose(documented["run"].factor, expected, rtol=1e-10)
    (printed,) = re.findall(r"print\(round\(run.factor, 6\)\)  # (.*)", TEXT.read_text("utf-8"))
    assert printed == f"{expected:.6f}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "promise",
    [
        promises.learning_rates_of_zero_change_nothing,
        promises.scheme_survives_keras_serialization,
        promises.step_and_gradients_are_traced_once,
        promises.batch_must_divide_into_minibatches,
    ],
)
def test_documented_scheme_keeps_the_promises(documented, monkeypatch, promise):
    for name, entry in documented["LINE"].items():
        monkeypatch.setitem(SCHEMES, name, entry)
        promise(name)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_three_steps_equal_the_documented_numpy_program(
    documented, monkeypatch, optimizer, float64
):
    (name, entry), *_ = documented["LINE"].items()
    monkeypatch.setitem(SCHEMES, name, entry)
    promises.three_steps_are_those_of_a_naive_program(name, optimizer)


class Rotation:
    """The field v(x, y) = (-y, x), with plain gradient steps."""

    def __init__(self, step_size):
        self.step_sizes = Players(step_size, step_size)

    def field(self, params, minibatch=0, players=BOTH):
        return Players(-params.discriminator, params.generator)

    def update(self, params, slopes):
        return Players(
            *(w + h * v for w, v, h in zip(params, slopes, self.step_sizes, strict=True))
        )


def error(scheme, steps):
    """The distance to the exact solution at time 1: the point (1, 0), turned by one radian."""
    params = Players(tf.constant(1.0, tf.float64), tf.constant(0.0, tf.float64))
    state = scheme.init(params)
    for _ in range(steps):
        params, state = scheme.step(Rotation(1.0 / steps), params, state)
    return np.hypot(params.generator - np.cos(1.0), params.discriminator - np.sin(1.0))


def test_documented_scheme_is_of_second_order(documented):
    scheme = documented["AdamsBashforth"]()
    assert abs(np.log2(error(scheme, 100) / error(scheme, 200)) - 2) < 0.1
