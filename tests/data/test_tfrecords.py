"""Pictures in TFRecords: what of a record becomes an element, and what is refused."""

import re

import numpy as np
import pytest
import tensorflow as tf
from record_writers import example, levels, shade, write

import tfgan_stab as tgs
from tfgan_stab.cli.sources.opening import open_real

COUNT = 7
SQUARE = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    records = [shade(number) for number in range(COUNT)]
    return write(tmp_path_factory.mktemp("tfrecords") / "shades", records)


def only(tmp_path, **features):
    """A file of one record."""
    return write(tmp_path / "own", [example(**features)], num_files=1)


def first(batches):
    return next(batches.as_numpy_iterator())


def test_labels_stay_with_their_pictures_and_classes_are_counted(files):
    batches = tgs.data.tfrecords(files, batch_size=COUNT, labels=True)
    images, labels = first(batches)
    assert sorted(levels(images)) == list(range(COUNT))
    assert labels.tolist() == (levels(images) % 3).tolist() and labels.dtype == np.int32
    assert batches.num_classes == 3 and batches.num_examples == COUNT
    assert batches.name == f"tfrecords:{files}" and images.shape == (COUNT, 6, 6, 3)


def test_pictures_are_decoded_cropped_and_resized(files, tmp_path):
    small = tgs.data.tfrecords(files, batch_size=4, size=3, channels=1)
    assert small.element_spec == tf.TensorSpec([4, 3, 3, 1], tf.float32)
    own = only(tmp_path, png=tf.io.encode_png(SQUARE).numpy())
    kept = first(tgs.data.tfrecords(own, batch_size=1, image_key="png"))
    np.testing.assert_allclose(kept[0], SQUARE / 127.5 - 1, atol=1e-6)
    cut = first(tgs.data.tfrecords(own, batch_size=1, image_key="png", size=4))
    np.testing.assert_allclose(cut[0], SQUARE[:4] / 127.5 - 1, atol=1e-5)


def test_plain_bytes_are_pictures_of_the_shape_that_is_given(tmp_path):
    own = only(tmp_path, image=SQUARE.tobytes())
    settings = {"batch_size": 1, "image_key": "image"}
    image = first(tgs.data.tfrecords(own, raw_shape=[5, 4, 3], **settings))[0]
    np.testing.assert_allclose(image, SQUARE / 127.5 - 1, atol=1e-6)
    message = r"as `raw_shape` says. Received: raw_shape=\(5, 4, 1\).* 60 values"
    with pytest.raises(ValueError, match=message):
        tgs.data.tfrecords(own, raw_shape=[5, 4, 1], **settings)
    with pytest.raises(ValueError, match="a JPEG or PNG file.*raw_shape=None"):
        tgs.data.tfrecords(own, **settings)


def test_several_patterns_and_data_sets_by_name(files, tmp_path):
    first_two = [files.replace("*", "0"), files.replace("*", "[01]")]
    assert tgs.data.tfrecords(first_two, batch_size=2).num_examples == 3 + 2
    assert tgs.data.load(f"tfrecords:{files}", batch_size=2).num_examples == COUNT
    many = write(tmp_path / "many", [shade(1), shade(2)] * 32)
    real = open_real(f"tfrecords:{many}", "any", size=5, channels=1, labels=True)
    assert (real.example_shape, real.num_classes) == ((5, 5, 1), 3)


def test_slow_disks_are_read_from_front_to_back(files):
    batches = tgs.data.tfrecords(files, batch_size=COUNT, shuffle_buffer=3)
    assert sorted(levels(first(batches))) == list(range(COUNT))
    assert batches.description()["shuffle_buffer"] == 3
    assert "shuffle_buffer" not in tgs.data.tfrecords(files, batch_size=1).description()


def test_labels_that_are_no_classes_are_named(files):
    batches = tgs.data.tfrecords(files, batch_size=COUNT, labels=True, num_classes=2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="class from 0 to 2 - 1. Received"):
        first(batches)
    assert all("class from 0 to 2 - 1" in reason for reason in batches.damaged().values())
    assert len(batches.damaged()) == 2  # Pictures 2 and 5.


def test_pictures_of_another_size_than_the_first_are_named(tmp_path):
    files = write(tmp_path / "sizes", [shade(0, size=6), shade(1, size=5)], num_files=1)
    batches = tgs.data.tfrecords(files, batch_size=2)
    assert [place.split("byte ")[1] != "0" for place in batches.damaged()] == [True]
    assert tgs.data.tfrecords(files, batch_size=2, size=6).damaged() == {}


def test_files_that_are_absent_say_what_was_expected(tmp_path):
    pattern = f"{tmp_path}/train-*"
    message = f"No file matches '{re.escape(pattern)}'. Expected TFRecord files.*relative paths"
    with pytest.raises(FileNotFoundError, match=message):
        tgs.data.tfrecords(pattern)
    with pytest.raises(ValueError, match=f"must match TFRecord files. Received: .*'{tmp_path}'"):
        tgs.data.tfrecords(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(ValueError, match="empty' must hold TFRecords. Received: none"):
        tgs.data.tfrecords(tmp_path / "empty")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_key": "picture"}, r"bytes_list of 'picture'. Received: .*'image/class/label', "),
        ({"label_key": "image/encoded"}, "value in the int64_list of 'image/encoded'"),
        ({"labels": False, "num_classes": 3}, "num_classes=3, labels=False. Use labels=True"),
        ({"num_examples": 6}, f"number of records in .*, {COUNT}. Received: 6. Leave it out"),
        ({"num_examples": 0}, "`num_examples` must be"),
        ({"num_classes": 0}, "`num_classes` must be"),
        ({"shuffle_buffer": 0}, "`shuffle_buffer` must be"),
        ({"raw_shape": (5, 5)}, r"`raw_shape` must be height, .*Received: \(5, 5\)"),
        ({"size": 0}, "`size` must be"),
        ({"batch_size": 8}, f"batch_size=8, {COUNT} examples"),
    ],
)
def test_bad_settings_of_records_are_refused(files, settings, message):
    with pytest.raises(ValueError, match=message):
        tgs.data.tfrecords(files, **{"batch_size": 2, "labels": True, **settings})
