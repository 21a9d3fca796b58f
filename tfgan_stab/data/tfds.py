"""Any image set of TensorFlow Datasets, by name."""

import difflib
import os
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab.data import image_decoding as images
from tfgan_stab.data.batches import Batches
from tfgan_stab.data.record_files import IndexedRecords, RecordIndex, index_of
from tfgan_stab.data.streams import SHUFFLE_BUFFER, Records, RecordSet

LINES = 4096  # Texts that are read at once.


def tfds(
    name: str,
    batch_size: int = 64,
    seed: int = 0,
    split: str = "train",
    data_dir: str | None = None,
    size: int | None = None,
    channels: int | None = None,
    labels: bool = False,
    download: bool = False,
    shuffle_buffer: int | None = None,
    crop: int | None = None,
    resize: str = "bicubic",
) -> Batches:
    """Streams an image set of TensorFlow Datasets that is on disk already.

    Args:
        name: As in `tfds.load`: "mnist", "lsun/bedroom", "cifar10:3.0.2".
        batch_size: Images in a minibatch, an integer in [1, examples].
        seed: Decides the order, an integer in [0, 2**63).
        split: As in `tfds.load`: "train", "train[:80%]", "train+test".
        data_dir: Where data sets are kept; `None` for TFDS's own choice, which is the environment
            variable TFDS_DATA_DIR or ~/tensorflow_datasets.
        size: Height and width in pixels, an integer >= 1: the square in the middle of a picture is
            kept, and resized with anti-aliasing. `None` leaves pictures as they are, which sets
            with pictures of any size (LSUN, ImageNet) cannot have.
        channels: 1 for gray, 3 for color, on white where pictures are transparent, 4 for color and
            alpha; `None` leaves pictures as they are.
        labels: Whether elements are `(images, labels)`.
        download: Whether TFDS may download and prepare the set if it is absent.
        shuffle_buffer: `None` reads each picture where it lies, by an index of TFRecord files on
            disk: all are shuffled, and a stream starts anywhere at once. An integer >= 1 reads
            files from front to back, as suits slow disks, and shuffles among so many encoded
            pictures, on top of the fixed, scattered order that TFDS wrote them in; other files,
            and those in a cloud, are read so in any case, among 10,000.
        crop: Height and width of that square in pixels, an integer >= 1; `None` for the largest.
            For CelebA, DCGAN-tensorflow takes 108, faces alone; the averaging paper 178, the width.
        resize: "bicubic", or "area" for means over areas.

    Returns:
        Endless batches of float32 `[batch_size, height, width, channels]` in [-1, 1], with int32
        `[batch_size]` labels when asked. Where files are read from front to back, `starting_at`
        reads and drops the pictures of its epoch that come before.

    Raises:
        FileNotFoundError: If the data are not there and `download` is off.
        ValueError: If TFDS has no set or split of that name, the set has no pictures or no labels,
            or a setting is outside its range.
    """
    images.check_size_and_channels(size, channels)
    if crop is not None:
        crop = validation.integer("crop", crop, unit="pixels", fix="It is a square's side.")
        size = crop if size is None else size
    validation.choice("resize", resize, ("bicubic", "area"))
    if shuffle_buffer is not None:
        validation.integer("shuffle_buffer", shuffle_buffer, unit="pictures")
    builder = _builder(name, data_dir)
    features = builder.info.features
    image_key, label_key = _image_key(name, features), _label_key(name, features, labels)
    shape = _shape(name, features[image_key], size, channels, crop)
    partial = _parts_of_records([image_key, label_key])
    if download:
        builder.download_and_prepare()
    index = _index(builder, split) if shuffle_buffer is None else None

    def decode_image(record: dict[Any, tf.Tensor]) -> tf.Tensor:
        image = features[image_key].decode_example(record[image_key])
        image = images.with_channels(image, shape[-1]) if shape[-1] in (1, 3, 4) else image
        if size is None:
            image = images.to_float(image)
        else:
            image = images.crop_and_resize(image, size, crop, resize)
        return tf.ensure_shape(image, shape)

    def decode_both(record: dict[Any, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        label = tf.cast(record[label_key], tf.int32)
        message = f"A picture of {name}, split {split}, has no label: use `labels=False`"
        with tf.control_dependencies([tf.debugging.assert_non_negative(label, message=message)]):
            return decode_image(record), tf.identity(label)

    title = f"tfds:{name}/{split}"
    label = features[label_key] if label_key else None
    num_classes = label.num_classes if label else None
    metadata = _metadata(builder, crop, resize, label)
    decode: Callable[..., Any] = decode_both if label else decode_image
    if index is None:
        records = _records(name, builder, split, partial)
        record_set = RecordSet(title, num_classes, decode, decode_image, metadata)
        buffer = shuffle_buffer or SHUFFLE_BUFFER
        examples: Any = Records(record_set, records, _count(name, records), buffer)
    else:
        both, one = (_after_parsing(features, partial, each) for each in (decode, decode_image))
        examples = IndexedRecords(RecordSet(title, num_classes, both, one, metadata), index)
    return Batches(examples, batch_size, seed)


def _metadata(builder: Any, crop: int | None, resize: str, label: Any) -> dict[str, Any]:
    return {
        "version": str(builder.info.version),
        **({} if crop is None else {"crop": crop}),
        **({} if resize == "bicubic" else {"resize": resize}),
        **({"class_names": label.names} if label else {}),
    }


def _after_parsing(
    features: Any, partial: Any, decode: Callable[[dict[Any, tf.Tensor]], Any]
) -> Callable[[tf.Tensor], Any]:
    """Returns what decodes a record as it lies in a file."""
    needed = partial.extract_features(features)
    return lambda record: decode(needed.deserialize_example(record, decoders=partial.decoders))


def text_lines(name: str, data_dir: str | None, download: bool) -> Iterator[str]:
    """Yields the texts in a set's train split, always in the same order.

    Args:
        name: As in `tfds.load`: "lm1b".
        data_dir: Where data sets are kept; `None` for TFDS's own choice.
        download: Whether TFDS may download and prepare the set if it is absent.

    Raises:
        FileNotFoundError: If the data are not there and `download` is off.
        ValueError: If TFDS has no set of that name, or the set has no texts.
    """
    builder = _builder(name, data_dir)
    features = builder.info.features
    keys = _keys_of(features, "Text")
    if "text" not in keys and len(keys) != 1:
        raise ValueError(
            f"{name!r} must have texts, in a feature `text` or in one alone. "
            f"Received: features {sorted(features)}, texts in {keys or 'none'}."
        )
    key = "text" if "text" in keys else keys[0]
    if download:
        builder.download_and_prepare()
    records = _records(name, builder, "train", _parts_of_records([key]))
    for batch in records.batch(LINES).as_numpy_iterator():
        yield from (line.decode("utf-8", "replace") for line in batch[key])


def _builder(name: str, data_dir: str | None) -> Any:
    # Takes seconds to import, and only these sets need it.
    import tensorflow_datasets

    try:
        return tensorflow_datasets.builder(name, data_dir=data_dir)
    except tensorflow_datasets.core.DatasetNotFoundError as error:
        known = tensorflow_datasets.list_builders(with_community_datasets=False)
        near = difflib.get_close_matches(name.split("/")[0].split(":")[0], known, n=5, cutoff=0.5)
        raise ValueError(
            f"TensorFlow Datasets has no set called {name!r}. The nearest names are: "
            f"{', '.join(near) or 'none'}. A set of your own needs `data_dir`, the folder "
            f"above its own. Received: data_dir={data_dir!r}."
        ) from error
    # TFDS says so when a configuration or a version is unknown.
    except (ValueError, AssertionError) as error:
        raise ValueError(f"TensorFlow Datasets refused {name!r}: {error}") from error


def _keys_of(features: Any, kind: str) -> list[str]:
    """Returns the names of the features of one kind, such as "Image"."""
    import tensorflow_datasets

    wanted = getattr(tensorflow_datasets.features, kind)
    return [key for key, feature in features.items() if isinstance(feature, wanted)]


def _image_key(name: str, features: Any) -> str:
    keys = _keys_of(features, "Image")
    if "image" in keys:
        return "image"
    if len(keys) == 1:
        return keys[0]
    raise ValueError(
        f"{name!r} must have pictures, in a feature `image` or in one alone. "
        f"Received: features {sorted(features)}, pictures in {keys or 'none'}."
    )


def _label_key(name: str, features: Any, labels: bool) -> str | None:
    if not labels:
        return None
    keys = _keys_of(features, "ClassLabel")
    if "label" in keys:
        return "label"
    if len(keys) == 1:
        return keys[0]
    raise ValueError(
        f"With `labels=True`, {name!r} must have one class label per picture. Received: features "
        f"{sorted(features)}, class labels in {keys or 'none'}. Use `labels=False`."
    )


def _shape(
    name: str, feature: Any, size: int | None, channels: int | None, crop: int | None
) -> tuple[int | None, ...]:
    if feature.tf_dtype != tf.uint8:
        raise ValueError(
            f"{name!r} must have pictures of 8 bits per channel. Received: {feature.tf_dtype.name}."
            " Write them into an array, and load that with `tgs.data.arrays(images, white=65535)`."
        )
    height, width, own_channels = feature.shape
    if crop is not None and crop > min(height or crop, width or crop):
        raise ValueError(
            f"`crop` must be at most the pictures' smaller side. Received: crop={crop}, and "
            f"{name!r} of {height}x{width} pixels. Leave it out for the largest square."
        )
    if size is None and None in (height, width):
        raise ValueError(
            f"{name!r} has pictures of any size: give `size`, their height and width in pixels. "
            "Received: size=None."
        )
    if channels is None and own_channels is None:
        raise ValueError(
            f"{name!r} has gray and colored pictures: give `channels`, 1 or 3. "
            "Received: channels=None."
        )
    return (size or height, size or width, channels or own_channels)


def _parts_of_records(keys: list[str | None]) -> Any:
    """Returns which features are read; the first one is left encoded."""
    import tensorflow_datasets

    return tensorflow_datasets.decode.PartialDecoding(
        {key: True for key in keys if key},
        decoders={keys[0]: tensorflow_datasets.decode.SkipDecoding()},
    )


def _index(builder: Any, split: str) -> RecordIndex | None:
    """Returns where the records are; `None` unless they are in plain TFRecord files on disk."""
    splits = builder.info.splits or {}  # None while TFDS mocks a set.
    try:
        files = splits[split].file_instructions
    except (KeyError, ValueError):
        return None  # There is no such split, as `_records` says.
    paths = [str(each.filename) for each in files]
    if not paths or not all(".tfrecord" in each and os.path.isfile(each) for each in paths):
        return None
    return index_of(paths, [slice(each.skip, each.skip + each.take) for each in files])


def _records(name: str, builder: Any, split: str, decoders: Any) -> tf.data.Dataset:
    """Reads what is needed of each record, in a fixed order, pictures still encoded."""
    import tensorflow_datasets

    # The operating system keeps small files in memory anyway, and TFDS's cache warns in the log
    # whenever a pass stops before the end, as `examples(limit)` does.
    config = tensorflow_datasets.ReadConfig(try_autocache=False)
    try:
        return builder.as_dataset(
            split=split, shuffle_files=False, decoders=decoders, read_config=config
        )
    # How TFDS says that nothing is there ...
    except AssertionError as error:
        raise FileNotFoundError(_how_to_prepare(name, builder)) from error
    # ... and that the split is not.
    except (KeyError, ValueError) as error:
        known = ", ".join(sorted(builder.info.splits)) or "none"
        raise ValueError(
            f"`split` must be one that {name!r} has: {known}, "
            f'or a part such as "train[:80%]". Received: split={split!r}.'
        ) from error


def _how_to_prepare(name: str, builder: Any) -> str:
    folder = str(builder.data_dir).removesuffix(builder.info.full_name).rstrip("/")
    call = f"tfds.builder({name!r}, data_dir={folder!r}).download_and_prepare()"
    message = (
        f"The data of {name!r} are not in {builder.data_dir!r}. Set `data_dir` to where they are, "
        "or let TensorFlow Datasets download and prepare them: with the command python -c "
        f'"import tensorflow_datasets as tfds; {call}", or with `download=True`; in gin '
        "`tgs.data.tfds.download = True`, for texts `tgs.data.text.download = True`. To try the "
        "same without them, add --gin_file=gin_configs/data/photo_patches.gin, for texts text.gin."
    )
    by_hand = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    if by_hand is None:
        return message
    return f"{message} What is to be fetched by hand before: {' '.join(by_hand.split())}"


def _count(name: str, records: tf.data.Dataset) -> int:
    count = int(records.cardinality())
    if count < 1:
        raise ValueError(
            f"{name!r} must say how many examples it has, one at least. Received: {count} "
            "(-2 is unknown). Prepare the data set anew."
        )
    return count
