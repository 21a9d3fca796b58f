"""Anything as an extractor: a function, a Keras model, a name."""

import functools
import importlib
import inspect
import os
import re
import weakref
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab._utils.model_hash import model_hash
from tfgan_stab.evaluation.extractors.base import Extractor

# What `as_extractor` knows by name: module and class.
_NAMED = {
    "digits": ("digits", "DigitsClassifier"),
    "random": ("random", "RandomFeatures"),
    "inception": ("inception", "Inception"),
}
# Environment variables that say where networks are.
_PLACES = ("TFGAN_STAB_CACHE", "TFGAN_STAB_INCEPTION", "HOME")


class FunctionExtractor(Extractor):
    """Any function or Keras model as an extractor.

    Args:
        function: A Keras model, called with `training=False`, or a function; takes float32 images
            `[batch, height, width, channels]` in [-1, 1] (or points `[batch, size]`) and returns
            features `[batch, features]`. Must treat each image alone.
        name: Its name in protocols; by default the function's or model's own.
        content_hash: What tells versions apart. By default, for a Keras model, the hash of its
            weights and its configuration (see `model_hash`), and for a function the hash of the
            features of a fixed noise image of the same shape, known once images were seen; rounding
            may make the latter another on another machine, so pass a hash to compare scores across
            machines.
        batch_size: Images per call, an integer >= 1.

    Raises:
        TypeError: If `function` cannot be called.
        ValueError: If `batch_size` is no integer or out of range.

    Example:
        >>> def flat(images):
        ...     return tf.reshape(images, [len(images), -1])
        >>> FunctionExtractor(flat)(tf.zeros([3, 2, 2, 1])).shape
        (3, 4)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        content_hash: str | None = None,
        batch_size: int = 256,
    ) -> None:
        if not callable(function):
            raise TypeError(
                "An extractor must be 'digits', 'random', 'inception', a Keras model, a function "
                f"of images or an object with name, content_hash and __call__. Received: "
                f"{function!r}."
            )
        self.name = (name or _name_of(function)).replace("/", "-")
        self._function = function
        self._hash = content_hash
        self.batch_size = validation.integer("batch_size", batch_size)
        self._forward = _traced(function)

    @property
    def content_hash(self) -> str:
        """Short hash of what determines the features.

        A Keras model's is taken anew at each look, in a few ms per MB of weights, so that a model
        that is trained on never keeps its previous one.

        Raises:
            RuntimeError: If it was not given and no image was seen yet, or the model has no weights
                yet.
        """
        if self._hash is not None:
            return self._hash
        if isinstance(self._function, keras.Model):
            return model_hash(self._function)[:8]
        return super().content_hash

    def run(self, images: tf.Tensor) -> Any:
        """Returns what the function or the model makes of images."""
        try:
            return self._forward(images)
        except ValueError as error:
            if not isinstance(self._function, keras.Model):
                raise
            raise ValueError(
                f"The extractor {self.name!r} must take images of shape {list(images.shape[1:])}. "
                f"It refuses them: {_reason(error)}. Resize images in front "
                "of it, or use another extractor."
            ) from error


def _traced(function: Callable[..., Any]) -> Callable[[tf.Tensor], Any]:
    """Keras models run as a graph, traced once; a function may hold NumPy and runs as it is."""
    if isinstance(function, keras.Model):
        return tf.function(lambda images: function(images, training=False))
    return function


def _reason(error: ValueError) -> str:
    """Returns what Keras has to say, without the lines that led there and its colors."""
    text = str(error).partition("ValueError: ")[2] or str(error)
    lines = [re.sub(r"\x1b\[\d+m", "", line).strip() for line in text.splitlines()]
    telling = [line for line in lines if line and not line.startswith("Exception encountered")]
    return telling[0].rstrip(".") if telling else type(error).__name__


def _name_of(function: Callable[..., Any]) -> str:
    name = getattr(function, "name", None) or getattr(function, "__name__", None)
    return (name or type(function).__name__).strip("<>")


# One extractor for all scores that are given a function, so that they share its features. It keeps
# the function alive, and with that its number.
_of_functions: weakref.WeakValueDictionary[int, FunctionExtractor] = weakref.WeakValueDictionary()


def as_extractor(extractor: Any) -> Extractor:
    """Returns the extractor that a name, a Keras model or a function stands for.

    Args:
        extractor: "digits" (`DigitsClassifier`), "random" (`RandomFeatures`), "inception"
            (`Inception`, from its default place), a Keras model, a function of images, or an
            extractor.

    Raises:
        ValueError: If the name is unknown.
        TypeError: If it is nothing that can be called.

    Example:
        >>> as_extractor("digits").name
        'digits-classifier'
    """
    if isinstance(extractor, str):
        return _named(extractor, tuple(os.environ.get(place) for place in _PLACES))
    # Looked up without evaluating it: a content hash may cost the training of its network.
    if inspect.getattr_static(extractor, "content_hash", None) is not None:
        return extractor
    known = _of_functions.get(id(extractor))
    if known is None:
        known = _of_functions[id(extractor)] = FunctionExtractor(extractor)
    return known


@functools.cache
def _named(name: str, places: tuple[str | None, ...]) -> Extractor:
    """One extractor for all scores that name it, so that they share its features.

    Args:
        name: Its name.
        places: Where networks are kept: with another place it is another extractor.
    """
    if name in _NAMED:
        # Imported on first use, since each of them brings its own network.
        module, kind = _NAMED[name]
        package = "tfgan_stab.evaluation.extractors"
        return getattr(importlib.import_module(f"{package}.{module}"), kind)()
    raise ValueError(
        f"The extractors known by name are: {', '.join(map(repr, _NAMED))}. "
        f"Received: {name!r}. Pass a Keras model or a function for any other."
    )
