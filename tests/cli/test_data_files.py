"""Each gin file of `data/` gives any recipe its data: shapes, labels, what it asks of recipes."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets

from tfgan_stab.cli.config import gin as configuring
from tfgan_stab.cli.config.gin import ConfigError
from tfgan_stab.cli.jobs import train as job

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "gin_configs" / "data"
PICTURES = ["image_size = 12", "channels = 1", "labels = True"]
# The macros that a recipe defines beside batch_size and seed, and the shape of an example.
EXPECTED = {
    "resized_digits": (PICTURES, (12, 12, 1)),
    "photo_patches": (PICTURES, (12, 12, 1)),
    "image_folder": ([*PICTURES, "directory = 'pictures'"], (12, 12, 1)),
    "tfds": ([*PICTURES, "dataset = 'cifar10'", "split = 'train'"], (12, 12, 1)),
    "tfrecords": ([*PICTURES, "records = 'records/*'"], (12, 12, 1)),
    "arrays": (["file = 'some.npz'", "array_key = 'x'", "array_labels = 'y'"], (5, 4, 3)),
    "mixture": (["modes = 4"], (2,)),
    "text": (["text_length = 7", "vocabulary_size = 30"], (7, 30)),
}
LABELLED = ("resized_digits", "photo_patches", "image_folder", "tfds", "tfrecords", "arrays")


@pytest.fixture(autouse=True)
def sources(tmp_path, monkeypatch):
    """A working folder with pictures in a folder and in a file, and the sets of TFDS mocked."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        picture = tf.io.encode_png(np.full([9, 9, 3], 40, np.uint8))
        tf.io.write_file(f"pictures/{name}/0.png", picture)
    feature = {
        "image/encoded": tf.train.Feature(bytes_list={"value": [picture.numpy()]}),
        "image/class/label": tf.train.Feature(int64_list={"value": [1]}),
    }
    record = tf.train.Example(features={"feature": feature}).SerializeToString()
    (tmp_path / "records").mkdir()
    with tf.io.TFRecordWriter("records/0") as writer:
        writer.write(record)
        writer.write(record)
    images = np.arange(6 * 60, dtype=np.uint8).reshape(6, 5, 4, 3)
    np.savez("some.npz", x=images, y=np.arange(6) % 2)
    policy = tensorflow_datasets.testing.MockPolicy.USE_CODE
    with tensorflow_datasets.testing.mock_data(num_examples=4, policy=policy):
        yield


def data_of(name, *params):
    settings = ["batch_size = 2", "seed = 5", *params]
    configuring.parse([f"gin_configs/data/{name}.gin"], settings)
    return configuring.arguments(job.train, ["data"])["data"]


def test_every_file_is_tested():
    # The digits run has its own, whose numbers stay what they are.
    assert {path.stem for path in FOLDER.glob("*.gin")} == {*EXPECTED, "digits"}


@pytest.mark.cases(fast=2)
@pytest.mark.parametrize("name", EXPECTED)
def test_batches_have_the_shape_that_a_recipe_asks_for(name):
    params, shape = EXPECTED[name]
    data = data_of(name, *params)
    assert (data.example_shape, data.batch_size, data.seed) == (shape, 2, 5)
    assert (data.num_classes is not None) == (name in LABELLED)
    element = next(data.as_numpy_iterator())
    images = element[0] if name in LABELLED else element
    assert images.shape == (2, *shape) and images.dtype == np.float32


@pytest.mark.parametrize("name", [name for name in LABELLED if name != "arrays"])
def test_recipes_in_color_and_without_labels(name):
    others = EXPECTED[name][0][3:]
    data = data_of(name, "image_size = 28", "channels = 3", "labels = False", *others)
    assert data.example_shape == (28, 28, 3) and data.num_classes is None


@pytest.mark.parametrize("name", EXPECTED)
def test_files_name_what_they_require(name):
    opening = (FOLDER / f"{name}.gin").read_text(encoding="utf-8").split("# Often changed")[0]
    required = opening.split("# Required: ")[1]
    for param in EXPECTED[name][0]:
        macro = param.split(" = ")[0]
        if not macro.startswith("array_"):
            assert macro in required
            others = [each for each in EXPECTED[name][0] if each != param]
            with pytest.raises(ConfigError, match=f"`%{macro}` is set nowhere"):
                data_of(name, *others)


def test_a_data_file_takes_the_place_of_a_recipes_data(tmp_path):
    (tmp_path / "recipe.gin").write_text(
        "from __gin__ import dynamic_registration\nimport tfgan_stab as tgs\n"
        'include "gin_configs/data/tfds.gin"\n'
        "image_size = 48\nchannels = 3\nlabels = False\nbatch_size = 4\nseed = 0\n"
        'dataset = "stl10"\nsplit = "unlabelled"\n'
    )
    files = ["recipe.gin", "gin_configs/data/photo_patches.gin"]
    configuring.parse(files)
    data = configuring.arguments(job.train, ["data"])["data"]
    assert (data.name, data.example_shape) == ("photo_patches:48/train", (48, 48, 3))


def test_settings_of_the_files_reach_the_data():
    text = data_of("text", *EXPECTED["text"][0], 'text_begin = "line"')
    assert text.name == "text:python/line/train"
    ring = ['mixture_layout = "ring"', "mixture_std = 0.2", "mixture_spacing = 2.0"]
    mixture = data_of("mixture", "modes = 6", *ring)
    assert mixture.name == "mixture/ring-6" and mixture.example_set.std == 0.2
    np.testing.assert_allclose(np.linalg.norm(mixture.modes, axis=1), 2.0, rtol=1e-6)
    patches = data_of("photo_patches", *PICTURES, 'photo_split = "test"')
    assert patches.name == "photo_patches:12/test/gray"
