"""Networks here have their channels last, whatever keras.json says."""

import functools
from collections.abc import Callable
from typing import ParamSpec

import keras

Parameters = ParamSpec("Parameters")


def channels_last(build: Callable[Parameters, keras.Model]) -> Callable[Parameters, keras.Model]:
    """Makes a function build its layers with channels last; each layer remembers that.

    Args:
        build: Builds a network.

    Example:
        >>> make = channels_last(lambda: keras.Sequential([keras.layers.Conv2D(1, 3)]))
        >>> keras.config.set_image_data_format("channels_first")
        >>> make().layers[0].data_format, keras.config.image_data_format()
        ('channels_last', 'channels_first')
        >>> keras.config.set_image_data_format("channels_last")
    """

    @functools.wraps(build)
    def built(*args: Parameters.args, **kwargs: Parameters.kwargs) -> keras.Model:
        before = keras.config.image_data_format()
        keras.config.set_image_data_format("channels_last")
        try:
            return build(*args, **kwargs)
        finally:
            keras.config.set_image_data_format(before)

    return built
