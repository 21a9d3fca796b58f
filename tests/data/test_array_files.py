"""Files of arrays are read in pieces, also by the streams of them."""

import zipfile

import numpy as np
import pytest

import tfgan_stab as tgs
from tfgan_stab.data import array_files
from tfgan_stab.data.array_files import ArrayFile, StoredArray, keys_in
from tfgan_stab.data.batches import Batches

COUNT = 600  # Three pieces.
IMAGES = np.random.RandomState(0).randint(0, 256, [COUNT, 4, 5, 3], np.uint8)
CLASSES = np.arange(COUNT) % 7


@pytest.fixture(params=["npz", "compressed", "npy", "by_columns"])
def stored(request, tmp_path):
    """The images in every kind of file."""
    path = tmp_path / "images.npz"
    if request.param in ("npz", "compressed"):
        save = np.savez if request.param == "npz" else np.savez_compressed
        save(path, images=IMAGES, classes=CLASSES)
        return str(path), "images"
    path = path.with_suffix(".npy")
    np.save(path, np.asfortranarray(IMAGES) if request.param == "by_columns" else IMAGES)
    return str(path), None


def test_an_array_is_the_same_whole_and_in_pieces(stored):
    array = StoredArray(*stored)
    assert (array.shape, array.dtype) == (IMAGES.shape, np.uint8)
    np.testing.assert_array_equal(array.whole(), IMAGES)
    pieces = list(array.pieces(250))
    assert [len(piece) for piece in pieces] == [250, 250, 100]
    np.testing.assert_array_equal(np.concatenate(pieces), IMAGES)


def test_only_archives_have_keys(stored):
    assert keys_in(stored[0]) == (stored[1] and ["images", "classes"])


@pytest.fixture
def batches(tmp_path):
    """Batches of a compressed file with classes, each image told apart by its first pixel."""
    images = np.zeros([COUNT, 2, 2, 2], np.uint8)
    images[:, 0, 0] = np.stack([np.arange(COUNT) // 256, np.arange(COUNT) % 256], axis=1)
    np.savez_compressed(tmp_path / "images.npz", images=images, classes=CLASSES)
    examples = ArrayFile(str(tmp_path / "images.npz"), "numbered", "images", "classes")
    return Batches(examples, batch_size=100, seed=3)


def numbers(images):
    high, low = np.rint((images[:, 0, 0] + 1) * 127.5).astype(int).T
    return 256 * high + low


def test_a_stream_shows_each_image_once_an_epoch_with_its_class(batches):
    shown = list(batches.take(12).as_numpy_iterator())
    order = np.concatenate([numbers(images) for images, _ in shown])
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in shown]), order % 7)
    for epoch in (order[:COUNT], order[COUNT:]):
        assert sorted(epoch) == list(range(COUNT))
    assert not np.array_equal(order[:COUNT], order[COUNT:])
    assert (batches.num_classes, batches.example_shape) == (7, (2, 2, 2))


@pytest.mark.slow
@pytest.mark.parametrize("step", [2, 7])
def test_a_stream_can_start_at_any_step(batches, step):
    whole = [images for images, _ in batches.take(step + 2).as_numpy_iterator()]
    for images, _ in batches.starting_at(step).take(2).as_numpy_iterator():
        np.testing.assert_array_equal(images, whole[step])
        step += 1


def test_examples_come_in_the_order_of_the_file(batches):
    images = np.concatenate(list(batches.examples().as_numpy_iterator()))
    assert numbers(images).tolist() == list(range(COUNT))
    pairs = list(batches.examples(limit=250, labels=True).as_numpy_iterator())
    assert [len(labels) for _, labels in pairs] == [100, 100, 50]
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in pairs]), CLASSES[:250])


def test_examples_hold_one_piece_in_memory(batches, monkeypatch):
    largest = []
    read = zipfile.ZipExtFile.read

    def noted(file, n=-1):
        data = read(file, n)
        largest.append(len(data))
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "read", noted)
    assert sum(len(images) for images in batches.examples()) == COUNT
    assert max(largest) == array_files.PIECE * 2 * 2 * 2


def test_objects_are_not_unpickled(tiny, tmp_path):
    marker, hostile = tmp_path / "marker", tiny.pickled(tmp_path / "marker")
    np.save(tmp_path / "a.npy", hostile)
    np.savez(tmp_path / "images.npz", images=hostile)
    np.savez(tmp_path / "labels.npz", images=IMAGES, labels=hostile)
    places = [("a.npy", None, None), ("images.npz", None, None), ("labels.npz", "images", "labels")]
    for name, key, labels in places:
        with pytest.raises(ValueError, match=f"{name}.*holds Python objects. Write it with"):
            tgs.data.arrays(tmp_path / name, batch_size=1, key=key, labels=labels)
    assert not marker.exists()
    with np.load(tmp_path / "images.npz", allow_pickle=True) as archive:
        archive["images"][0].close()
    assert marker.exists()  # The files are what they are taken for.
