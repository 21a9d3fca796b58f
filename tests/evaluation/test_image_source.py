"""Real images from anywhere: the same images, counts, classes and hashes."""

import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.data.array_files import ArrayFile
from tfgan_stab.data.batches import Batches
from tfgan_stab.data.digits import loaded_digits
from tfgan_stab.evaluation.image_source import ImageSource, rebatched


def pictures(count=10):
    return np.random.default_rng(0).uniform(-1, 1, [count, 2, 2, 1]).astype(np.float32)


def data(*columns):
    return tf.data.Dataset.from_tensor_slices(columns if len(columns) > 1 else columns[0])


def read(source, limit=None):
    return np.concatenate(list(source.batches(limit)))


class WithExamples:
    """What offers a pass of examples, but is no data set of the package."""

    def examples(self):
        return data(pictures()).batch(3)


SOURCES = {
    "array": lambda: pictures(),
    "tensor": lambda: tf.constant(pictures()),
    "list": lambda: list(pictures()),
    "pair": lambda: (pictures(), np.arange(10)),
    "data set": lambda: data(pictures()).batch(4),
    "labelled data set": lambda: data(pictures(), np.arange(10)).batch(3),
    "of unknown length": lambda: data(pictures()).filter(lambda image: True).batch(4),
    "with examples": WithExamples,
}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_every_source_gives_the_same_images_as_often_as_asked(make):
    source = ImageSource(make())
    assert source.count == 10
    for _ in range(2):
        np.testing.assert_array_equal(read(source), pictures())
    whole = ImageSource(pictures())
    read(whole)
    assert source.content_hash == whole.content_hash


def test_the_hash_tells_images_but_neither_order_nor_rounding():
    def hash_of(images):
        source = ImageSource(images)
        read(source)
        return source.content_hash

    images = pictures(600)
    assert hash_of(images[::-1]) == hash_of(images)
    levels = (np.rint((images + 1) * 127.5) / 127.5 - 1).astype(np.float32)
    assert hash_of(levels) == hash_of(levels + np.float32(1e-4)) == hash_of(images)
    others = [images[:-1], np.roll(images, 1, axis=1), -images, np.repeat(images[:300], 2, axis=0)]
    assert len({hash_of(images), *map(hash_of, others)}) == 5


def test_the_hash_is_known_after_a_pass():
    with pytest.raises(RuntimeError, match="known once they have been gone through"):
        _ = ImageSource(pictures()).content_hash


def test_points_are_hashed_by_their_bits():
    points = np.random.default_rng(0).normal(size=[9, 2]).astype(np.float32)
    sources = [ImageSource(points), ImageSource(points + np.float32(1e-4))]
    for source in sources:
        read(source)
    assert sources[0].content_hash != sources[1].content_hash


@pytest.mark.parametrize("name", ["pair", "labelled data set"])
def test_labels_come_in_the_order_of_the_images(name):
    source = ImageSource(SOURCES[name](), labelled=True)
    np.testing.assert_array_equal(source.labels, np.arange(10))
    np.testing.assert_array_equal(read(source), pictures())


def test_a_data_set_of_the_package_gives_each_example_once_with_its_label():
    source = ImageSource(tgs.data.digits(batch_size=50, seed=3, labels=True), labelled=True)
    images, labels = loaded_digits()
    plain = ImageSource(tgs.data.digits(batch_size=60))
    assert source.count == plain.count == 1797
    for each in (source, plain):  # Whatever the seed, in the order of the data.
        np.testing.assert_array_equal(read(each), images)
    np.testing.assert_array_equal(source.labels, labels)
    assert source.content_hash != plain.content_hash  # Classes count, too.


def test_an_endless_mixture_gives_as_many_as_asked_for():
    source = ImageSource(tgs.data.mixture(modes=16))
    assert source.is_endless and len(read(source, limit=300)) == 300


def test_names_are_fit_for_protocols():
    assert ImageSource(pictures()).name == "array"
    assert ImageSource(SOURCES["data set"]()).name == "dataset"
    assert ImageSource(tgs.data.digits()).name == "digits"


def test_what_is_wrong_with_a_file_is_said_without_a_stack(tmp_path):
    images = np.zeros([600, 2, 2, 1], np.float32)
    images[:, 0] = -1
    images[599, 1, 1] = np.nan
    np.save(tmp_path / "images.npy", images)
    file = ArrayFile(str(tmp_path / "images.npy"), "images.npy")
    source = ImageSource(Batches(file, batch_size=100))
    message = "^Real images cannot be read: '.*images.npy' must hold .*at index 599. Leave such ex"
    with pytest.raises(ValueError, match=message):
        read(source)


def test_an_endless_data_set_is_refused():
    endless = tf.data.Dataset.from_tensors(pictures()).repeat()
    with pytest.raises(ValueError, match=r"Real images must end.*dataset.take\(n\)"):
        ImageSource(endless)


@pytest.mark.parametrize("name", ["array", "data set"])
def test_labels_that_are_not_there_are_refused(name):
    with pytest.raises(ValueError, match="needs real images with labels. Received: none"):
        ImageSource(SOURCES[name](), labelled=True)
    with pytest.raises(ValueError, match="needs real images with labels. Received: none"):
        ImageSource(tgs.data.digits(), labelled=True)


