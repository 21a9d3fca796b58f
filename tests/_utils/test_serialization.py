"""Settings objects survive Keras' serialization, nested ones and subclasses of users included."""

import dataclasses
import json
from typing import Any

import keras
import numpy as np
import pytest

import tfgan_stab as tgs
from tfgan_stab._utils.serialization import Serializable


@dataclasses.dataclass(frozen=True)
class Wrapped(Serializable):
    """A settings object around another one, as a scheme around a scheme."""

    inner: Any
    period: int = 5
    names: tuple[Any, ...] = ("a", "b")
    plain: Any = None


def through_json(value):
    written = json.dumps(keras.saving.serialize_keras_object(value))
    return keras.saving.deserialize_keras_object(json.loads(written))


@pytest.mark.parametrize(
    "settings",
    [
        tgs.ExponentialAverage(0.9, start=7),
        tgs.Alternating(discriminator_steps=3),
        tgs.Alternating(discriminator_steps=3, reuse_batch=True),
        tgs.Simultaneous(),
        Wrapped(tgs.Alternating(2), period=9),
        Wrapped(Wrapped(tgs.ExponentialAverage(0.5)), names=()),
        Wrapped((tgs.Simultaneous(), Wrapped(tgs.Alternating(2))), names=(("a",), ())),
        Wrapped(None, plain={"low": 1, "high": [2.5, "three"]}),
    ],
    ids=repr,
)
def test_what_is_read_back_equals_what_was_written(settings):
    found = through_json(settings)
    assert type(found) is type(settings)
    assert found == settings


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (lambda: tgs.R1(np.float32(0.5), interval=np.int64(4)), tgs.R1(0.5, interval=4)),
        (lambda: tgs.GradientPenalty(np.float64(3), np.int32(2)), tgs.GradientPenalty(3.0, 2)),
        (lambda: tgs.Consensus(np.float16(0.5)), tgs.Consensus(0.5)),
        (lambda: tgs.GeneratorGradientNorm(1), tgs.GeneratorGradientNorm(1.0)),
        (
            lambda: tgs.TopK(decay=np.float32(0.5), every=np.int64(3), floor=np.float32(0.25)),
            tgs.TopK(decay=0.5, every=3, floor=0.25),
        ),
        (lambda: tgs.TopK(floor=np.int64(3)), tgs.TopK(floor=3)),
        (lambda: tgs.ExponentialAverage(np.float32(0.75)), tgs.ExponentialAverage(0.75)),
        (
            lambda: tgs.Lookahead(tgs.Simultaneous(), np.int64(5), np.float32(0.5)),
            tgs.Lookahead(tgs.Simultaneous(), 5, 0.5),
        ),
    ],
    ids=["r1", "gp", "consensus", "norm", "top_k", "count", "average", "lookahead"],
)
def test_numpys_numbers_are_as_good_as_pythons(given, expected):
    found = given()
    assert found == expected
    for field in dataclasses.fields(found):
        value = getattr(found, field.name)
        assert type(value) in (int, float, bool, str, type(None), tgs.Simultaneous)
    assert through_json(found) == expected


def test_classes_are_known_to_keras_by_this_packages_name():
    name = keras.saving.get_registered_name(tgs.ExponentialAverage)
    assert name == "tfgan_stab>ExponentialAverage"
    found = keras.saving.get_registered_object(name)
    assert (found.__module__, found.__name__) == (
        "tfgan_stab.training.averaging.rules",
        "ExponentialAverage",
    )


@dataclasses.dataclass(frozen=True)
class Lookahead(tgs.updates.Scheme):
    """A user's scheme with the name of one of this package."""

    period: int = 3

    def step(self, game, params, state):
        return game.update(params, game.field(params)), state


def test_users_class_does_not_take_the_registered_name_of_ours():
    own, ours = Lookahead(7), tgs.Lookahead(tgs.Simultaneous(), 5)
    names = [keras.saving.get_registered_name(type(each)) for each in (own, ours)]
    assert names[1] == "tfgan_stab>Lookahead" != names[0]
    assert names[0].endswith(">Lookahead")
    for each in (own, ours):
        found = through_json(each)
        assert type(found) is type(each) and found == each


def test_values_are_checked_when_they_are_read_back():
    written = keras.saving.serialize_keras_object(tgs.ExponentialAverage(0.9))
    written["config"]["decay"] = 1.5
    with pytest.raises(ValueError, match=r"`decay` must be a number in \[0, 1\). Received: 1.5"):
        keras.saving.deserialize_keras_object(written)


@keras.saving.register_keras_serializable("tests")
def _loss(real_logits, fake_logits):
    return fake_logits


# -- Files of earlier versions ---------------------------------------------------------------------

RETIRED = {
    "TopK": (tgs.TopK(0.9), {"compute": "full", "with_batch_norm": False}),
    "GeneratorGradientNorm": (tgs.GeneratorGradientNorm(0.3), {"unbiased": False}),
}


@pytest.mark.parametrize("name", RETIRED)
def test_retired_settings_load_at_their_defaults(name):
    expected, retired = RETIRED[name]
    written = keras.saving.serialize_keras_object(expected)
    assert not set(retired) & set(written["config"])
    written["config"].update(retired)
    assert keras.saving.deserialize_keras_object(written) == expected


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("TopK", "compute", "selected"),
        ("TopK", "with_batch_norm", True),
        ("GeneratorGradientNorm", "unbiased", True),
    ],
)
def test_retired_settings_are_refused_at_other_values(name, setting, value):
    expected, retired = RETIRED[name]
    written = keras.saving.serialize_keras_object(expected)
    written["config"].update({**retired, setting: value})
    message = f"{name} has no setting `{setting}` any more.*{setting}={value!r}. Load it with that"
    with pytest.raises(ValueError, match=message):
        keras.saving.deserialize_keras_object(written)


@pytest.mark.parametrize(
    ("expected", "before", "now"),
    [
        (
            tgs.ConsistencyRegularization(2.0, fake_images_weight=3.0),
            "fakes_weight",
            "fake_images_weight",
        ),
        (
            tgs.game.losses.AdversarialLoss("own", _loss, _loss, generator_uses_real_logits=True),
            "generator_sees_reals",
            "generator_uses_real_logits",
        ),
    ],
)
def test_renamed_settings_load_under_their_earlier_names(expected, before, now):
    written = keras.saving.serialize_keras_object(expected)
    written["config"][before] = written["config"].pop(now)
    assert keras.saving.deserialize_keras_object(written) == expected


@pytest.mark.parametrize(
    ("saved", "loaded"), [("round", "step"), ("step", "step"), ("sync", "sync")]
)
@pytest.mark.parametrize("average", [tgs.ExponentialAverage(0.9), tgs.UniformAverage()], ids=repr)
def test_averages_that_version_0_1_saved_count_steps_or_synchronizations(average, saved, loaded):
    written = keras.saving.serialize_keras_object(average)
    written["config"]["at"] = saved
    found = keras.saving.deserialize_keras_object(written)
    assert found == dataclasses.replace(average, at=loaded)


def test_new_averages_count_steps_or_synchronizations_only():
    with pytest.raises(ValueError, match="`at` must be one of 'step', 'sync'. Received: 'round'"):
        tgs.ExponentialAverage(0.9, at="round")
