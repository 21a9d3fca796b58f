"""How a GAN is saved, and what of it is exported."""

import warnings
from typing import Any

import keras

from tfgan_stab.training.averaging.swap import LIVE, WeightsInUse
from tfgan_stab.training.fit_checks import check_ending


class Saving(keras.Model):
    """What Keras asks of a model that is saved; part of `tgs.GAN`."""

    generator: keras.Model
    discriminator: keras.Model
    latents: Any
    num_classes: int | None
    weights_in_use: WeightsInUse
    class_shares: tuple[int, ...] = ()  # In the data; () where classes are as frequent, or unknown.
    _compile_settings: dict[str, Any]

    def save(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Saves everything, in a file that ends in `.keras`, as `keras.Model.save`."""
        check_ending(filepath, kwargs.get("zipped"))
        self._warn_of_average()
        super().save(filepath, *args, **kwargs)

    def save_weights(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Saves all weights, as `keras.Model.save_weights`."""
        self._warn_of_average()
        super().save_weights(filepath, *args, **kwargs)

    def _warn_of_average(self) -> None:
        """Warns if an average is in the place of the trained weights, which the file then lacks."""
        if self.weights_in_use.current != LIVE:
            name = str(self.weights_in_use.current)
            warnings.warn(
                f"The file holds the average {name!r}, which is in use, and not the trained "
                "weights: training cannot go on from it. Save outside of `using`; a loaded GAN has "
                f"its averages, gan.sample(8, weights={name!r}).",
                UserWarning,
                stacklevel=3,
            )

    def export(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Exports the generator with the weights in use, as `keras.Model.export`.

        A SavedModel's `serve` takes latents, or a list of latents and labels.
        """
        self.generator.export(filepath, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, for Keras' serialization."""
        return {
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "latents": keras.saving.serialize_keras_object(self.latents),
            "num_classes": self.num_classes,
            "name": self.name,
            **({"class_shares": list(self.class_shares)} if self.class_shares else {}),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Returns the model that a configuration describes, not yet compiled."""
        config = dict(config)
        for name in ("generator", "discriminator", "latents"):
            config[name] = keras.saving.deserialize_keras_object(
                config[name], custom_objects=custom_objects
            )
        shares = config.pop("class_shares", ())
        model = cls(**config)
        model.class_shares = tuple(shares)
        return model

    def get_compile_config(self) -> dict[str, Any] | None:
        """Returns the arguments of `compile`, for Keras' serialization."""
        if not self.compiled:
            return None
        return keras.saving.serialize_keras_object(self._compile_settings)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles with the arguments that a configuration describes."""
        self.compile(**keras.saving.deserialize_keras_object(config))
