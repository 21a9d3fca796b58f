"""TFRecord files: where records begin, and which of them a process reads."""

import os
import pathlib
import struct

import numpy as np
import pytest
import tensorflow as tf
from record_writers import in_files, levels, shade, write

import tfgan_stab as tgs
from tfgan_stab.data.record_files import checksums, index_of, is_compressed, offsets_in
from tfgan_stab.data.streams import shuffled

COUNT = 11


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records") / "plain"
    return write(folder, [shade(number) for number in range(COUNT)])


@pytest.fixture
def damaged(tmp_path):
    """A file of three records, and what changes one of its bytes."""
    pattern = write(tmp_path / "own", [shade(number) for number in range(3)], num_files=1)
    path = pattern.replace("*", "0")

    def damage(position, byte=0xEE):
        with open(path, "r+b") as file:
            file.seek(position)
            file.write(bytes([byte]))
        return path

    return path, damage


def test_offsets_are_where_records_begin(files):
    path = files.replace("*", "1")
    begin, expected = 0, []
    for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
        expected.append(begin)
        begin += 8 + 4 + len(record) + 4
    assert offsets_in(path).tolist() == expected and begin == os.path.getsize(path)


def test_checksums_are_those_that_tensorflow_writes(tmp_path):
    lengths = [0, 1, 200, 70_000]
    path = str(tmp_path / "zeros")
    with tf.io.TFRecordWriter(path) as writer:
        for length in lengths:
            writer.write(b"\0" * length)
    data = pathlib.Path(path).read_bytes()
    written = [struct.unpack_from("<I", data, place + 8)[0] for place in offsets_in(path)]
    assert checksums(np.array(lengths, "<u8")).tolist() == written


def test_an_empty_file_has_no_records(tmp_path):
    (tmp_path / "empty").touch()
    assert offsets_in(str(tmp_path / "empty")).tolist() == []
    assert not is_compressed(str(tmp_path / "empty"))


def test_damaged_lengths_are_named_with_file_and_byte(damaged):
    path, damage = damaged
    second = offsets_in(path)[1]
    damage(second + 1)
    with pytest.raises(ValueError, match=f"'{path}' must.* at byte {second} of .*no record .*1"):
        offsets_in(path)


def test_files_that_end_early_are_named_with_the_byte(damaged):
    path, _ = damaged
    last = offsets_in(path)[-1]
    os.truncate(path, os.path.getsize(path) - 5)
    with pytest.raises(ValueError, match=f"byte {last} of .*that the file ends in .number 2"):
        offsets_in(path)
    os.truncate(path, last + 5)
    with pytest.raises(ValueError, match=f"byte {last} of .*no record .number 2"):
        offsets_in(path)


def test_other_files_are_no_records(tmp_path):
    (tmp_path / "notes").write_text("These are words, not records.")
    with pytest.raises(ValueError, match="at byte 0 of 29 is no record"):
        offsets_in(str(tmp_path / "notes"))


def test_a_length_may_be_the_mark_of_compressed_files(tmp_path):
    path = str(tmp_path / "long")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(b"\0" * 0x8B1F)  # Whose first bytes are those of compressed files.
    assert pathlib.Path(path).read_bytes()[:2] == b"\x1f\x8b" and not is_compressed(path)


def test_parts_of_files_are_indexed_and_must_be_there(files):
    paths = [files.replace("*", "0"), files.replace("*", "2")]
    index = index_of(paths, [slice(1, 3), slice(0, 1)])
    assert index.files.tolist() == [0, 0, 1]
    assert index.offsets.tolist() == [*offsets_in(paths[0])[1:3], 0]
    with pytest.raises(ValueError, match="must hold 5 records at least. Received: 4. Prepare"):
        index_of(paths, [slice(0, 5), slice(0, 1)])


def test_the_order_is_that_of_the_rule(files):
    batches = tgs.data.tfrecords(files, batch_size=4, seed=9)
    shown = np.concatenate([levels(images) for images in batches.take(8)])
    stored = in_files(COUNT)
    # Running number n is the record at the place of n in the permutation of its epoch.
    naive = [
        stored[int(shuffled(tf.constant([n], tf.int64), COUNT, 9)[0])] for n in range(len(shown))
    ]
    assert shown.tolist() == naive
    first, second = shown[:COUNT], shown[COUNT : 2 * COUNT]
    assert sorted(first) == sorted(second) == list(range(COUNT))
    assert first.tolist() != second.tolist()


