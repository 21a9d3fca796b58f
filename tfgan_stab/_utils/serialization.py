"""Settings objects that Keras can save: schemes, averages, latent samplers."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np


class Serializable:
    """Lets Keras save and load a dataclass by its fields, nested ones included.

    Subclasses are registered with Keras when they are defined, so that a saved `GAN` finds them.
    Fields that are given as NumPy's numbers, such as `np.float32(0.5)`, hold Python's when they are
    checked: JSON knows no others.

    Attributes:
        RETIRED: Settings that earlier versions saved and that are gone, each with the only value
            that can be left out without changing what the object does.
        RENAMED: Settings that earlier versions saved under other names: those names, and today's.
    """

    RETIRED: ClassVar[dict[str, Any]] = {}
    RENAMED: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Under the package's name, so that a user's `Lookahead` does not take the place of ours.
        keras.saving.register_keras_serializable(cls.__module__.partition(".")[0])(cls)
        if "__post_init__" in vars(cls):
            checked = _with_plain_numbers(vars(cls)["__post_init__"])
            cls.__post_init__ = checked  # type: ignore[attr-defined]

    def get_config(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Returns the object that a configuration describes.

        Raises:
            ValueError: If it has a setting of an earlier version that is gone.
        """
        settings = {
            cls.RENAMED.get(name, name): _deserialized(value) for name, value in config.items()
        }
        for name, value in cls.RETIRED.items():
            if settings.pop(name, value) != value:
                raise ValueError(
                    f"{cls.__name__} has no setting `{name}` any more. Received: a file of an "
                    f"earlier version with {name}={config[name]!r}. Load it with that version."
                )
        return cls(**settings)


def _with_plain_numbers(check: Callable[[Any], None]) -> Callable[[Any], None]:
    @functools.wraps(check)
    def checked(settings: Any) -> None:
        for field in dataclasses.fields(settings):
            value = getattr(settings, field.name)
            if isinstance(value, np.generic):
                object.__setattr__(settings, field.name, value.item())
        check(settings)

    return checked


def _deserialized(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        # JSON knows no tuples, and settings that never change hold no lists.
        return tuple(map(_deserialized, value))
    if isinstance(value, dict) and "class_name" in value:
        return keras.saving.deserialize_keras_object(value)
    return value
