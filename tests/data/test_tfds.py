"""TFDS for real, on a set that its own builder writes here, and mocked for the sets it names."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets

import tfgan_stab as tgs
from tfgan_stab.data.streams import shuffled

NUM_EXAMPLES = 23


class Shades(tensorflow_datasets.core.GeneratorBasedBuilder):
    """Flat gray pictures; example i has level 10 i and class i % 3."""

    VERSION = tensorflow_datasets.core.Version("1.2.3")

    def _info(self):
        features = tensorflow_datasets.features
        return self.dataset_info_from_configs(
            features=features.FeaturesDict(
                {
                    "image": features.Image(shape=(12, 12, 1)),
                    "label": features.ClassLabel(num_classes=3),
                    "note": features.Text(),
                }
            )
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(NUM_EXAMPLES), "few": self._generate_examples(4)}

    def _generate_examples(self, count):
        for index in range(count):
            image = np.full([12, 12, 1], 10 * index, np.uint8)
            yield index, {"image": image, "label": index % 3, "note": str(index)}


class Unlabelled(Shades):
    """The same, with the class -1 that TFDS gives to pictures without one."""

    def _generate_examples(self, count):
        for index, example in super()._generate_examples(count):
            yield index, {**example, "label": -1}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tfds")
    for builder in (Shades, Unlabelled):
        # Four files, so that the order across files is part of what is tested.
        config = tensorflow_datasets.download.DownloadConfig(num_shards=4)
        builder(data_dir=directory).download_and_prepare(download_config=config)
    return str(directory)


def shades(data_dir, batch_size=5, **settings):
    return tgs.data.tfds("shades", batch_size=batch_size, data_dir=data_dir, **settings)


def levels(images):
    return np.rint((np.asarray(images)[:, 0, 0, 0] + 1) * 127.5 / 10).astype(int)


def order(batches, num_batches):
    shown = batches if num_batches is None else batches.take(num_batches)
    return np.concatenate([levels(images) for images in shown])


def numbers_in(path):
    """The numbers of the pictures in a file of the set, by their notes."""
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        yield int(features["note"].bytes_list.value[0])


def assert_same_bits(one, other):
    tf.nest.map_structure(np.testing.assert_array_equal, one, other)


def test_the_set_is_read_from_several_files(data_dir):
    builder = tensorflow_datasets.builder("shades", data_dir=data_dir)
    assert builder.info.splits["train"].num_shards == 4


@pytest.mark.parametrize("shuffle_buffer", [None, 4])
def test_every_epoch_shows_every_record_once(data_dir, shuffle_buffer):
    batches = shades(data_dir, shuffle_buffer=shuffle_buffer)
    numbers = order(batches, 23)[: 5 * NUM_EXAMPLES].reshape(5, NUM_EXAMPLES)
    assert [sorted(epoch) for epoch in numbers] == [list(range(NUM_EXAMPLES))] * 5
    assert len({tuple(epoch) for epoch in numbers}) == 5


@pytest.mark.slow
def test_the_seed_decides_the_order_and_the_global_seed_does_not(data_dir):
    tf.random.set_seed(1)
    one = order(shades(data_dir, seed=7), 6)
    tf.random.set_seed(2)
    np.testing.assert_array_equal(order(shades(data_dir, seed=7), 6), one)
    assert not np.array_equal(order(shades(data_dir, seed=8), 6), one)


@pytest.mark.cases(full=5)
@pytest.mark.slow
@pytest.mark.parametrize("shuffle_buffer", [None, 4])
@pytest.mark.parametrize("step", [1, 4, 5, 11])
def test_a_stream_of_records_can_start_at_any_step(data_dir, step, shuffle_buffer):
    # Step 5 begins in the second epoch, step 4 runs across its beginning.
    batches = shades(data_dir, seed=3, labels=True, shuffle_buffer=shuffle_buffer)
    whole = list(batches.take(step + 3).as_numpy_iterator())
    again = list(batches.starting_at(step).take(3).as_numpy_iterator())
    assert_same_bits(again, whole[step:])


@pytest.mark.slow
@pytest.mark.parametrize("step", [0, 2])
def test_steps_of_several_minibatches_join_batches(data_dir, step):
    batches = shades(data_dir, seed=3)
    whole = list(batches.take(2 * step + 2).as_numpy_iterator())
    double = next(batches.starting_at(step, minibatches=2).as_numpy_iterator())
    assert_same_bits(double, np.concatenate(whole[2 * step :]))


def test_labels_stay_with_their_pictures(data_dir):
    batches = shades(data_dir, labels=True)
    for images, labels in batches.take(7).as_numpy_iterator():
        assert labels.dtype == np.int32
        assert (levels(images) % 3).tolist() == labels.tolist()
    assert batches.num_classes == 3


def test_pictures_come_back_as_they_went_in(data_dir):
    batches = shades(data_dir)
    assert batches.element_spec == tf.TensorSpec([5, 12, 12, 1], tf.float32)
    assert batches.cardinality() == tf.data.INFINITE_CARDINALITY
    images = np.concatenate(list(batches.examples().as_numpy_iterator()))
    expected = {level * 10 / 127.5 - 1 for level in range(NUM_EXAMPLES)}
    np.testing.assert_allclose(sorted(images[:, 3, 7, 0]), sorted(expected), atol=1e-7)
    assert (images == images[:, :1, :1, :]).all()


@pytest.mark.slow
def test_examples_come_once_in_a_fixed_order(data_dir):
    numbers = order(shades(data_dir, seed=1).examples(), 9).tolist()
    assert sorted(numbers) == list(range(NUM_EXAMPLES))
    assert order(shades(data_dir, seed=2).examples(), 9).tolist() == numbers
    assert order(shades(data_dir).examples(limit=7), 9).tolist() == numbers[:7]


def test_records_of_a_set_are_shuffled_among_all_of_them(data_dir):
    stored = [
        number
        for path in sorted(pathlib.Path(data_dir).glob("shades/*/shades-train*"))
        for number in numbers_in(path)
    ]
    naive = [
        stored[int(shuffled(tf.constant([n], tf.int64), NUM_EXAMPLES, 6)[0])] for n in range(30)
    ]
    assert order(shades(data_dir, seed=6), 6).tolist() == naive


def test_reading_by_index_sets_up_no_pipeline_of_tfds(data_dir, monkeypatch):
    monkeypatch.setattr(tensorflow_datasets.core.DatasetBuilder, "as_dataset", None)
    assert shades(data_dir).num_examples == NUM_EXAMPLES


def test_damaged_records_of_a_set_are_named(tmp_path):
    batches = shades(str(tmp_path), download=True)
    (path,) = tmp_path.glob("shades/*/shades-train*")
    with open(path, "r+b") as file:
        file.seek(60)
        file.write(b"\xee\xee")
    assert list(batches.damaged()) == [f"{path}, byte 0"]


def test_parts_of_a_split_are_those_of_tfds(data_dir):
    for split in ("train[5:11]", "train[:30%]+few"):
        part = tensorflow_datasets.load("shades", split=split, data_dir=data_dir)
        expected = sorted(int(each["image"][0, 0, 0]) // 10 for each in part)
        batches = shades(data_dir, 2, split=split)
        assert sorted(order(batches.examples(), None)) == expected


def test_split_expressions(data_dir):
    assert shades(data_dir, 2, split="train[:10]").num_examples == 10
    assert shades(data_dir, 2, split="train+few").num_examples == NUM_EXAMPLES + 4
    assert shades(data_dir, 2, split="few").name == "tfds:shades/few"


def test_size_and_channels_are_changed_when_asked(data_dir):
    batches = shades(data_dir, size=6, channels=3)
    assert batches.element_spec == tf.TensorSpec([5, 6, 6, 3], tf.float32)
    assert sorted(order(batches, 5)[:NUM_EXAMPLES]) == list(range(NUM_EXAMPLES))


def test_records_describe_themselves(data_dir):
    from_front = shades(data_dir, shuffle_buffer=7)
    assert from_front.description()["shuffle_buffer"] == 7
    assert shades(data_dir, labels=True).description() == {
        "name": "tfds:shades/train",
        "examples": NUM_EXAMPLES,
        "shape": [12, 12, 1],
        "classes": 3,
        "batch_size": 5,
        "seed": 0,
        "version": "1.2.3",
        "class_names": ["0", "1", "2"],
    }


def test_pictures_without_a_label_are_refused_when_labels_are_asked_for(data_dir):
    batches = tgs.data.tfds("unlabelled", batch_size=2, data_dir=data_dir, labels=True)
    message = "A picture of unlabelled, split train, has no label: use `labels=False`"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        next(iter(batches))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"batch_size": 24}, "batch_size=24, 23 examples"),
        ({"split": "test"}, "that 'shades' has: few, train, .*Received: split='test'"),
        ({"size": 0}, "`size` must be"),
        ({"channels": 2}, "`channels` must be"),
        ({"shuffle_buffer": 0}, "`shuffle_buffer` must be a number of pictures, an int"),
    ],
)
def test_bad_settings_of_a_tfds_set_are_refused(data_dir, settings, message):
    with pytest.raises(ValueError, match=message):
        shades(data_dir, **settings)


def test_absent_data_are_not_downloaded_unasked(tmp_path):
    command = "import tensorflow_datasets as tfds; tfds.builder"
    message = f"data of 'cifar10' are not in '{tmp_path}.*`data_dir`.*{command}.*`download=True`"
    with pytest.raises(FileNotFoundError, match=message):
        tgs.data.tfds("cifar10", data_dir=str(tmp_path))


def test_download_prepares_the_set(tmp_path):
    batches = shades(str(tmp_path), download=True)
    assert batches.num_examples == NUM_EXAMPLES


@pytest.mark.parametrize(
    "name, message",
    [
        ("cifar11", "no set called 'cifar11'. The nearest names are: cifar10"),
        ("celeba", "nearest names are: .*celeb_a"),
        ("zzzzzzzz", "nearest names are: none. A set of your own needs `data_dir`"),
        ("lsun/bedrom", "refused 'lsun/bedrom': .*BuilderConfig bedrom not found"),
        ("cifar10:9.9.9", "refused 'cifar10:9.9.9': .*cannot be loaded at version 9.9.9"),
    ],
)
def test_unknown_sets_are_refused_with_the_nearest_names(name, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        tgs.data.tfds(name, data_dir=str(tmp_path))


# Name, shape as it comes, classes.
MOCKED = [
    ("mnist", (28, 28, 1), 10),
    ("cifar10", (32, 32, 3), 10),
    ("svhn_cropped", (32, 32, 3), 10),
    ("stl10", (96, 96, 3), 10),
    ("celeb_a", (218, 178, 3), None),
    ("lsun/bedroom", None, None),
    ("imagenet_resized/32x32", (32, 32, 3), 1000),
    ("imagenet2012", None, 1000),
]
each_mocked = pytest.mark.parametrize("name, shape, classes", MOCKED)


@pytest.fixture
def mocked():
    policy = tensorflow_datasets.testing.MockPolicy.USE_CODE
    with tensorflow_datasets.testing.mock_data(num_examples=6, policy=policy):
        yield


@pytest.mark.cases(full=6, fast=2)
@each_mocked
def test_named_sets_give_batches_at_a_size(mocked, name, shape, classes):
    batches = tgs.data.tfds(name, batch_size=4, size=16, labels=classes is not None)
    element = next(batches.as_numpy_iterator())
    images = element if classes is None else element[0]
    channels = 3 if shape is None else shape[-1]
    assert images.shape == (4, 16, 16, channels)
    assert batches.example_shape == (16, 16, channels)
    assert images.dtype == np.float32
    assert -1 <= images.min() < images.max() <= 1
    assert batches.num_classes == classes
    if classes is not None:
        assert element[1].dtype == np.int32


@pytest.mark.cases(fast=5)
@each_mocked
def test_named_sets_keep_their_size_or_ask_for_one(mocked, name, shape, classes):
    if shape is None:
        with pytest.raises(ValueError, match=f"'{name}' has pictures of any size: give `size`"):
            tgs.data.tfds(name, batch_size=4)
    else:
        assert tgs.data.tfds(name, batch_size=4).example_shape == shape


@pytest.mark.parametrize("name", ["celeb_a", "lsun/bedroom"])
def test_sets_without_labels_refuse_to_give_them(mocked, name):
    message = f"With `labels=True`, '{name}' must have one class label.*Use `labels=False`"
    with pytest.raises(ValueError, match=message):
        tgs.data.tfds(name, batch_size=4, size=16, labels=True)


def test_text_is_no_image_set(mocked):
    message = r"'lm1b' must have pictures.*Received: features \['text'\], pictures in none"
    with pytest.raises(ValueError, match=message):
        tgs.data.tfds("lm1b", batch_size=4)


# -- As the papers' code prepares them ------------------------------------------------------------

# Settings, and the shape of an image.
PREPARED = {
    "celeb_a": ({"size": 64, "crop": 108}, (64, 64, 3)),
    "lsun/bedroom": ({"size": 64, "resize": "area"}, (64, 64, 3)),
    "stl10": ({"size": 48}, (48, 48, 3)),
    "imagenet_resized/32x32": ({"labels": True}, (32, 32, 3)),
    "imagenet_resized/64x64": ({"labels": True}, (64, 64, 3)),
    "imagenet2012": ({"size": 128, "labels": True}, (128, 128, 3)),
    "svhn_cropped": ({}, (32, 32, 3)),
    "mnist": ({}, (28, 28, 1)),
    "cifar10": ({"labels": True}, (32, 32, 3)),
}


@pytest.mark.cases(fast=2)
@pytest.mark.parametrize("name", PREPARED)
def test_sets_of_the_papers(mocked, name):
    settings, shape = PREPARED[name]
    batches = tgs.data.tfds(name, batch_size=3, **settings)
    element = next(batches.as_numpy_iterator())
    images = element[0] if "labels" in settings else element
    assert images.shape == (3, *shape) and batches.example_shape == shape
    assert -1 <= images.min() < -0.4 and 0.4 < images.max() <= 1
    found = {key: batches.description().get(key) for key in ("crop", "resize")}
    assert found == {key: settings.get(key) for key in ("crop", "resize")}


class Wide(Shades):
    """Noise of 13x20 pixels."""

    def _info(self):
        feature = tensorflow_datasets.features.Image(shape=(13, 20, 3))
        return self.dataset_info_from_configs(
            features=tensorflow_datasets.features.FeaturesDict({"image": feature})
        )

    def _generate_examples(self, count):
        for index in range(count):
            noise = np.random.RandomState(index).randint(0, 256, [13, 20, 3])
            yield index, {"image": noise.astype(np.uint8)}


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A folder with a set of wide pictures, and the pictures."""
    directory = str(tmp_path_factory.mktemp("wide"))
    Wide(data_dir=directory).download_and_prepare()
    data = tensorflow_datasets.load("wide", split="few", data_dir=directory)
    return directory, np.stack([each["image"] for each in data.as_numpy_iterator()])


