"""Settings objects that Keras can save: schemes, averages, latent samplers."""

import dataclasses
from typing import Any

import keras


class Serializable:
    """Lets Keras save and load a dataclass by its fields, nested ones included.

    Subclasses are registered with Keras when they are defined, so that a saved `GAN` finds them.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        keras.saving.register_keras_serializable("tfgan_stab")(cls)

    def get_config(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Returns the object that a configuration describes."""
        return cls(**{name: _deserialized(value) for name, value in config.items()})


def _deserialized(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        # JSON knows no tuples, and settings that never change hold no lists.
        return tuple(map(_deserialized, value))
    if isinstance(value, dict) and "class_name" in value:
        return keras.saving.deserialize_keras_object(value)
    return value
