"""How a GAN is written into a `.keras` file and read back, settings of `compile` included."""

from typing import Any

import keras


class SavableGAN(keras.Model):
    """What Keras asks of a model that it saves."""

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, for Keras' serialization."""
        return {
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "latents": keras.saving.serialize_keras_object(self.latents),
            "num_classes": self.num_classes,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Returns the model that a configuration describes, not yet compiled."""
        config = dict(config)
        for name in ("generator", "discriminator", "latents"):
            config[name] = keras.saving.deserialize_keras_object(
                config[name], custom_objects=custom_objects
            )
        return cls(**config)

    def get_compile_config(self) -> dict[str, Any] | None:
        """Returns the arguments of `compile`, for Keras' serialization."""
        if not self.compiled:
            return None
        return keras.saving.serialize_keras_object(self._compile_settings)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles with the arguments that a configuration describes."""
        self.compile(**keras.saving.deserialize_keras_object(config))
