"""Pictures in TFRecord files of `tf.train.Example`, as many programs write large sets."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab.data import image_decoding as images
from tfgan_stab.data.batches import Batches
from tfgan_stab.data.record_files import FrontToBack, IndexedRecords, RecordFiles, index_of
from tfgan_stab.data.streams import SHUFFLE_BUFFER, RecordSet, reason_of


def tfrecords(
    files: str | os.PathLike[str] | Sequence[str],
    batch_size: int = 64,
    seed: int = 0,
    size: int | None = None,
    channels: int = 3,
    labels: bool = False,
    num_classes: int | None = None,
    image_key: str = "image/encoded",
    label_key: str = "image/class/label",
    raw_shape: Sequence[int] | None = None,
    shuffle_buffer: int | None = None,
    num_examples: int | None = None,
) -> Batches:
    """Streams pictures of TFRecord files: JPEG, PNG or plain bytes in a feature of each record.

    Files on disk are indexed by the headers of their records, and each picture is read where it
    lies. Files that are compressed by gzip, or lie in a cloud, are read from front to back instead,
    in an order of the files that the seed and the epoch decide.

    Args:
        files: A pattern, such as "faces/train-*.tfrecord", or several.
        batch_size: Images in a minibatch, an integer in [1, number of records].
        seed: Decides the order, an integer in [0, 2**63).
        size: Height and width in pixels, an integer >= 1: the largest square in the middle of a
            picture is kept, and resized with anti-aliasing. `None` leaves pictures as they are, all
            of the first one's height and width.
        channels: 1 for gray, 3 for color, on white where pictures are transparent, 4 for color and
            alpha.
        labels: Whether elements are `(images, labels)`.
        num_classes: Of how many classes labels are, an integer >= 1; `None` with labels reads all
            of them once to see. Where classes count from 1, that is one more than there are.
        image_key: The feature that holds the picture, a string.
        label_key: The feature that holds the label, an int64 >= 0.
        raw_shape: Height, width and channels of pictures that are stored as plain bytes, uint8;
            `None` for JPEG and PNG.
        shuffle_buffer: An integer >= 1 reads files from front to back, as suits slow disks, and
            shuffles among so many encoded pictures; `None` does so only where it must, among
            10,000.
        num_examples: How many records there are, an integer >= 1; `None` counts them, for which
            files that are read from front to back are read once.

    Returns:
        Endless batches of float32 `[batch_size, height, width, channels]` in [-1, 1], with int32
        `[batch_size]` labels when asked. Where files are read from front to back, `starting_at`
        reads and drops the pictures of its epoch that come before.

    Raises:
        FileNotFoundError: If no file matches.
        ValueError: If a file holds no TFRecords, the first record lacks a feature or its picture
            cannot be decoded, or a setting is outside its range.

    Example:
        >>> import tempfile
        >>> gray = tf.io.encode_png(tf.zeros([8, 8, 1], tf.uint8)).numpy()
        >>> image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[gray]))
        >>> example = tf.train.Example(features=tf.train.Features(feature={"png": image}))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with tf.io.TFRecordWriter(f"{folder}/0.tfrecord") as writer:
        ...         writer.write(example.SerializeToString())
        ...     next(iter(tfrecords(f"{folder}/*", batch_size=1, image_key="png"))).shape
        TensorShape([1, 8, 8, 3])
    """
    images.check_size_and_channels(size, channels)
    for name, count in (
        ("num_classes", num_classes),
        ("shuffle_buffer", shuffle_buffer),
        ("num_examples", num_examples),
    ):
        if count is not None:
            validation.integer(name, count)
    if num_classes is not None and not labels:
        raise ValueError(
            f"`num_classes` is of labels. Received: num_classes={num_classes}, labels=False. Use "
            "labels=True, or leave it out."
        )
    paths = _matching(files)
    source = RecordFiles(paths)
    title = f"tfrecords:{files}"
    in_place = shuffle_buffer is None and source.can_be_indexed
    index = index_of(paths) if in_place else None
    form = Form(image_key, label_key if labels else None, _checked_shape(raw_shape), channels, size)
    form = form.known_by(source.first())
    known = num_examples if index is None else len(index.offsets)
    if known is None or (labels and num_classes is None):
        known, classes = source.survey(form.label_key)
        num_classes = num_classes or classes
    if num_examples not in (None, known):
        raise ValueError(
            f"`num_examples` must be the number of records in {title!r}, {known}. Received: "
            f"{num_examples}. Leave it out, and they are counted."
        )
    form = form._replace(num_classes=num_classes)
    decode = form.both if labels else form.image
    record_set = RecordSet(title, num_classes, decode, form.image, {})
    if index is not None:
        examples: Any = IndexedRecords(record_set, index)
    else:
        examples = FrontToBack(record_set, source, known, shuffle_buffer or SHUFFLE_BUFFER)
    return Batches(examples, batch_size, seed)


def _is_example(record: bytes) -> bool:
    try:
        tf.io.parse_single_example(record, {"any": tf.io.VarLenFeature(tf.string)})
    except tf.errors.InvalidArgumentError:
        return False
    return True


def _matching(files: Any) -> list[str]:
    """Returns the files that match one pattern or several, sorted."""
    patterns = [files] if isinstance(files, (str, os.PathLike)) else list(files)
    paths: set[str] = set()
    for pattern in patterns:
        found = tf.io.gfile.glob(os.path.expanduser(os.fspath(pattern)))
        if not found:
            raise FileNotFoundError(
                f"No file matches {pattern!r}. Expected TFRecord files, or a pattern of their "
                f"names such as 'faces/train-*'; {os.getcwd()!r} is where relative paths begin."
            )
        paths.update(found)
    folders = sorted(path for path in paths if tf.io.gfile.isdir(path))
    if folders or not paths:
        raise ValueError(
            f"`files` must match TFRecord files. Received: {folders or 'none'}. Give a pattern of "
            f"the names in a folder: {os.path.join((folders or ['folder'])[0], '*')!r}."
        )
    return sorted(paths)


def _checked_shape(raw_shape: Sequence[int] | None) -> tuple[int, ...] | None:
    if raw_shape is None:
        return None
    shape = tuple(raw_shape)
    if len(shape) != 3 or shape[2] not in (1, 3, 4):
        raise ValueError(
            "`raw_shape` must be height, width and channels (1, 3 or 4) of pictures stored as "
            f"bytes. Received: {raw_shape!r}. Leave it out for JPEG and PNG."
        )
    return tuple(validation.integer("raw_shape", length) for length in shape)


class Form(NamedTuple):
    """How a record holds a picture, and what becomes of it.

    Attributes:
        image_key: The feature with the picture.
        label_key: The feature with the label; `None` for images alone.
        raw_shape: Height, width and channels of pictures stored as bytes; `None` for JPEG and PNG.
        channels: 1, 3 or 4.
        size: Height and width to resize to; `None` for none.
        shape: Height and width of what comes out.
        num_classes: Labels must be less.
    """

    image_key: str
    label_key: str | None
    raw_shape: tuple[int, ...] | None
    channels: int
    size: int | None
    shape: tuple[int, ...] = ()
    num_classes: int | None = None

    def known_by(self, record: bytes) -> "Form":
        """Returns this with the height and width that the first record's picture has.

        Raises:
            ValueError: If the record lacks a feature, or its picture cannot be decoded.
        """
        example = tf.train.Example.FromString(record if _is_example(record) else b"")
        features = example.features.feature
        for key, kind in ((self.image_key, "bytes_list"), (self.label_key, "int64_list")):
            if key and not (key in features and len(getattr(features[key], kind).value) == 1):
                raise ValueError(
                    f"Records must be of tf.train.Example, with one value in the {kind} of "
                    f"{key!r}. Received: a first record with the features {sorted(features)}. "
                    "Name yours by `image_key` and `label_key`."
                )
        try:
            stored = self._decoded(features[self.image_key].bytes_list.value[0]).shape[:2]
        except tf.errors.OpError as error:
            raise ValueError(
                f"{self.image_key!r} must hold a JPEG or PNG file, or as many bytes as `raw_shape` "
                f"says. Received: raw_shape={self.raw_shape}, and of the first record: "
                f"{reason_of(error)}."
            ) from error
        return self._replace(shape=(self.size,) * 2 if self.size else tuple(stored))

    def image(self, record: tf.Tensor) -> tf.Tensor:
        """Returns a record's image, float32 `[height, width, channels]` in [-1, 1]."""
        return self._image(self._features(record, {self.image_key: tf.string}))

    def both(self, record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns a record's image and its label, which must be a class."""
        features = self._features(record, {self.image_key: tf.string, self.label_key: tf.int64})
        label = features[self.label_key]
        message = f"{self.label_key!r} must be a class from 0 to {self.num_classes} - 1. Received:"
        inside = (label >= 0) & (label < self.num_classes)
        right = tf.raw_ops.Assert(condition=inside, data=[tf.constant(message), label])
        with tf.control_dependencies([right]):
            return self._image(features), tf.cast(label, tf.int32)

    def _features(self, record: tf.Tensor, types: dict[Any, tf.DType]) -> dict[Any, tf.Tensor]:
        scalars = {key: tf.io.FixedLenFeature([], dtype) for key, dtype in types.items()}
        return tf.io.parse_single_example(record, scalars)

    def _image(self, features: dict[Any, tf.Tensor]) -> tf.Tensor:
        image = images.with_channels(self._decoded(features[self.image_key]), self.channels)
        image = images.crop_and_resize(image, self.size) if self.size else images.from_levels(image)
        return tf.ensure_shape(image, [*self.shape, self.channels])

    def _decoded(self, stored: tf.Tensor) -> tf.Tensor:
        if self.raw_shape is None:
            return tf.io.decode_image(stored, expand_animations=False)
        return tf.reshape(tf.io.decode_raw(stored, tf.uint8), self.raw_shape)
