"""Any function or Keras model as an extractor, and extractors by name."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from example_images import flat, noise

from tfgan_stab.evaluation.extractors.function import FunctionExtractor, as_extractor


def small_model(seed=0, name="small"):
    initializer = keras.initializers.GlorotUniform(seed=seed)
    layers = [
        keras.Input((4, 4, 3)),
        keras.layers.Flatten(),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(5, kernel_initializer=initializer),
    ]
    return keras.Sequential(layers, name=name)


def test_features_do_not_depend_on_the_batch():
    images = noise(10, 2, 2, 1)
    extractor = FunctionExtractor(flat, batch_size=4)
    assert np.array_equal(extractor(images), images.reshape(10, 4))
    assert np.array_equal(extractor(images[:3]), images[:3].reshape(3, 4))


def test_keras_models_run_in_inference_mode():
    model, images = small_model(), noise(20, 4, 4, 3)
    extractor = FunctionExtractor(model, batch_size=8)
    features = extractor(images)
    # In training mode, batch normalization would subtract the batch's mean.
    np.testing.assert_allclose(features, model(images, training=False), rtol=1e-5, atol=1e-6)
    singly = np.concatenate([extractor(images[i : i + 1]) for i in range(20)])
    assert np.array_equal(singly, features)
    assert extractor._forward.experimental_get_tracing_count() == 1


def test_points():
    points = 5 * noise(7, 2)  # A mixture of Gaussians has no range.
    assert np.array_equal(FunctionExtractor(lambda x: x)(points), points)


def test_functions_of_numpy_arrays():
    images = noise(3, 2, 2, 1)
    extractor = FunctionExtractor(lambda x: np.asarray(x).reshape(len(x), -1) ** 2)
    assert np.array_equal(extractor(images), images.reshape(3, 4) ** 2)


def test_content_hash_tells_weights_apart():
    hashes = [FunctionExtractor(small_model(seed)).content_hash for seed in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert len(hashes[0]) == 8


def test_content_hash_tells_functions_apart():
    images, hashes = noise(2, 4, 4, 3), []
    for factor in (1.0, 1.0, 2.0):
        extractor = FunctionExtractor(lambda x, factor=factor: factor * flat(x))
        extractor(images)
        hashes.append(extractor.content_hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_given_content_hash():
    extractor = FunctionExtractor(flat, content_hash="v2")
    extractor(noise(2, 2, 2, 1))
    assert extractor.content_hash == "v2"


def test_unknown_content_hash_raises():
    with pytest.raises(RuntimeError, match="once it has seen an image.*content_hash="):
        _ = FunctionExtractor(flat).content_hash


def test_names_come_from_the_function_or_model():
    assert FunctionExtractor(flat).name == "flat"
    assert FunctionExtractor(lambda x: x).name == "lambda"
    assert FunctionExtractor(small_model(name="mine")).name == "mine"
    assert FunctionExtractor(flat, name="a/b").name == "a-b"


def test_as_extractor():
    own = FunctionExtractor(flat)
    assert as_extractor(own) is own
    assert as_extractor("digits").name == "digits-classifier"
    assert as_extractor("random").name == "random-features"
    assert as_extractor(flat).name == "flat"
    assert as_extractor(small_model()).name == "small"


def test_as_extractor_takes_any_object_with_a_hash():
    class Own:
        name = "own"

        @property
        def content_hash(self):
            raise AssertionError("asked for before it was needed")

        def __call__(self, images):
            return images

    own = Own()
    assert as_extractor(own) is own


def test_unknown_name_raises():
    known = "known by name are: 'digits', 'random', 'inception'. Received: 'vgg'"
    with pytest.raises(ValueError, match=known):
        as_extractor("vgg")


@pytest.mark.parametrize("value", [None, 3, ["digits"]])
def test_extractor_must_be_callable(value):
    with pytest.raises(TypeError, match="'digits', 'random', 'inception', a Keras.*Received"):
        as_extractor(value)


@pytest.mark.parametrize(
    "wrong",
    [lambda x: x, lambda x: tf.reduce_mean(x), lambda x: flat(x)[:2]],
    ids=["images", "one number", "too few"],
)
def test_features_must_be_vectors(wrong):
    with pytest.raises(ValueError, match=r"must return features \[256, features\].*Received"):
        FunctionExtractor(wrong)(noise(3, 2, 2, 1))


@pytest.mark.parametrize(
    "wrong, received",
    [
        (lambda x: (flat(x), flat(x)[:, :2]), "a tuple of 2"),
        (lambda x: [flat(x), flat(x)], "a list of 2"),
        (lambda x: {"features": flat(x)}, "a dict of 1"),
    ],
    ids=["two sizes", "one size", "dict"],
)
def test_several_outputs_raise(wrong, received):
    with pytest.raises(ValueError, match=f"Received: {received}. Pool.*choose one of several"):
        FunctionExtractor(wrong)(noise(3, 2, 2, 1))


def test_keras_models_of_several_or_spatial_outputs_raise():
    images = keras.Input([4, 4, 3])
    vector = keras.layers.Flatten()(images)
    extractors = [
        FunctionExtractor(keras.Model(images, [vector, images])),
        FunctionExtractor(keras.Model(images, keras.layers.Conv2D(2, 3)(images))),
    ]
    for extractor, received in zip(extractors, ["a list of 2", "shape .256, 2, 2, 2"], strict=True):
        with pytest.raises(ValueError, match=f"must return features.*Received: {received}"):
            extractor(noise(3, 4, 4, 3))


@pytest.mark.parametrize("dtype", ["complex64", "str"])
def test_features_must_be_real_numbers(dtype):
    with pytest.raises(TypeError, match="Features must be real numbers. Received: dtype"):
        FunctionExtractor(lambda x: np.full([256, 2], "1").astype(dtype))(noise(3, 2, 2, 1))


@pytest.mark.parametrize(
    "given, taken",
    [("float16", "float32"), ("bfloat16", "float32"), ("float64", "float64")]
    + [("int32", "float64"), ("bool", "float64")],
)
def test_precision_of_features(given, taken):
    features = FunctionExtractor(lambda x: tf.cast(flat(x) > 0, given))(noise(3, 2, 2, 1))
    assert features.dtype == taken and set(np.unique(features)) == {0.0, 1.0}


@pytest.mark.parametrize("size", [0, 2.0])
def test_batch_size_must_be_a_positive_integer(size):
    with pytest.raises(ValueError, match="`batch_size` must be.* >= 1. Received"):
        FunctionExtractor(flat, batch_size=size)


def test_named_extractor_follows_its_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TFGAN_STAB_CACHE", str(tmp_path / "a"))
    first = as_extractor("digits")
    monkeypatch.setenv("TFGAN_STAB_CACHE", str(tmp_path / "b"))
    second = as_extractor("digits")
    assert [each.path.parent.name for each in (first, second)] == ["a", "b"]
    assert as_extractor("digits") is second
