"""Rules refuse settings outside their range with a way out, and are saved and loaded by name."""

import dataclasses
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.training.averaging.rules import check_averages

BOTH = [tgs.ExponentialAverage, tgs.UniformAverage]
NO_NUMBERS = [0, -1, -0.5, float("nan"), float("inf"), "700", True]


@pytest.mark.parametrize("decay", [-0.1, 1.0, 1.5, float("nan"), "0.9", False])
def test_a_decay_outside_its_range_is_refused(decay):
    message = r"`decay` must be a number in \[0, 1\). Received: .*Use 0.999"
    with pytest.raises(ValueError, match=message):
        tgs.ExponentialAverage(decay)


@pytest.mark.parametrize("half_life", NO_NUMBERS)
def test_a_half_life_that_is_none_is_refused(half_life):
    message = (
        "`half_life` must be a number of steps or images, a number > 0. Received: .*half_life=700"
    )
    with pytest.raises(ValueError, match=message):
        tgs.ExponentialAverage(half_life=half_life)


def test_a_decay_and_a_half_life_at_once_are_refused():
    with pytest.raises(ValueError, match="both, decay=0.99 and half_life=100. Leave one out"):
        tgs.ExponentialAverage(0.99, half_life=100)


@pytest.mark.parametrize("unit", ["epochs", "image", None, 3])
def test_an_unknown_unit_is_refused(unit):
    with pytest.raises(ValueError, match="`unit` must be one of 'steps', 'images'. Received: "):
        tgs.ExponentialAverage(half_life=10, unit=unit)


def test_a_unit_without_a_half_life_is_refused():
    with pytest.raises(ValueError, match="unit='images' without a half-life"):
        tgs.ExponentialAverage(0.9, unit="images")


@pytest.mark.parametrize("warmup", ["none", None, True, 100])
def test_an_unknown_warmup_is_refused(warmup):
    message = "`warmup` must be one of 'copy', 'unbiased'. Received: .*Use \"copy\""
    with pytest.raises(ValueError, match=message):
        tgs.ExponentialAverage(warmup=warmup)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("start", [-1, 2.5, None, True, "3"])
def test_a_start_that_is_no_count_is_refused(kind, start):
    with pytest.raises(ValueError, match="`start` must be a number of steps, an integer >= 0"):
        kind(start=start)


@pytest.mark.parametrize("kind", BOTH)
def test_an_unknown_moment_is_refused(kind):
    message = "`at` must be one of 'step', 'sync'. Received: 'epoch'.*Use \"step\""
    with pytest.raises(ValueError, match=message):
        kind(at="epoch")


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("treatment", ["none", None, 3])
def test_an_unknown_treatment_of_batch_statistics_is_refused(kind, treatment):
    message = "`batch_statistics` must be one of 'average', 'copy', 'recalibrate'. Received: "
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
    message = "`discriminator` must be one of True, False. Received: 1. Use True"
    with pytest.raises(ValueError, match=message):
        kind(discriminator=1)


def test_nothing_given_is_the_papers_usual_decay():
    assert tgs.ExponentialAverage().decay == 0.999
    assert tgs.ExponentialAverage(half_life=5).decay is None


@pytest.mark.parametrize(
    "averages", [tgs.ExponentialAverage(), [tgs.ExponentialAverage()], {"ema": 0.999}]
)
def test_averages_that_are_no_dictionary_of_averages_are_refused(averages):
    with pytest.raises(TypeError, match="`averages` must be a dictionary such as"):
        check_averages(averages)


def test_a_class_in_place_of_an_average_is_refused():
    with pytest.raises(TypeError, match="`averages` must be a dictionary.*class"):
        check_averages({"ema": tgs.ExponentialAverage})


@pytest.mark.parametrize("name", ["live", "", "two words", 3])
def test_a_name_that_cannot_be_one_is_refused(name):
    message = "identifier other than 'live'.*Received: " + re.escape(repr(name))
    with pytest.raises(ValueError, match=message):
        check_averages({name: tgs.ExponentialAverage()})


def test_no_averages_are_none():
    assert check_averages(None) == {}


VERSION_0_1 = [
    ({"decay": 0.9, "at": "round"}, tgs.ExponentialAverage(0.9)),
    ({"half_life": 5, "unit": "rounds"}, tgs.ExponentialAverage(half_life=5)),
    ({"half_life": 5, "unit": "images"}, tgs.ExponentialAverage(half_life=5, unit="images")),
    ({"decay": 0.9, "at": "sync"}, tgs.ExponentialAverage(0.9, at="sync")),
    ({"start": 3, "at": "round"}, tgs.UniformAverage(start=3)),
]


@pytest.mark.parametrize(("config", "expected"), VERSION_0_1)
def test_averages_that_version_0_1_saved_count_steps(config, expected):
    before = dict(config)
    assert type(expected).from_config(config) == expected
    assert config == before
    # As it stands in a `.keras` file, by the name of the class.
    written = keras.saving.serialize_keras_object(expected)
    written["config"].update(config)
    assert keras.saving.deserialize_keras_object(written) == expected


@dataclasses.dataclass(frozen=True)
class Polynomial(tgs.Average):
    """A user's rule with a setting: the t-th weights since the start count like t^power."""

    power: float = 1.0

    def weight_of_point(self, point):
        number = tf.cast(point.number, tf.float64)
        # Exact for power 1, whose weights 1, 2, ..., t add up to t (t + 1) / 2.
        return (self.power + 1) / (number + self.power)


def test_an_own_rule_is_abstract_until_it_weighs_points():
    class Unfinished(tgs.Average):
        """Without `weight_of_point`."""

    for kind in (tgs.Average, Unfinished):
        with pytest.raises(TypeError, match="weight_of_point"):
            kind()
    with pytest.raises(ValueError, match="`start` must be a number of steps"):
        Polynomial(start=-1)


@pytest.mark.slow
def test_an_own_rule_trains_and_goes_on_from_a_keras_file(tiny, tmp_path):
    keras.utils.set_random_seed(1)
    rule = Polynomial(power=1.0, start=1)
    gan, recorded = tiny.point_gan({"own": rule}, eager=True), []
    data = tgs.data.mixture(batch_size=4)

    def train(model, steps):
        trace = tiny.Trace(lambda hook: recorded.append(tiny.network(model)), "on_train_batch_end")
        model.fit(data, epochs=1, steps_per_epoch=steps, callbacks=[trace], verbose=0)

    train(gan, 3)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert loaded.averages == {"own": rule}
    assert tiny.same(tiny.average(loaded, "own"), tiny.average(gan, "own"))
    train(loaded, 2)
    shares = np.arange(1, 5) / 10  # Of the steps after the first, which is before the start.
    for mine, *history in zip(tiny.average(loaded, "own"), *recorded[1:], strict=True):
        expected = np.tensordot(shares, np.array(history, np.float64), axes=1)
        np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-6)
