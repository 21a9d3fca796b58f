"""TFRecord files: read by the numbers of their records, or from front to back.

A record is its length (8 bytes), a checksum of that (4), the data and a checksum of those (4). An
index of where each begins takes 12 bytes of memory a record; the data stay on disk.
"""

import concurrent.futures
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfgan_stab._utils.progress import with_progress
from tfgan_stab.data.streams import (
    Records,
    RecordSet,
    Share,
    parallel_map,
    read_shuffled,
    reason_of,
    shuffled,
)

_HEADER, _FOOTER = 12, 4  # Bytes before and after a record's data.
_GZIP = b"\x1f\x8b"
_READERS = 16  # Files whose headers are read at once.
_BATCH = 256


def checksums(lengths: np.ndarray) -> np.ndarray:
    """Returns what stands behind the lengths of sound records: their masked CRC-32C, uint32.

    Args:
        lengths: Little-endian uint64 `[records]`.
    """
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1)
    crc = np.full(len(lengths), 0xFFFFFFFF, np.uint32)
    for byte in lengths.astype("<u8").view(np.uint8).reshape(-1, 8).T:
        crc = table[(crc ^ byte) & np.uint32(0xFF)] ^ (crc >> 8)
    crc = ~crc
    return ((crc >> 15) | (crc << 17)) + np.uint32(0xA282EAD8)


def is_compressed(path: str) -> bool:
    """Returns whether a file is a compressed one, by its first bytes."""
    with tf.io.gfile.GFile(path, "rb") as file:
        begin = file.read(_HEADER).ljust(_HEADER, b"\0")
    return begin[:2] == _GZIP and not _is_sound(np.frombuffer(begin, _HEADERS, 1)).all()


_HEADERS = np.dtype([("length", "<u8"), ("checksum", "<u4")])


def _is_sound(headers: np.ndarray) -> np.ndarray:
    return checksums(headers["length"]) == headers["checksum"]


def offsets_in(path: str) -> np.ndarray:
    """Returns where each record of an uncompressed file begins, int64 `[records]`.

    Args:
        path: A file on disk, whose headers alone are read.

    Raises:
        ValueError: If it holds something else, or ends within a record.
    """
    size, position, found = os.path.getsize(path), 0, bytearray()
    with open(path, "rb", buffering=0) as file:
        while position < size:
            header = os.pread(file.fileno(), _HEADER, position)
            found += header.ljust(_HEADER, b"\0")
            position += _HEADER + int.from_bytes(header[:8], "little") + _FOOTER
    if not size:
        return np.zeros(0, np.int64)
    headers = np.frombuffer(bytes(found), _HEADERS)
    lengths = headers["length"].astype(np.int64) + _HEADER + _FOOTER
    offsets = np.cumsum(lengths) - lengths
    wrong = np.flatnonzero(~_is_sound(headers))
    if len(wrong) or position != size:
        place = wrong[0] if len(wrong) else len(offsets) - 1
        what = "is no record" if len(wrong) else "is a record that the file ends in"
        raise ValueError(
            f"{path!r} must hold TFRecords. Received: what begins at byte {offsets[place]} of "
            f"{size} {what} (number {place}). Write the file anew with tf.io.TFRecordWriter."
        )
    return offsets


class RecordIndex(NamedTuple):
    """Where the records of several files begin.

    Attributes:
        paths: The files.
        files: The place in `paths` of each record's file, int32 `[records]`.
        offsets: Where in that file it begins, int64 `[records]`.
    """

    paths: Sequence[str]
    files: np.ndarray
    offsets: np.ndarray


