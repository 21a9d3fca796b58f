"""Images -> features: what every extractor promises, and which ones there are.

An extractor gives an image the same features, bit for bit, whatever batch it arrives in: the
network only ever sees batches of one size, the last one filled up. So a score depends on the images
alone, and a resumed run repeats it.
"""

import functools
import inspect
import os
import weakref
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from tfgan_stab.evaluation.extractors.fixed_batches import in_fixed_batches
from tfgan_stab.evaluation.extractors.function import FunctionExtractor
from tfgan_stab.evaluation.metrics.inputs import checked_images

__all__ = [
    "Extractor",
    "FunctionExtractor",
    "Outputs",
    "as_extractor",
    "checked_images",
    "described",
    "in_fixed_batches",
    "outputs_of",
]

# What `as_extractor` knows by name.
_NAMES = ("digits", "random", "inception")
# One extractor for all scores that are given a function, so that they share its features. It keeps
# the function alive, and with that its number.
_of_functions: weakref.WeakValueDictionary[int, FunctionExtractor] = weakref.WeakValueDictionary()
# Environment variables that say where networks are.
_PLACES = ("TFGAN_STAB_CACHE", "TFGAN_STAB_INCEPTION", "HOME")


class Outputs(NamedTuple):
    """What one run of a network says of a batch of images.

    Args:
        features: Floats `[batch, features]`.
        logits: Floats `[batch, classes]`, or None of an extractor that is no classifier.
    """

    features: np.ndarray
    logits: np.ndarray | None


class Extractor(Protocol):
    """Turns images into features.

    An extractor may have more: `outputs(images) -> Outputs`, where one run of its network gives
    logits as well; `preprocessing`, what it does to images first, as protocols say it (such as
    "tf1-resize"); `layer`, which of its network's layers the features are (such as "pool_3").
    """

    @property
    def name(self) -> str:
        """What protocols call it, without slashes."""
        ...

    @property
    def content_hash(self) -> str:
        """Short hash of what determines the features; other weights, other hash."""
        ...

    def __call__(self, images: ArrayLike) -> np.ndarray:
        """Returns float features `[batch, features]` of images `[batch, ...]` in [-1, 1]."""
        ...


def outputs_of(extractor: Extractor, images: ArrayLike) -> Outputs:
    """Returns features, and logits where the extractor has any, from one run of its network.

    Args:
        extractor: Any extractor.
        images: As for a call of it.

    Example:
        >>> from tfgan_stab.evaluation.extractors.random import RandomFeatures
        >>> outputs = outputs_of(RandomFeatures(), np.zeros([3, 8, 8, 1], "float32"))
        >>> outputs.features.shape, outputs.logits
        ((3, 256), None)
    """
    if hasattr(extractor, "outputs"):
        return extractor.outputs(images)
    return Outputs(extractor(images), None)


def described(extractor: Extractor, feature_size: int) -> str:
    """Returns how protocols say which features were taken, of images treated how.

    Args:
        extractor: Any extractor.
        feature_size: Number of its features, for those that do not state their layer.

    Example:
        >>> def flat(images):
        ...     return images
        >>> described(FunctionExtractor(flat, content_hash="v1"), 64)
        'flat@v1/features-64'
    """
    return extraction(extractor, getattr(extractor, "layer", f"features-{feature_size}"))


def extraction(extractor: Extractor, layer: str) -> str:
    """Returns the same for a layer that is known, or "" for none."""
    parts = [
        f"{extractor.name}@{extractor.content_hash}",
        layer,
        getattr(extractor, "preprocessing", ""),
    ]
    return "/".join(part for part in parts if part)


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
    # Imported here because they build on this module.
    if name == "digits":
        from tfgan_stab.evaluation.extractors.digits import DigitsClassifier

        return DigitsClassifier()
    if name == "random":
        from tfgan_stab.evaluation.extractors.random import RandomFeatures

        return RandomFeatures()
    if name == "inception":
        from tfgan_stab.evaluation.extractors.inception import Inception

        return Inception()
    raise ValueError(
        f"The extractors known by name are: {', '.join(map(repr, _NAMES))}. "
        f"Received: {name!r}. Pass a Keras model or a function for any other."
    )
