"""The documentation's scheme of one's own keeps the promises, with the one line it says."""

import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
import test_scheme_contracts as contracts
from schemes import SCHEMES

from tfgan_stab.game.players import BOTH, Players

TEXT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "write_your_own_scheme.md"


@pytest.fixture(scope="module")
def documented():
    """The names that the documentation's code defines; the code is run as it stands."""
    names = {"__name__": "documented"}
    for block in re.findall(r"```python\n(.*?)```", TEXT.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(TEXT), "exec"), names)
    return names


def test_the_code_trains(documented):
    assert documented["gan"].steps == 10


@pytest.mark.slow
@pytest.mark.parametrize(
    "promise",
    [
        contracts.test_learning_rates_of_zero_change_nothing,
        contracts.test_a_scheme_survives_keras_serialization,
        contracts.test_the_step_is_traced_once_and_the_field_once_for_each_choice_of_players,
        contracts.test_a_batch_that_does_not_divide_is_refused_with_what_would,
    ],
)
def test_the_one_line_holds_it_to_the_promises(documented, monkeypatch, promise):
    for name, entry in documented["LINE"].items():
        monkeypatch.setitem(SCHEMES, name, entry)
        promise(name)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_it_is_the_naive_program(documented, monkeypatch, optimizer, float64):
    (name, entry), *_ = documented["LINE"].items()
    monkeypatch.setitem(SCHEMES, name, entry)
    contracts.test_three_steps_are_those_of_a_naive_program(name, optimizer)


class Rotation:
    """v(x, y) = (-y, x), with plain gradient steps."""

    def __init__(self, step_size):
        self.step_sizes = Players(step_size, step_size)

    def field(self, params, minibatch=0, players=BOTH):
        return Players(-params.discriminator, params.generator)

    def update(self, params, slopes):
        return Players(
            *(w + h * v for w, v, h in zip(params, slopes, self.step_sizes, strict=True))
        )


def error(scheme, steps):
    """The distance from where one radian takes the point (1, 0)."""
    params = Players(tf.constant(1.0, tf.float64), tf.constant(0.0, tf.float64))
    state = scheme.init(params)
    for _ in range(steps):
        params, state = scheme.step(Rotation(1.0 / steps), params, state)
    return np.hypot(params.generator - np.cos(1.0), params.discriminator - np.sin(1.0))


def test_it_is_of_second_order(documented):
    scheme = documented["AdamsBashforth"]()
    assert abs(np.log2(error(scheme, 100) / error(scheme, 200)) - 2) < 0.1


@pytest.fixture
def float64():
    yield from contracts.in_float64()
