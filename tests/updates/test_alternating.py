"""Alternating steps: their invariant on a rotation, and the naive loop."""

import numpy as np
import pytest

from tfgan_stab.game.players import Players
from tfgan_stab.updates.alternating import Alternating
from tfgan_stab.updates.lookahead import Lookahead


@pytest.mark.parametrize("h", [0.1, 0.3])
def test_invariant_of_rotation(tiny, h):
    # y' = y + h x, x' = x - h y' conserves x^2 + y^2 + h x y (with the discriminator first).
    def invariant(params):
        x, y = map(float, params)
        return x * x + y * y + h * x * y

    start, *_, end = tiny.play(Alternating(), tiny.Rotation(h), 1000)
    np.testing.assert_allclose(invariant(end), invariant(start), rtol=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_naive_loop(tiny, steps):
    strengths = tuple(1.0 + minibatch for minibatch in range(steps))
    *_, end = tiny.play(Alternating(steps), tiny.Rotation(Players(0.1, 0.2), strengths), 3)
    x, y = 0.6, -0.8
    for _ in range(3):
        for s in strengths:
            y += 0.2 * s * x
        x -= 0.1 * strengths[-1] * y
    np.testing.assert_allclose(end, [x, y], rtol=1e-12)


@pytest.mark.parametrize("steps", [1, 3])
def test_evaluations_and_minibatches(tiny, steps):
    scheme = Alternating(steps)
    game = tiny.Rotation(0.1, (1.0,) * steps)
    tiny.play(scheme, game, 1)
    expected = [(minibatch, ("discriminator",)) for minibatch in range(steps)]
    assert game.asked == [*expected, (steps - 1, ("generator",))]
    assert (scheme.evaluations, scheme.minibatches) == (steps + 1, steps)


@pytest.mark.parametrize("steps", [0, -1, 1.5, True, "2"])
def test_discriminator_steps_must_be_positive_integer(steps):
    message = (
        "`discriminator_steps` must be a number of updates per generator update, an integer >= 1. "
        f"Received: {steps!r}. Use 1"
    )
    with pytest.raises(ValueError, match=message):
        Alternating(steps)


@pytest.mark.parametrize("steps", [1, 3])
def test_reused_batch_has_new_noise_for_each_update(tiny, steps):
    scheme = Alternating(steps, reuse_batch=True)
    strengths = tuple(1.0 + minibatch for minibatch in range(steps + 1))
    game = tiny.Rotation(Players(0.1, 0.2), strengths)
    *_, end = tiny.play(scheme, game, 2)
    assert game.asked[: steps + 1] == [(n, ("discriminator",)) for n in range(steps)] + [
        (steps, ("generator",))
    ]
    x, y = 0.6, -0.8
    for _ in range(2):
        for s in strengths[:-1]:
            y += 0.2 * s * x
        x -= 0.1 * strengths[-1] * y
    np.testing.assert_allclose(end, [x, y], rtol=1e-12)
    assert (scheme.evaluations, scheme.minibatches) == (steps + 1, steps + 1)
    assert (scheme.data_minibatches, Alternating(steps).data_minibatches) == (1, steps)
    assert Lookahead(scheme, 2).data_minibatches == 1


@pytest.mark.parametrize("value", [1, None, "yes"])
def test_reuse_batch_must_be_a_truth_value(value):
    with pytest.raises(ValueError, match=f"`reuse_batch` must be one of True, False.*{value!r}"):
        Alternating(2, reuse_batch=value)
