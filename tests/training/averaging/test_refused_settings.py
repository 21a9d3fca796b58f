"""Settings of averages outside their range are refused, with the range and a way out."""

import pytest

import tfgan_stab as tgs

BOTH = [tgs.ExponentialAverage, tgs.UniformAverage]
NO_NUMBERS = [0, -1, -0.5, float("nan"), float("inf"), "700", True]


@pytest.mark.parametrize("half_life", NO_NUMBERS)
def test_a_half_life_that_is_none_is_refused(half_life):
    message = "`half_life` must be a number > 0 of steps or images. Received: .*half_life=700"
    with pytest.raises(ValueError, match=message):
        tgs.ExponentialAverage(half_life=half_life)


def test_a_decay_and_a_half_life_at_once_are_refused():
    with pytest.raises(ValueError, match="both, decay=0.99 and half_life=100. Leave one out"):
        tgs.ExponentialAverage(0.99, half_life=100)


@pytest.mark.parametrize("unit", ["epochs", "image", None, 3])
def test_an_unknown_unit_is_refused(unit):
    with pytest.raises(ValueError, match='`unit` must be "steps" or "images".*Received: '):
        tgs.ExponentialAverage(half_life=10, unit=unit)


def test_a_unit_without_a_half_life_is_refused():
    with pytest.raises(ValueError, match="unit='images' without a half-life"):
        tgs.ExponentialAverage(0.9, unit="images")


@pytest.mark.parametrize("warmup", ["none", None, True, 100])
def test_an_unknown_warmup_is_refused(warmup):
    with pytest.raises(ValueError, match='`warmup` must be "copy" .* or "unbiased".*Received: '):
        tgs.ExponentialAverage(warmup=warmup)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("start", [-1, 2.5, None, True, "3"])
def test_a_start_that_is_no_count_is_refused(kind, start):
    with pytest.raises(ValueError, match="`start` must be a number of steps, an integer >= 0"):
        kind(start=start)


@pytest.mark.parametrize("kind", BOTH)
def test_an_unknown_moment_is_refused(kind):
    with pytest.raises(ValueError, match='`at` must be "step".*"sync".*\'epoch\''):
        kind(at="epoch")


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("treatment", ["none", None, 3])
def test_an_unknown_treatment_of_batch_statistics_is_refused(kind, treatment):
    message = '`batch_statistics` must be "average".*"copy".*"recalibrate".*Received: '
    with pytest.raises(ValueError, match=message):
        kind(batch_statistics=treatment)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("name", "value", "least"),
    [
        ("recalibration_batches", 0, 1),
        ("recalibration_batches", 2.0, 1),
        ("recalibration_batch_size", 1, 2),
        ("recalibration_batch_size", True, 2),
    ],
)
def test_a_recalibration_over_too_little_is_refused(kind, name, value, least):
    message = f"`{name}` must be an integer >= {least}. Received: {value!r}. Use "
    with pytest.raises(ValueError, match=message):
        kind(**{name: value})


@pytest.mark.parametrize("kind", BOTH)
def test_a_choice_of_networks_that_is_none_is_refused(kind):
    with pytest.raises(ValueError, match="`discriminator` must be True .*or False. Received: 1"):
        kind(discriminator=1)


def test_nothing_given_is_the_papers_usual_decay():
    assert tgs.ExponentialAverage().decay == 0.999
    assert tgs.ExponentialAverage(half_life=5).decay is None