def prepared(directory, **settings):
    batches = tgs.data.tfds("wide", batch_size=4, split="few", data_dir=directory, **settings)
    return next(batches.examples().as_numpy_iterator())


@pytest.mark.slow
def test_a_crop_is_the_square_in_the_middle(wide):
    directory, pictures = wide
    square = pictures[:, 1:11, 5:15] / 127.5 - 1
    np.testing.assert_allclose(prepared(directory, crop=10), square, atol=1e-5)
    np.testing.assert_allclose(prepared(directory, crop=10, size=10), square, atol=1e-5)
    largest = pictures[:, :, 3:16] / 127.5 - 1
    np.testing.assert_allclose(prepared(directory, size=13), largest, atol=1e-5)


@pytest.mark.slow
def test_area_takes_means(wide):
    directory, pictures = wide
    square = pictures[:, 1:11, 5:15] / 127.5 - 1
    means = square.reshape(4, 5, 2, 5, 2, 3).mean((2, 4))
    found = prepared(directory, crop=10, size=5, resize="area")
    np.testing.assert_allclose(found, means, atol=1e-5)
    assert np.abs(prepared(directory, crop=10, size=5) - means).max() > 0.05


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"crop": 14}, "at most the pictures' smaller side. Received: crop=14.* 13x20 pixels"),
        ({"crop": 0}, "`crop` must be a number of pixels, an integer >= 1. Received: 0. It is a"),
        ({"resize": "nearest"}, "`resize` must be one of 'bicubic', 'area'. Received: 'nearest'"),
    ],
)
def test_impossible_crops_are_refused(wide, settings, message):
    with pytest.raises(ValueError, match=message):
        prepared(wide[0], **settings)


def test_absent_data_that_are_fetched_by_hand_say_so(tmp_path):
    message = "tfds.builder.*photo_patches.gin.*fetched by hand before: .*ILSVRC2012"
    with pytest.raises(FileNotFoundError, match=message):
        tgs.data.tfds("imagenet2012", data_dir=str(tmp_path), size=64)
