"""EMA-slow: an average that is updated only when a lookahead synchronizes."""

import numpy as np
import pytest

import tfgan_stab as tgs


def trained(tiny, scheme, averages, steps):
    """Each step's weights and those of the averages, after training from fixed weights."""
    gan = tiny.point_gan(averages, eager=True, scheme=scheme)
    random = np.random.RandomState(0)
    for variable in gan.generator.variables + gan.discriminator.variables:
        variable.assign(np.abs(random.normal(size=variable.shape, scale=0.5)))
    start = tiny.network(gan)
    seen = []

    def note(hook):
        seen.append((tiny.network(gan), {name: tiny.average(gan, name) for name in averages}))

    data = tgs.data.mixture(batch_size=8)
    trace = tiny.Trace(note, "on_train_batch_end")
    gan.fit(data, epochs=1, steps_per_epoch=steps, callbacks=[trace], verbose=0)
    return start, seen


@pytest.mark.cases(full=2)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "period"),
    [
        (tgs.Lookahead(tgs.Alternating(), sync_period=3), 3),
        (tgs.Lookahead(tgs.Alternating(), 2, super_slow_period=4), 2),
        (tgs.Lookahead(tgs.Lookahead(tgs.Alternating(), 2), 4), 2),
    ],
    ids=["one level", "two levels", "nested"],
)
def test_it_takes_in_the_weights_after_each_synchronization_and_no_others(tiny, scheme, period):
    decay = 0.75
    start, seen = trained(tiny, scheme, {"slow": tgs.ExponentialAverage(decay, at="sync")}, 8)
    expected = [value.astype("float64") for value in start]
    for number, (weights, averages) in enumerate(seen, start=1):
        if number % period == 0:
            expected = [
                decay * old + (1 - decay) * new for old, new in zip(expected, weights, strict=True)
            ]
        for mine, theirs in zip(averages["slow"], expected, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
    between = [a["slow"] for _, a in seen[period - 1 : 2 * period - 1]]
    assert all(tiny.same(between[0], other) for other in between)


@pytest.mark.slow
def test_a_period_of_one_is_an_average_of_every_step_bit_for_bit(tiny):
    averages = {
        "slow": tgs.ExponentialAverage(0.75, at="sync"),
        "every": tgs.ExponentialAverage(0.75),
    }
    _, seen = trained(tiny, tgs.Lookahead(tgs.Alternating(), sync_period=1), averages, 4)
    assert tiny.same(seen[-1][1]["slow"], seen[-1][1]["every"])


@pytest.mark.slow
def test_until_its_start_it_is_a_copy_after_each_step(tiny):
    average = tgs.ExponentialAverage(0.75, start=4, at="sync")
    scheme = tgs.Lookahead(tgs.Alternating(), sync_period=3)
    _, seen = trained(tiny, scheme, {"slow": average}, 6)
    for number, (weights, averages) in enumerate(seen, start=1):
        assert tiny.same(averages["slow"], weights) == (number <= 4)
    slow = [0.75 * old + 0.25 * new for old, new in zip(seen[3][0], seen[5][0], strict=True)]
    for mine, theirs in zip(seen[5][1]["slow"], slow, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


def test_it_is_refused_with_a_scheme_that_never_synchronizes(tiny):
    with pytest.raises(ValueError, match="updated when a Lookahead synchronizes.*Wrap it"):
        tiny.point_gan({"slow": tgs.ExponentialAverage(0.9, at="sync")})
