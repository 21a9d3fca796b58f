"""Any images, any extractor: the right features or a clear error."""

import types

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.evaluation.extractors.function import FunctionExtractor
from tfgan_stab.evaluation.extractors.inception import Inception
from tfgan_stab.evaluation.extractors.random import RandomFeatures

# Extractor -> sizes, numbers of channels it takes, and how many features it gives.
TAKES = {
    "digits": types.SimpleNamespace(size=(8, 8), channels={1}, features=64),
    "random": types.SimpleNamespace(size=None, channels={1, 3}, features=256),
    "inception": types.SimpleNamespace(size=None, channels={1, 3}, features=507),
    "function": types.SimpleNamespace(size=None, channels={1, 2, 3, 4}, features=2),
}
SIZES = [(8, 8), (1, 1), (1, 9), (7, 5), (33, 12)]
CHANNELS = [1, 2, 3, 4]
FLOATS = [np.float16, np.float32, np.float64, np.longdouble, ml_dtypes.bfloat16, ">f4"]
OTHERS = [
    "uint8",
    "int8",
    "int32",
    "uint64",
    "bool",
    "complex64",
    "object",
    "str",
    "bytes",
    "M8[s]",
]


class Tiles(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 299, 299, 3], tf.float32)])
    def __call__(self, images):
        tiles = tf.nn.avg_pool2d(images, 23, 23, "VALID")
        return {"pool_3": tf.reshape(tiles, [-1, 507]), "logits": tiles[:, 0, 0]}


def statistics(images):
    """Mean and spread of each image."""
    flat = tf.reshape(images, [len(images), -1])
    return tf.stack([tf.reduce_mean(flat, 1), tf.math.reduce_std(flat, 1)], axis=1)


@pytest.fixture(scope="module")
def extractors(classifier, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    tf.saved_model.save(Tiles(), str(folder))
    return {
        "digits": classifier,
        "random": RandomFeatures(batch_size=4),
        "inception": Inception(folder, batch_size=4),
        "function": FunctionExtractor(statistics, batch_size=4),
    }


@pytest.fixture(params=list(TAKES))
def name(request):
    return request.param


def some(name, count=3, size=None, channels=None, seed=0):
    """Images of a kind that the extractor takes, on a grid that half precision can hold."""
    height, width = size or TAKES[name].size or (6, 4)
    shape = (count, height, width, channels or min(TAKES[name].channels))
    return np.random.RandomState(seed).randint(-64, 65, shape).astype(np.float32) / 64


@pytest.mark.cases(fast=20)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("channels", CHANNELS)
def test_any_size_and_number_of_channels(extractors, name, size, channels):
    images, takes = some(name, size=size, channels=channels), TAKES[name]
    if channels in takes.channels and takes.size in (None, size):
        features = extractors[name](images)
        assert features.shape == (3, takes.features) and np.isfinite(features).all()
        assert np.array_equal(extractors[name](images[1:2]), features[1:2])
    else:
        with pytest.raises(ValueError, match=r"takes images.*Received: shape \[3, "):
            extractors[name](images)


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda dtype: np.dtype(dtype).name)
def test_any_float_gives_the_features_of_single_precision(extractors, name, dtype):
    images = some(name)
    assert np.array_equal(extractors[name](images.astype(dtype)), extractors[name](images))


def test_tensors_lists_and_views_give_the_features_of_the_array(extractors, name):
    images = some(name)
    expected = extractors[name](images)
    backwards = np.asfortranarray(images[::-1])[::-1]
    read_only = images.copy()
    read_only.setflags(write=False)
    same = [images.tolist(), list(images), tf.constant(images), tf.Variable(images)]
    for other in [*same, tf.constant(images, tf.bfloat16), backwards, read_only]:
        assert np.array_equal(extractors[name](other), expected), type(other)


@pytest.mark.parametrize("dtype", OTHERS)
def test_anything_but_floats_is_refused(extractors, name, dtype):
    images = (some(name) > 0).astype(int).astype("int64" if dtype == "M8[s]" else dtype)
    with pytest.raises(TypeError, match=r"must be floats in \[-1, 1\]. Received: dtype"):
        extractors[name](images.astype(dtype))


@pytest.mark.parametrize("value", [-1.0, 0.0, 0.3, 1.0])
def test_constant_images_have_features(extractors, name, value):
    constant = np.full_like(some(name), value)
    features = extractors[name](constant)
    assert np.isfinite(features).all() and np.ptp(features, axis=0).max() == 0.0


@pytest.mark.parametrize("count", [1, 4, 5])
def test_any_number_of_images(extractors, name, count):
    features = extractors[name](some(name, count))
    assert features.shape == (count, TAKES[name].features)
    assert np.array_equal(features[-1:], extractors[name](some(name, count)[-1:]))


@pytest.mark.parametrize("axis", range(4))
def test_an_empty_axis_is_refused(extractors, name, axis):
    empty = some(name).take([], axis=axis)
    with pytest.raises(ValueError, match="without an empty axis. Received: shape"):
        extractors[name](empty)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_images_that_are_not_finite_are_refused(extractors, name, bad, dtype):
    images = some(name).astype(dtype)
    images[1, 0, 0, 0] = bad
    with pytest.raises(ValueError, match="must be finite.*in 1 of 3 images"):
        extractors[name](images)


@pytest.mark.parametrize("factor", [1.01, 2.0, 255.0, 1e30, 1e300])
def test_images_out_of_range_are_refused(extractors, name, factor):
    images = some(name).astype(np.float64)
    images[0, 0, 0, 0] = 1.0
    with pytest.raises(ValueError, match=r"must lie in \[-1, 1\]. Received: values in"):
        extractors[name](factor * images)


def test_the_largest_overshoot_allowed_changes_little(extractors, name):
    images = some(name)
    images[0, 0, 0, 0] = 1.0
    over = images * np.float32(1.0005)
    features, expected = extractors[name](over), extractors[name](images)
    assert np.isfinite(features).all()
    np.testing.assert_allclose(features, expected, atol=0.01 * np.abs(expected).max())


@pytest.mark.parametrize(
    "images",
    [
        [np.zeros([4, 4, 1]), np.zeros([5, 4, 1])],
        [[[[0.0]], [[0.0], [0.0]]]],
        [tf.zeros([4, 4, 1]), tf.zeros([4, 5, 1])],
    ],
    ids=["arrays", "lists", "tensors"],
)
def test_images_of_several_sizes_are_refused(extractors, name, images):
    with pytest.raises(ValueError, match="form one array.*of different sizes. Resize or crop"):
        extractors[name](images)


@pytest.mark.parametrize(
    "images",
    [None, "images.npz", {}, object(), tf.ragged.constant([[0.0], [0.0, 0.0]]), iter([0.0])],
    ids=["None", "path", "dict", "object", "ragged tensor", "iterator"],
)
def test_what_holds_no_images_is_refused(extractors, name, images):
    with pytest.raises(TypeError, match="must be floats.*Received: dtype"):
        extractors[name](images)


@pytest.mark.parametrize("shape", [[], [4], [4, 4, 1], [1, 4, 4, 1, 1]], ids=str)
def test_what_is_not_a_batch_of_images_is_refused(extractors, name, shape):
    with pytest.raises(ValueError, match="must have shape.*Received: shape"):
        extractors[name](np.zeros(shape, np.float32))


def test_points_are_for_functions_alone(extractors, name):
    points = np.float32([[0.5, -3.0]])
    if name == "function":
        assert extractors[name](points)[0, 0] == -1.25
    else:
        with pytest.raises(ValueError, match=r"takes images.*Received: shape \[1, 2\]"):
            extractors[name](points)