def labelled(images, labels):
    return ImageSource((images, labels), labelled=True)


def gone_through(source):
    _ = source.labels
    for _ in source.batches():
        continue
    return source.content_hash


ONE_HOT = np.eye(2, dtype=np.float32)[[0] * 7 + [1] * 3]


@pytest.mark.parametrize(
    ("labels", "counts"),
    [
        (np.repeat([2, 0], [7, 3]), {0: 3, 2: 7}),
        (np.repeat([2, 0], [7, 3])[:, None], {0: 3, 2: 7}),
        (ONE_HOT, {0: 7, 1: 3}),
        (ONE_HOT.astype(int), {0: 7, 1: 3}),
        (ONE_HOT + 0.5, None),
        (np.eye(10, 3), None),
        (np.linspace(0, 1, 10), None),
        (pictures(), None),
    ],
)
def test_classes_are_counted_in_a_pass(labels, counts):
    batches = tf.data.Dataset.from_tensor_slices((pictures(), labels)).batch(4)
    for images in ((pictures(), labels), batches):
        source = ImageSource(images)
        assert source.class_counts is None
        read(source)
        assert source.class_counts == counts


@pytest.mark.slow
def test_classes_of_data_sets_of_the_package_are_counted():
    counts = np.bincount(loaded_digits()[1])
    for labels in (True, False):
        source = ImageSource(tgs.data.digits(batch_size=60, labels=labels))
        read(source)
        assert source.class_counts == (dict(enumerate(counts)) if labels else None)
    endless = ImageSource(tgs.data.mixture(modes=4, labels=True))
    list(endless.batches(limit=10))
    assert endless.class_counts is None


def test_labels_count_for_the_hash_and_their_order_does_not():
    images, labels = pictures(300), np.arange(300) % 3
    plain = gone_through(labelled(images, labels))
    assert plain != gone_through(labelled(images, np.roll(labels, 1)))
    order = np.random.RandomState(0).permutation(300)
    assert plain == gone_through(labelled(images[order], labels[order]))


def test_reshuffled_data_cannot_be_scored_per_class():
    data = tf.data.Dataset.from_tensor_slices((pictures(60), np.arange(60) % 3))
    fixed = ImageSource(data.shuffle(60, 1, reshuffle_each_iteration=False).batch(7), labelled=True)
    assert gone_through(fixed) == gone_through(ImageSource(data.batch(9), labelled=True))
    with pytest.raises(ValueError, match="come in the same order each time. Received: another"):
        gone_through(ImageSource(data.shuffle(60).batch(7), labelled=True))


@pytest.mark.parametrize("wrong", [np.eye(3, dtype=int)[np.arange(60) % 3], np.full(60, 0.5)])
def test_labels_must_be_integers(wrong):
    with pytest.raises(ValueError, match="must be integers .samples., one for each image"):
        _ = labelled(pictures(60), wrong).labels


def test_labels_for_some_images_only_are_refused():
    for asked in (True, False):
        with pytest.raises(ValueError, match="Received: 60 images and 59 labels"):
            ImageSource((pictures(60), np.zeros(59, int)), asked)
    with pytest.raises(ValueError, match="Received: 60 images and 59 labels"):
        labelled(pictures(60), np.zeros(59, int))


def test_endless_data_cannot_be_scored_per_class():
    with pytest.raises(ValueError, match="real images that end. Received: endless data 'mixture"):
        ImageSource(tgs.data.mixture(modes=4, labels=True), labelled=True)


def test_half_range_warns():
    half = ImageSource((pictures() + 1) / 2)
    with pytest.warns(UserWarning, match="'Real images' has values from .* use `2 . images - 1`"):
        read(half)
    for fine in (pictures(), np.zeros([5, 2, 2, 1], np.float32)):
        read(ImageSource(fine))


def numbered(sizes):
    ends = np.cumsum([0, *sizes])
    return [np.arange(start, end) for start, end in zip(ends, ends[1:], strict=False)]


@pytest.mark.parametrize("sizes", [[10], [1] * 10, [3, 3, 3, 1], [7, 0, 3], [4, 4, 2]], ids=str)
@pytest.mark.parametrize("samples", [None, 10, 8, 1])
def test_images_come_in_order_in_batches_of_one_size(sizes, samples):
    count = samples or 10
    pieces = list(rebatched(numbered(sizes), 4, samples))
    assert np.concatenate(pieces).tolist() == list(range(count))
    assert all(len(piece) == 4 for piece in pieces[:-1]) and 0 < len(pieces[-1]) <= 4


def test_no_batch_is_asked_for_beyond_the_samples():
    asked = []

    def endless():
        while True:
            asked.append(4)
            yield np.zeros(4)

    assert sum(map(len, rebatched(endless(), 3, samples=8))) == 8
    assert asked == [4, 4]


def test_too_few_images_are_an_error_that_says_how_many_came():
    with pytest.raises(ValueError, match="needs 11 images. Received: 10. Lower `samples`"):
        list(rebatched(numbered([4, 6]), 4, samples=11))


def test_tensors_are_rebatched():
    pieces = rebatched([tf.zeros([3, 2]), tf.ones([2, 2])], 5)
    assert next(iter(pieces)).tolist() == [[0, 0]] * 3 + [[1, 1]] * 2