def index_of(paths: Sequence[str], parts: Sequence[slice] | None = None) -> RecordIndex:
    """Returns where the records of files begin, in the order of the files.

    Args:
        paths: Uncompressed files on disk.
        parts: Which records of each file count; `None` for all.

    Raises:
        ValueError: If one holds something else than TFRecords, or not all of those.
    """
    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        found = readers.map(offsets_in, paths)
        shown = with_progress(found, len(paths), "indexing files", lambda _: 1)
        offsets = list(shown)
    for number, part in enumerate(parts or ()):
        if len(offsets[number]) < part.stop:
            raise ValueError(
                f"{paths[number]!r} must hold {part.stop} records at least. Received: "
                f"{len(offsets[number])}. Prepare the data set anew."
            )
        offsets[number] = offsets[number][part]
    files = np.repeat(np.arange(len(paths), dtype=np.int32), [len(each) for each in offsets])
    return RecordIndex(list(paths), files, np.concatenate(offsets))


class IndexedRecords:
    """Examples in TFRecord files, each read by its number when it is needed.

    Args:
        record_set: What they hold.
        index: Where they are.
    """

    def __init__(self, record_set: RecordSet, index: RecordIndex) -> None:
        self.name, self.num_classes = record_set.name, record_set.num_classes
        self.num_examples = len(index.offsets)
        self._set = record_set
        self._index = index
        with tf.device("CPU:0"):
            self._tensors = tuple(map(tf.constant, index))

    def stream(self, share: Share, seed: int) -> tf.data.Dataset:
        """Endless batches of a process's share of each step."""
        return read_shuffled(
            share, self.num_examples, seed, lambda number: self._set.decode(self._record(number))
        )

    def in_order(self, count: int, limit: int | None, labels: bool) -> tf.data.Dataset:
        """One pass in the order of the files, at most `limit`, `count` at a time."""
        end = self.num_examples if limit is None else min(limit, self.num_examples)
        decode = self._set.decode if labels else self._set.decode_image
        numbers = tf.data.Dataset.range(end)
        return parallel_map(numbers, lambda number: decode(self._record(number))).batch(count)

    def metadata(self) -> dict[str, Any]:
        """What a report should say of this set beside its name and size."""
        return self._set.metadata

    def damaged(self) -> dict[str, str]:
        """Decodes all records; returns where those begin that cannot be, and why."""

        def decoded(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # Of what nothing is used, TensorFlow would not check the shape.
            image, *_ = tf.nest.flatten(self._set.decode(self._record(number)))
            return number, tf.reduce_sum(image)

        numbers = parallel_map(tf.data.Dataset.range(self.num_examples), decoded)
        batches = numbers.ignore_errors().batch(_BATCH).as_numpy_iterator()
        sound = np.zeros(self.num_examples, bool)
        for batch in with_progress(
            batches, self.num_examples, "checking", lambda batch: len(batch[0])
        ):
            sound[batch[0]] = True
        return {self._place(n): self._damage_of(n) for n in np.flatnonzero(~sound).tolist()}

    def _place(self, number: int) -> str:
        path = self._index.paths[self._index.files[number]]
        return f"{path}, byte {self._index.offsets[number]}"

    def _damage_of(self, number: int) -> str:
        try:
            self._set.decode(self._record(tf.constant(number)))
        except (tf.errors.OpError, ValueError) as error:
            return reason_of(error)
        return "could not be read at first, and could later"

    def _record(self, number: tf.Tensor) -> tf.Tensor:
        """Reads one record, a string; its checksum is checked."""
        paths, files, offsets = self._tensors
        # Without a buffer, which would read what follows, too.
        file = tf.raw_ops.TFRecordDatasetV2(
            filenames=tf.gather(paths, files[number])[tf.newaxis],
            compression_type="",
            buffer_size=tf.constant(0, tf.int64),
            byte_offsets=offsets[number][tf.newaxis],
        )
        records = tf.data.experimental.from_variant(file, tf.TensorSpec([], tf.string))
        return records.take(1).get_single_element()


class RecordFiles:
    """TFRecord files that are read from front to back, compressed by gzip or not.

    Args:
        paths: The files.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = list(paths)
        self._kinds = ["GZIP" if is_compressed(path) else "" for path in paths]

    @property
    def can_be_indexed(self) -> bool:
        """Whether all are on disk and plain."""
        return not any(self._kinds) and not any("://" in path for path in self.paths)

    def first(self) -> bytes:
        """Returns the first record.

        Raises:
            ValueError: If there is none, or it cannot be read.
        """
        try:
            return next(self.records().take(1).as_numpy_iterator())
        except (StopIteration, tf.errors.OpError) as error:
            raise ValueError(
                f"{self.paths[0]!r} must hold TFRecords. Received: {reason_of(error) or 'none'}. "
                "Write the file anew with tf.io.TFRecordWriter."
            ) from error

    def records(self) -> tf.data.Dataset:
        """All records in the order of the files, strings."""
        files = tf.data.Dataset.from_tensor_slices((self.paths, self._kinds))
        return files.flat_map(tf.data.TFRecordDataset)

    def in_turns(self, seed: int, epoch: tf.Tensor) -> tf.data.Dataset:
        """All records of one epoch: files in an order drawn from seed and epoch, 16 in turns."""
        count = len(self.paths)
        order = shuffled(epoch * count + tf.range(count, dtype=tf.int64), count, seed)
        in_order = tf.gather(self.paths, order), tf.gather(self._kinds, order)
        return tf.data.Dataset.from_tensor_slices(in_order).interleave(
            tf.data.TFRecordDataset,
            cycle_length=_READERS,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )

    def survey(self, label_key: str | None) -> tuple[int, int | None]:
        """Reads all records; returns how many there are, and of how many classes labels are.

        Args:
            label_key: The feature with the label, an int64; `None` for records without.

        Raises:
            ValueError: If one cannot be read.
        """
        feature: dict[str, Any] = {"any": tf.io.VarLenFeature(tf.string)}
        if label_key:
            feature = {label_key: tf.io.FixedLenFeature([], tf.int64)}
        count, classes = 0, 0
        batches = with_progress(self.records().batch(_BATCH), 0, "counting records")
        try:
            for batch in batches:
                count += len(batch)
                if label_key:
                    labels = tf.io.parse_example(batch, feature)[label_key]
                    classes = max(classes, 1 + int(tf.reduce_max(labels)))
        except tf.errors.OpError as error:
            found = self.damaged(lambda record: tf.io.parse_single_example(record, feature))
            listing = [f"{place}: {reason}" for place, reason in found.items()]
            raise ValueError(
                "Records must be sound, and have labels where these are asked for. Received: "
                f"{listing[0] if listing else reason_of(error)}. Write the file anew."
            ) from error
        return count, classes or None

    def damaged(self, decode: Callable[[tf.Tensor], Any]) -> dict[str, str]:
        """Returns the first record of each file that cannot be read or decoded, and why."""
        found = {}
        for path, kind in zip(self.paths, self._kinds, strict=True):
            number = 0
            try:
                for record in tf.data.TFRecordDataset(path, kind):
                    decode(record)
                    number += 1
            except (tf.errors.OpError, ValueError) as error:
                found[f"{path}, record {number}"] = reason_of(error)
        return found


class FrontToBack(Records):
    """Examples in TFRecord files that are read from front to back.

    Args:
        record_set: What they hold.
        files: Where they are.
        num_examples: How many there are; another number ends the first epoch in an error.
        shuffle_buffer: Records to shuffle among, an integer >= 1.
    """

    def __init__(
        self, record_set: RecordSet, files: RecordFiles, num_examples: int, shuffle_buffer: int
    ) -> None:
        super().__init__(record_set, files.records(), num_examples, shuffle_buffer)
        self._files = files

    def damaged(self) -> dict[str, str]:
        """Decodes all records; returns the first of each file that cannot be, and why."""
        return self._files.damaged(self._set.decode)

    def _epoch(self, seed: int, epoch: tf.Tensor) -> tf.data.Dataset:
        records = self._files.in_turns(seed, epoch)
        return records.apply(tf.data.experimental.assert_cardinality(self.num_examples))
