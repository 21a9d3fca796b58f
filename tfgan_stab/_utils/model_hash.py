"""Tells arrays apart by their contents, and Keras models by their weights and configuration."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

# What a configuration says of the training of a model, or of the batch that it was built with.
_LEFT_OUT = frozenset(
    {"trainable", "compile_config", "build_config", "build_input_shape", "batch_shape"}
)
_ENDINGS_LEFT_OUT = ("_initializer", "_regularizer", "_constraint")


def content_hash(arrays: Sequence[np.ndarray]) -> str:
    """Returns the sha256, in hex, of arrays' types, shapes and bytes.

    Example:
        >>> content_hash([np.zeros(2)]) == content_hash([np.zeros((1, 2))])
        False
    """
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


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
    digest = hashlib.sha256(description(model).encode())
    weights = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    digest.update(content_hash(weights).encode())
    return digest.hexdigest()


def description(model: keras.Model) -> str:
    """Returns a model's configuration as text, without what `model_hash` leaves out."""
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    try:
        configuration = model.get_config()
    except NotImplementedError:
        return kind
    configuration = _without_training(configuration)
    names = {name: f"<{n}>" for n, name in enumerate(dict.fromkeys(_names(configuration)))}
    return json.dumps([kind, _renamed(configuration, names)], sort_keys=True, default=_plain)


def _without_training(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_training(value[key])
            for key in sorted(value, key=str)
            if key not in _LEFT_OUT and not str(key).endswith(_ENDINGS_LEFT_OUT)
        }
    if isinstance(value, (list, tuple)):
        return [_without_training(each) for each in value]
    return value


def _names(value: Any, kind: str = "") -> Iterator[str]:
    """Yields the names of layers in a configuration, in a fixed order."""
    if isinstance(value, dict):
        # A policy's name says in which precision a layer computes.
        if isinstance(value.get("name"), str) and "DTypePolicy" not in kind:
            yield value["name"]
        for each in value.values():
            yield from _names(each, str(value.get("class_name", "")))
    elif isinstance(value, list):
        for each in value:
            yield from _names(each, kind)


def _renamed(value: Any, names: dict[str, str], named: bool = False) -> Any:
    """Replaces layers' names where they stand: as a "name", and in the lists of what feeds what.

    Not where a layer's activation, say, is spelt like another's name.
    """
    if isinstance(value, dict):
        return {str(key): _renamed(each, names, key == "name") for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, names, True) for each in value]
    return names.get(value, value) if named and isinstance(value, str) else value


def _plain(value: Any) -> Any:
    """What JSON cannot hold, without addresses in memory, which differ from run to run."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return getattr(value, "__qualname__", type(value).__qualname__)
