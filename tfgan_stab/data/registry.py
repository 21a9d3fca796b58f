"""Data sets by name, for command lines and configuration files."""

import difflib
from collections.abc import Callable
from typing import Any

from tfgan_stab.data.arrays import arrays
from tfgan_stab.data.batches import Batches
from tfgan_stab.data.digits import digits
from tfgan_stab.data.folders import image_folder
from tfgan_stab.data.mixtures import mixture
from tfgan_stab.data.photo_patches import photo_patches
from tfgan_stab.data.text import text
from tfgan_stab.data.tfds import tfds
from tfgan_stab.data.tfrecords import tfrecords

# Sets that are complete by name, and kinds that want to know which: "tfds:cifar10".
SETS: dict[str, Callable[..., Batches]] = {
    "digits": digits,
    "mixture": mixture,
    "photo_patches": photo_patches,
    "text": text,
}
KINDS: dict[str, Callable[..., Batches]] = {
    "arrays": arrays,
    "image_folder": image_folder,
    "text": text,
    "tfds": tfds,
    "tfrecords": tfrecords,
}


def load(name: str, **settings: Any) -> Batches:
    """Makes the stream of a data set from its name.

    Args:
        name: "digits", "mixture", "photo_patches", "text", "tfds:NAME", "image_folder:DIRECTORY",
            "arrays:FILE", "tfrecords:PATTERN" or "text:FILE".
        **settings: What the function of that name takes: `batch_size`, `seed`, ...

    Returns:
        What the function of that name returns.

    Raises:
        ValueError: If nothing has that name.

    Example:
        >>> load("digits", batch_size=16).element_spec.shape
        TensorShape([16, 8, 8, 1])
    """
    if name in SETS:
        return SETS[name](**settings)
    kind, _, rest = name.partition(":")
    if kind in KINDS and rest:
        return KINDS[kind](rest, **settings)
    names = [*SETS, *(f"{known}:..." for known in KINDS)]
    near = difflib.get_close_matches(kind, [*SETS, *KINDS], n=1)
    hint = f" Did you mean {near[0]!r}?" if near and near[0] != kind else ""
    raise ValueError(f"A data set must be one of {names}. Received: {name!r}.{hint}")
