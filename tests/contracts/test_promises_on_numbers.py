"""What every scheme promises, on a game of three numbers: cheap, so for each of them."""

import numpy as np
import pytest
import tensorflow as tf
from schemes import SCHEMES

from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.updates.scheme import Game

each_scheme = pytest.mark.parametrize("name", SCHEMES)


class Counted(Game):
    """A curved game, one strength per minibatch, that notes what it is asked.

    It has no `extrapolate` of its own, so that trial points are updates.
    """

    step_sizes = None  # In the place of the abstract property.

    def __init__(self, step_size=0.1, dtype="float64"):
        self.step_sizes = Players(tf.constant(step_size, dtype), tf.constant(step_size, dtype))
        self.asked = []
        self.first_slope_only = False

    def field(self, params, minibatch=0, players=BOTH):
        self.asked.append((minibatch, tuple(players)))
        (x,), (y, z) = params
        strength = tf.cast(1.0 + minibatch, x.dtype)
        slopes = Players([-strength * y - x**3], [strength * x[:1] - y, -z * x[:1]])
        if self.first_slope_only and len(self.asked) > 1:
            slopes = tf.nest.map_structure(tf.zeros_like, slopes)
        return Players(
            *(own if name in players else None for name, own in zip(BOTH, slopes, strict=True))
        )

    def update(self, params, slopes):
        return Players(
            *(
                own if slope is None else [w + h * s for w, s in zip(own, slope, strict=True)]
                for own, slope, h in zip(params, slopes, self.step_sizes, strict=True)
            )
        )


def start(dtype="float64"):
    numbers = ([0.6], [-0.8], [0.3])
    x, y, z = (tf.constant(own, dtype) for own in numbers)
    return Players([x], [y, z])


@each_scheme
def test_evaluations_and_minibatches_are_as_stated(name):
    scheme, _ = SCHEMES[name]
    game, params = Counted(), start()
    state = scheme.init(params)
    for steps in range(1, 4):
        params, state = scheme.step(game, params, state)
        assert len(game.asked) == steps * scheme.evaluations
    assert {minibatch for minibatch, _ in game.asked} == set(range(scheme.minibatches))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@each_scheme
def test_structures_shapes_and_types_are_kept(name, dtype):
    scheme, _ = SCHEMES[name]
    params = start(dtype)
    state = scheme.init(params)
    after, state_after = scheme.step(Counted(dtype=dtype), params, state)
    for one, other in ((params, after), (state, state_after)):
        tf.nest.assert_same_structure(one, other)
        for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)


@each_scheme
def test_arguments_are_not_changed(name):
    scheme, _ = SCHEMES[name]
    params = start()
    state = scheme.init(params)
    given = [*tf.nest.flatten(params), *tf.nest.flatten(state)]
    before = [value.numpy().copy() for value in given]
    scheme.step(Counted(), params, state)
    for value, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(value.numpy(), copy)


@each_scheme
def test_step_sizes_of_zero_change_no_bit(name):
    scheme, _ = SCHEMES[name]
    params = start()
    state = scheme.init(params)
    for _ in range(4):
        params, state = scheme.step(Counted(step_size=0.0), params, state)
    for now, then in zip(tf.nest.flatten(params), tf.nest.flatten(start()), strict=True):
        np.testing.assert_array_equal(now, then)


@each_scheme
def test_first_weight_is_the_first_slopes_part_of_the_step(name):
    scheme, _ = SCHEMES[name]
    if hasattr(scheme, "inner"):
        assert scheme.first_weight == scheme.inner.first_weight
        return
    game, params = Counted(), start()
    game.first_slope_only = True
    after, _ = scheme.step(game, params, scheme.init(params))
    moved = after.discriminator[0] - params.discriminator[0]
    slope = Counted().field(params).discriminator[0]
    np.testing.assert_allclose(moved, 0.1 * scheme.first_weight * slope, rtol=1e-12)


@each_scheme
def test_separate_extrapolation_is_a_setting(name):
    assert SCHEMES[name][0].separate_extrapolation == ("separate" in name)
