"""The extractor for the 8x8 digits: a small classifier that is trained when first used.

Nothing is downloaded: the data ship with scikit-learn, training takes a few seconds and gives the
same bits each time on the same machine. The weights are kept in a folder and their hash is part of
every score's protocol.
"""

import concurrent.futures
import functools
import pathlib
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfgan_stab._utils import validation
from tfgan_stab._utils.files import cache_directory, replacing, user_path
from tfgan_stab._utils.model_hash import content_hash
from tfgan_stab.data.digits import loaded_digits
from tfgan_stab.evaluation.extractors.base import Extractor, Outputs

_IMAGE_SHAPE = (8, 8, 1)
_NUM_TRAIN = 1437  # Of 1,797: the other 360, a fifth, are held out.
_EPOCHS = 15
_BATCH_SIZE = 64
_LEARNING_RATE = 1e-3
_REQUIRED_ACCURACY = 0.97
# Part of the file's name: count it up with any change to the network or its training.
_RECIPE = 1


class DigitsClassifier(Extractor):
    """64 features of 8x8 digits, from the last hidden layer of a classifier.

    Args:
        directory: Where the weights are kept; by default the folder that the environment variable
            `TFGAN_STAB_CACHE` names, else `~/.cache/tfgan_stab`. A damaged file is trained again,
            with a warning.
        batch_size: Images per call of the network, an integer >= 1.

    Raises:
        ValueError: If `batch_size` is no integer or out of range.
        RuntimeError: At first use, if training ends below 97 % accuracy on the held-out digits.

    Example:
        >>> classifier = DigitsClassifier()
        >>> classifier(np.zeros([3, 8, 8, 1], "float32")).shape
        (3, 64)
    """

    name = "digits-classifier"
    feature_size = 64

    def __init__(self, directory: str | pathlib.Path | None = None, batch_size: int = 256) -> None:
        self._directory = user_path(directory or cache_directory())
        self.batch_size = validation.integer("batch_size", batch_size)

    @property
    def content_hash(self) -> str:
        """The first 8 hex digits of the weights' sha256."""
        return content_hash(self._network.get_weights())[:8]

    @property
    def path(self) -> pathlib.Path:
        """The file that keeps the weights."""
        return self._directory / f"{self.name}-{_RECIPE}.npz"

    def prepare(self, images: ArrayLike) -> np.ndarray:
        """Returns images as float32 `[batch, 8, 8, 1]`.

        Raises:
            ValueError: If the images have another shape, leave [-1, 1] or are not finite.
            TypeError: If they are not floats.
        """
        images = super().prepare(images)
        if images.shape[1:] != _IMAGE_SHAPE:
            raise ValueError(
                "The digits classifier takes images of shape [batch, 8, 8, 1]. "
                f"Received: shape {list(images.shape)}. Use another extractor for other images."
            )
        return images

    def run(self, images: tf.Tensor) -> Outputs:
        """Returns features `[batch, 64]` and logits of the ten digits, `[batch, 10]`."""
        return Outputs(*self._forward(images))

    def logits(self, images: ArrayLike) -> np.ndarray:
        """Returns float32 logits of the ten digits, `[batch, 10]`, from images as for a call."""
        return self.outputs(images).logits

    @functools.cached_property
    def _forward(self) -> Any:
        network = self._network  # Trained before the graph of its forward pass is traced.
        return tf.function(lambda images: network(images, training=False), autograph=False)

    @functools.cached_property
    def _network(self) -> keras.Model:
        """The trained network, made in a thread of its own.

        There, strategies, devices and graphs that the caller is in do not apply.
        """
        with concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:
            return pool.submit(self._load_or_train).result()

    def _load_or_train(self) -> keras.Model:
        network = _build()
        shapes = [tuple(weight.shape) for weight in network.weights]
        try:
            network.set_weights(load_weights(self.path, shapes))
            return network
        except FileNotFoundError:
            damage = None
        except DamagedCacheError as error:
            damage = str(error)
        if damage:
            warnings.warn(f"{damage}. The digits classifier is trained again.", stacklevel=2)
        train(network)
        self._keep(network)
        return network

    def _keep(self, network: keras.Model) -> None:
        try:
            save_weights(self.path, network.get_weights())
        except OSError as error:
            warnings.warn(
                f"The digits classifier cannot be kept in {self._directory} ({error}) and will be "
                "trained at each start. Set TFGAN_STAB_CACHE to a folder that can be written.",
                stacklevel=2,
            )


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Returns images float32 `[1797, 8, 8, 1]` in [-1, 1] and labels int32 `[1797]`, shuffled.

    The first 1,437 train the classifier, the rest is held out.
    """
    images, labels = loaded_digits()
    # RandomState's stream is frozen, Generator's may change with NumPy's version.
    order = np.random.RandomState(0).permutation(len(labels))
    return images[order], labels[order]


def train(network: keras.Model, epochs: int = _EPOCHS) -> float:
    """Trains the classifier in place and returns its accuracy on the held-out digits.

    Everything random has a seed of its own here; the process's seeds are not touched.

    Raises:
        RuntimeError: If the accuracy is below 97 %.
    """
    images, labels = digits()
    step = _train_step(network)
    shuffle = np.random.RandomState(1)
    for _ in range(epochs):
        order = shuffle.permutation(_NUM_TRAIN)
        for start in range(0, _NUM_TRAIN - _BATCH_SIZE + 1, _BATCH_SIZE):
            batch = order[start : start + _BATCH_SIZE]
            step(tf.constant(images[batch]), tf.constant(labels[batch]))
    _, logits = network(images[_NUM_TRAIN:], training=False)
    accuracy = float(np.mean(np.argmax(logits.numpy(), axis=1) == labels[_NUM_TRAIN:]))
    if accuracy < _REQUIRED_ACCURACY:
        raise RuntimeError(
            f"The digits classifier must reach {_REQUIRED_ACCURACY:.0%} on held-out digits to be "
            f"worth scoring with. Received: {accuracy:.1%}. Check the TensorFlow installation."
        )
    return accuracy


def _train_step(network: keras.Model) -> Any:
    optimizer = keras.optimizers.Adam(_LEARNING_RATE, name="digits_classifier_adam")
    optimizer.build(network.trainable_variables)

    @tf.function(autograph=False)
    def step(images: tf.Tensor, labels: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            _, logits = network(images, training=True)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(loss)
        optimizer.apply(tape.gradient(loss, network.trainable_variables))

    return step


def _build() -> keras.Model:
    """Returns the untrained network, images -> (features, logits), the same one each time."""
    he, glorot = keras.initializers.HeNormal, keras.initializers.GlorotUniform
    # Types and formats are spelt out, so that global Keras policies change nothing.
    convolution = functools.partial(
        keras.layers.Conv2D,
        kernel_size=3,
        padding="same",
        activation="relu",
        data_format="channels_last",
        dtype="float32",
    )
    dense = functools.partial(keras.layers.Dense, dtype="float32")

    images = keras.Input(_IMAGE_SHAPE, dtype="float32", name="images")
    hidden = convolution(32, kernel_initializer=he(seed=1), name="convolution_1")(images)
    hidden = convolution(64, strides=2, kernel_initializer=he(seed=2), name="convolution_2")(hidden)
    hidden = keras.layers.Flatten(dtype="float32", name="flat")(hidden)  # [batch, 4 * 4 * 64]
    features = dense(
        DigitsClassifier.feature_size,
        activation="relu",
        kernel_initializer=he(seed=3),
        name="features",
    )(hidden)
    logits = dense(10, kernel_initializer=glorot(seed=4), name="logits")(features)
    return keras.Model(images, (features, logits), name="digits_classifier")


_HASH = "sha256"
# What NumPy and zipfile raise on files that are cut short, overwritten or not archives at all.
_DAMAGE = (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error)


class DamagedCacheError(Exception):
    """A file of the cache cannot be read, or holds other weights than it says."""


def save_weights(path: pathlib.Path, weights: Sequence[np.ndarray]) -> None:
    """Writes weights and their hash in one step: readers find the whole file or none.

    Raises:
        OSError: If the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {f"weight_{index:03d}": array for index, array in enumerate(weights)}
    arrays[_HASH] = np.array(content_hash(weights))
    with replacing(path) as draft:
        np.savez(draft, **arrays)


def load_weights(path: pathlib.Path, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Reads weights of the given shapes and checks them against their hash.

    Raises:
        FileNotFoundError: If there is no such file.
        DamagedCacheError: If the file cannot be read, or its contents are not what was saved.
    """
    if not path.exists():
        raise FileNotFoundError(f"There are no weights at {path}.")
    try:
        # Opened here, because np.load leaves its own file open when the archive is damaged.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            names = sorted(name for name in archive.files if name != _HASH)
            weights, expected = [archive[name] for name in names], str(archive[_HASH])
    except _DAMAGE as error:
        raise DamagedCacheError(f"{path} cannot be read: {error!r}") from error
    if content_hash(weights) != expected:
        raise DamagedCacheError(f"{path} holds other weights than its hash {expected[:8]} says")
    if [array.shape for array in weights] != list(shapes):
        raise DamagedCacheError(f"{path} holds weights of other shapes than the network's")
    return weights
