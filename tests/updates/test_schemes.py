"""Schemes on games of two numbers, where everything is known."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.updates.alternating import Alternating
from tfgan_stab.updates.scheme import check_scheme
from tfgan_stab.updates.simultaneous import Simultaneous


class Rotation:
    """min over x, max over y of s x y, one strength s per part, with plain gradient steps."""

    def __init__(self, step_sizes, strengths=(1.0,)):
        self.step_sizes = step_sizes
        self.strengths = strengths
        self.asked = []

    def field(self, params, minibatch=0, players=BOTH):
        self.asked.append((minibatch, tuple(players)))
        x, y = params
        s = self.strengths[minibatch]
        return Players(
            -s * y if "generator" in players else None,
            s * x if "discriminator" in players else None,
        )

    def update(self, params, slopes):
        return Players(
            *(
                p if slope is None else p + h * slope
                for p, slope, h in zip(params, slopes, self.step_sizes, strict=True)
            )
        )

    extrapolate = update


def start():
    return Players(tf.constant(0.6, tf.float64), tf.constant(-0.8, tf.float64))


def play(scheme, game, steps):
    params = start()
    state = scheme.init(params)
    for _ in range(steps):
        params, state = scheme.step(game, params, state)
    return params


@pytest.mark.parametrize("h", [0.1, 0.3])
def test_simultaneous_steps_multiply_the_radius_of_a_rotation_as_euler_does(h):
    end = play(Simultaneous(), Rotation(Players(h, h)), 50)
    np.testing.assert_allclose(math.hypot(*end), (1 + h * h) ** 25, rtol=1e-12)


def test_two_step_sizes_move_each_player_by_its_own():
    end = play(Simultaneous(), Rotation(Players(0.1, 0.4)), 1)
    np.testing.assert_allclose(end, [0.6 + 0.1 * 0.8, -0.8 + 0.4 * 0.6], rtol=1e-12)


@pytest.mark.parametrize("h", [0.1, 0.3])
def test_alternating_steps_keep_the_invariant_of_a_rotation(h):
    # y' = y + h x, x' = x - h y' conserves x^2 + y^2 + h x y (with the discriminator first).
    def invariant(params):
        x, y = map(float, params)
        return x * x + y * y + h * x * y

    end = play(Alternating(), Rotation(Players(h, h)), 1000)
    np.testing.assert_allclose(invariant(end), invariant(start()), rtol=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_alternating_is_the_naive_loop(steps):
    strengths = tuple(1.0 + minibatch for minibatch in range(steps))
    end = play(Alternating(steps), Rotation(Players(0.1, 0.2), strengths), 3)
    x, y = 0.6, -0.8
    for _ in range(3):
        for s in strengths:
            y += 0.2 * s * x
        x -= 0.1 * strengths[-1] * y
    np.testing.assert_allclose(end, [x, y], rtol=1e-12)


@pytest.mark.parametrize("scheme", [Simultaneous(), Alternating(), Alternating(3)], ids=repr)
def test_a_scheme_makes_as_many_evaluations_as_it_states_and_uses_every_part(scheme):
    game = Rotation(Players(0.1, 0.1), (1.0,) * scheme.minibatches)
    play(scheme, game, 1)
    assert len(game.asked) == scheme.evaluations
    assert {minibatch for minibatch, _ in game.asked} == set(range(scheme.minibatches))


@pytest.mark.parametrize("steps", [0, -1, 1.5, True, "2"])
def test_impossible_numbers_of_discriminator_steps_are_refused(steps):
    with pytest.raises(ValueError, match="`discriminator_steps` must be an integer >= 1"):
        Alternating(steps)


def test_what_is_no_scheme_is_refused_and_told_what_it_lacks():
    with pytest.raises(TypeError, match="Received: 'euler'. It lacks .*'step'"):
        check_scheme("euler")


def test_a_class_instead_of_an_instance_is_refused_with_what_to_write():
    with pytest.raises(
        TypeError, match=r"Received: Simultaneous itself. Write `Simultaneous\(...\)`"
    ):
        check_scheme(Simultaneous)
