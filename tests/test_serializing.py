"""Settings objects survive Keras' serialization, nested ones and subclasses of users included."""

import dataclasses
import json
from typing import Any

import keras
import pytest

import tfgan_stab as tgs
from tfgan_stab.serializing import Serializable


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


def test_classes_are_known_to_keras_by_this_packages_name():
    name = keras.saving.get_registered_name(tgs.ExponentialAverage)
    assert name == "tfgan_stab>ExponentialAverage"
    found = keras.saving.get_registered_object(name)
    assert (found.__module__, found.__name__) == (
        "tfgan_stab.averaging.exponential",
        "ExponentialAverage",
    )


def test_values_are_checked_when_they_are_read_back():
    written = keras.saving.serialize_keras_object(tgs.ExponentialAverage(0.9))
    written["config"]["decay"] = 1.5
    with pytest.raises(ValueError, match="`decay` must be in"):
        keras.saving.deserialize_keras_object(written)
