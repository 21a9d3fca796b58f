"""TF-GAN's Inception classifier: the features that published FIDs are taken from.

Its weights are not part of this package. TensorFlow Hub downloads them, or they are read from a
local folder, on machines without internet.
"""

import functools
import os
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfgan_stab._utils import validation
from tfgan_stab.evaluation.extractors import tfgan
from tfgan_stab.evaluation.extractors.base import MODES, Extractor, Outputs, resized
from tfgan_stab.evaluation.extractors.saved_model import (
    SavedNetwork,
    downloaded,
    is_handle,
    loaded,
)
from tfgan_stab.evaluation.metrics.inputs import checked_color_images

_VARIABLE = "TFGAN_STAB_INCEPTION"
_SIZE = 299
_LOGITS = "logits"


class Inception(Extractor):
    """2,048 features of images, from the classifier that TF-GAN scores with.

    Images are resized to 299x299, images of one channel repeated to three. The network is found,
    downloaded if need be, and loaded when the extractor is made; once per process, however many
    extractors use it.

    Args:
        path: A folder with the SavedModel, or a handle of TensorFlow Hub. By default what the
            environment variable `TFGAN_STAB_INCEPTION` says, else TF-GAN's own handle, whose
            download TensorFlow Hub keeps in the folder that `TFHUB_CACHE_DIR` names.
        resize: "tf1", as TF-GAN's users do, or "clean", anti-aliased; see `resized`.
        batch_size: Images per call of the network, an integer >= 1. Each takes 1 MB, and several
            times that inside the network.
        layer: Which output of the network the features are: "pool_3", or another one's name.
        name: What protocols call it. Folders of other networks deserve another name; other weights
            show in the content hash.

    Raises:
        FileNotFoundError: If the network is not there and cannot be downloaded; says how to obtain
            it.
        ValueError: If an argument is out of range, or the SavedModel is no such network.

    Example:
        ``fid = tgs.FID(Inception("inception"), real)`` scores by the network in the folder
        `inception`; `fid.protocol()` begins with `fid/tfgan-inception-1@<hash>/pool_3/tf1-resize`.

    Reference:
        `tensorflow_gan.python.eval.inception_metrics`. Departures: TF-GAN loads the network at each
        call, leaves the resizing to its user, and flattens by a function that Keras 3 has no more.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        resize: str = "tf1",
        batch_size: int = 32,
        layer: str = "pool_3",
        name: str = "tfgan-inception-1",
    ) -> None:
        if resize not in MODES:
            raise ValueError(f"`resize` must be 'tf1' or 'clean'. Received: {resize!r}.")
        self.name = name.replace("/", "-")
        self.layer = layer
        self.preprocessing = f"{resize}-resize"
        self._resize = resize
        self.batch_size = validation.integer("batch_size", batch_size)
        self._network = _network(path)
        missing = {layer, _LOGITS} - set(self._network.outputs)
        if missing:
            raise ValueError(
                f"The network must have the outputs {layer!r} and {_LOGITS!r}. Received: "
                f"{', '.join(map(repr, self._network.outputs))}. Take TF-GAN's Inception, or name "
                "the layer with `layer=`."
            )

    @property
    def content_hash(self) -> str:
        """The first 8 hex digits of the sha256 of the SavedModel's graph and weights."""
        return self._network.content_hash

    def prepare(self, images: ArrayLike) -> np.ndarray:
        """Returns images as float32 `[batch, height, width, 3]`, one channel being repeated.

        Raises:
            ValueError: If the images have another shape, leave [-1, 1] or are not finite.
            TypeError: If they are not floats.
        """
        return checked_color_images(images)

    def run(self, images: tf.Tensor) -> Outputs:
        """Returns float32 features `[batch, 2048]` and logits `[batch, 1008]`."""
        return Outputs(*self._forward(images))

    @functools.cached_property
    def _forward(self) -> Any:
        @tf.function(autograph=False)
        def forward(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            outputs = self._network.run(resized(images, _SIZE, self._resize))
            return self._flat(outputs[self.layer]), self._flat(outputs[_LOGITS])

        return forward

    def _flat(self, output: tf.Tensor) -> tf.Tensor:
        # Some exports keep the two axes that were averaged over: [batch, 1, 1, 2048].
        return tf.reshape(tf.cast(output, tf.float32), [self.batch_size, -1])


def _network(path: str | os.PathLike[str] | None) -> SavedNetwork:
    place = os.fspath(path or os.environ.get(_VARIABLE) or tfgan.evaluation().INCEPTION_TFHUB)
    try:
        folder = downloaded(place) if is_handle(place) else pathlib.Path(place)
        return loaded(folder, (_SIZE, _SIZE, 3))
    except OSError as error:
        raise FileNotFoundError(f"{error} {_how_to_obtain()}") from error


def _how_to_obtain() -> str:
    handle = tfgan.evaluation().INCEPTION_TFHUB
    return (
        f"On a machine with internet download {handle}?tf-hub-format=compressed (a .tar.gz), and "
        "unpack it into a folder. Pass that folder as Inception(path), on a command line as "
        f"--inception=PATH, or in the environment variable {_VARIABLE}."
    )