def test_real_images_come_in_the_order_of_the_files(files):
    batches = tgs.data.tfrecords(files, batch_size=4, labels=True, num_classes=3)
    shown = list(batches.examples(limit=9, labels=True).as_numpy_iterator())
    numbers = np.concatenate([levels(images) for images, _ in shown])
    assert numbers.tolist() == in_files(COUNT)[:9]
    assert np.concatenate([labels for _, labels in shown]).tolist() == (numbers % 3).tolist()


def test_a_process_reads_its_own_records_alone(tmp_path):
    # Each in a file of its own.
    files = write(tmp_path / "single", [shade(number) for number in range(8)], num_files=8)
    batches = tgs.data.tfrecords(files, batch_size=8, seed=2)
    whole = levels(next(batches.as_numpy_iterator()))
    for number in whole[4:]:
        os.remove(files.replace("*", str(number)))
    own = next(batches.of_process(0, 2, 2).as_numpy_iterator())
    assert levels(own).tolist() == whole[:4].tolist()
    with pytest.raises(tf.errors.NotFoundError, match="tfrecord"):
        next(batches.of_process(1, 2, 2).as_numpy_iterator())


def test_records_that_cannot_be_read_or_decoded_are_named(damaged):
    path, damage = damaged
    places = offsets_in(path)
    batches = tgs.data.tfrecords(path, batch_size=1)
    damage(places[1] + 40)
    with pytest.raises(tf.errors.DataLossError, match="corrupted record"):
        list(batches.take(3).as_numpy_iterator())
    assert list(batches.damaged()) == [f"{path}, byte {places[1]}"]
    assert "corrupted record" in batches.damaged()[f"{path}, byte {places[1]}"]


def shades_from_front(tmp_path, num_files, **settings):
    records = [shade(number) for number in range(24)]
    files = write(tmp_path / "packed", records, num_files, "GZIP", ending="gz")
    return tgs.data.tfrecords(files, batch_size=6, seed=5, **settings)


def test_compressed_files_are_read_in_turns_in_an_order_of_each_epoch(tmp_path):
    # Nothing but the files' order is left where the buffer holds a single record.
    batches = shades_from_front(tmp_path, 4, shuffle_buffer=1)
    epochs = np.concatenate([levels(images) for images in batches.take(12)]).reshape(3, 24)
    for epoch, shown in enumerate(epochs):
        order = shuffled(4 * epoch + tf.range(4, dtype=tf.int64), 4, seed=5).numpy()
        assert shown.tolist() == [first + 4 * turn for turn in range(6) for first in order]
    assert len({tuple(epoch) for epoch in epochs}) == 3


@pytest.mark.slow
@pytest.mark.parametrize("step", [3, 4, 7])
def test_compressed_files_can_start_at_any_step(tmp_path, step):
    batches = shades_from_front(tmp_path, 3, shuffle_buffer=7)
    whole = np.concatenate([levels(images) for images in batches.take(step + 2)])
    again = [levels(images) for images in batches.starting_at(step).take(2)]
    assert np.concatenate(again).tolist() == whole[6 * step :].tolist()
    assert sorted(whole[:24]) == list(range(24))


@pytest.mark.slow
def test_a_process_decodes_its_own_of_compressed_records(tmp_path):
    batches = shades_from_front(tmp_path, 3).starting_at(1, minibatches=2)
    whole = levels(next(batches.as_numpy_iterator())).reshape(2, 2, 3)
    for process in range(2):
        own = next(batches.of_process(process, 2, 2).as_numpy_iterator())
        assert levels(own).tolist() == whole[:, process].ravel().tolist()


def test_damaged_compressed_records_are_named_by_their_number(tmp_path):
    files = write(tmp_path / "some", [shade(0), b"no example", shade(2)], 1, "GZIP", "gz")
    batches = tgs.data.tfrecords(files, batch_size=1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Could not parse example"):
        list(batches.take(3).as_numpy_iterator())
    (found,) = batches.damaged().items()
    assert found[0] == f"{files.replace('*', '0')}, record 1"
    assert "Could not parse example" in found[1]
    with pytest.raises(ValueError, match="must be sound.*0.gz, record 1: .*Write the file anew"):
        tgs.data.tfrecords(files, batch_size=1, labels=True)


def test_a_wrong_number_of_compressed_records_ends_the_epoch(tmp_path):
    batches = shades_from_front(tmp_path, 3, num_examples=25)
    with pytest.raises(
        tf.errors.FailedPreconditionError, match="25 elements but contained only 24"
    ):
        list(batches.take(5).as_numpy_iterator())
