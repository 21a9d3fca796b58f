"""Tells Keras models apart by what determines their outputs: weights and configuration."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from tfgan_stab.evaluation.extractors import weights_cache

# What a configuration says of the training of a model, or of the batch that it was built with.
_LEFT_OUT = frozenset(
    {"trainable", "compile_config", "build_config", "build_input_shape", "batch_shape"}
)
_ENDINGS_LEFT_OUT = ("_initializer", "_regularizer", "_constraint")


def model_hash(model: keras.Model) -> str:
    """Returns the sha256, in hex, of a model's weights and of its configuration.

    The same on any machine and in any process, unless there are `Lambda` layers, whose code each
    version of Python writes otherwise. Names of layers do not count, since Keras numbers them as
    they are made; initial values, regularizers, optimizers, sizes of batches and what is trainable
    neither. Of a model without a configuration (a subclass that defines no `get_config`) the name
    of its class takes that place, so that changes of its code go unseen.

    Args:
        model: A model that has its weights. Hashing takes a few ms per MB of them.

    Raises:
        RuntimeError: If the model has no weights yet.

    Example:
        >>> model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1, "relu")])
        >>> before = model_hash(model)
        >>> model.layers[0].kernel.assign_add([[1e-3], [0.0]]) is not None
        True
        >>> model_hash(model) == before
        False
    """
    if not model.built:
        raise RuntimeError(
            f"The content hash of model {model.name!r} is known once it has its weights. Received: "
            "a model that is not built. Call it, or begin it with keras.Input."
        )
    digest = hashlib.sha256(_described(model).encode())
    weights = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    digest.update(weights_cache.content_hash(weights).encode())
    return digest.hexdigest()


def _described(model: keras.Model) -> str:
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    try:
        configuration = model.get_config()
    except NotImplementedError:
        return kind
    configuration = _without_training(configuration)
    names = {name: f"<{n}>" for n, name in enumerate(dict.fromkeys(_names(configuration)))}
    return json.dumps([kind, _renamed(configuration, names)], sort_keys=True, default=_plain)


def _without_training(part: Any) -> Any:
    if isinstance(part, dict):
        return {
            key: _without_training(part[key])
            for key in sorted(part, key=str)
            if key not in _LEFT_OUT and not str(key).endswith(_ENDINGS_LEFT_OUT)
        }
    if isinstance(part, (list, tuple)):
        return [_without_training(each) for each in part]
    return part


def _names(part: Any, kind: str = "") -> Iterator[str]:
    """Yields the names of layers in a configuration, in a fixed order."""
    if isinstance(part, dict):
        # A policy's name says in which precision a layer computes.
        if isinstance(part.get("name"), str) and "DTypePolicy" not in kind:
            yield part["name"]
        for each in part.values():
            yield from _names(each, str(part.get("class_name", "")))
    elif isinstance(part, list):
        for each in part:
            yield from _names(each, kind)


def _renamed(part: Any, names: dict[str, str], named: bool = False) -> Any:
    """Replaces layers' names where they stand: as a "name", and in the lists of what feeds what.

    Not where a layer's activation, say, is spelt like another's name.
    """
    if isinstance(part, dict):
        return {str(key): _renamed(each, names, key == "name") for key, each in part.items()}
    if isinstance(part, list):
        return [_renamed(each, names, True) for each in part]
    return names.get(part, part) if named and isinstance(part, str) else part


def _plain(value: Any) -> Any:
    """What JSON cannot hold, without addresses in memory, which differ from run to run."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return getattr(value, "__qualname__", type(value).__qualname__)
