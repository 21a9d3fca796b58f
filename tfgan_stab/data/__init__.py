"""Where pictures, points and texts come from: endless sets of batches that start at any step.

May import `_utils`. Start with `batches.py`; each other file is one kind of source.
"""

from tfgan_stab.data import latents
from tfgan_stab.data.arrays import arrays
from tfgan_stab.data.batches import Batches
from tfgan_stab.data.digits import digits
from tfgan_stab.data.folders import image_folder
from tfgan_stab.data.mixtures import mixture
from tfgan_stab.data.photo_patches import photo_patches
from tfgan_stab.data.registry import load
from tfgan_stab.data.text import decode_text, text
from tfgan_stab.data.tfds import tfds
from tfgan_stab.data.tfrecords import tfrecords

__all__ = [
    "Batches",
    "arrays",
    "decode_text",
    "digits",
    "image_folder",
    "latents",
    "load",
    "mixture",
    "photo_patches",
    "text",
    "tfds",
    "tfrecords",
]


def __dir__() -> list[str]:
    return sorted(__all__)
