"""Any function or Keras model as an extractor, and what is refused as an image."""

import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.evaluation.extractors.base import (
    FunctionExtractor,
    Outputs,
    as_extractor,
    described,
    outputs_of,
)
from tfgan_stab.evaluation.extractors.fixed_batches import (
    in_fixed_batches,
    outputs_in_fixed_batches,
)
from tfgan_stab.evaluation.metrics.inputs import checked_color_images, checked_images


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def flat(images):
    return tf.reshape(images, [len(images), -1])


def small_model(seed=0, name="small"):
    initializer = keras.initializers.GlorotUniform(seed=seed)
    layers = [
        keras.Input((4, 4, 3)),
        keras.layers.Flatten(),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(5, kernel_initializer=initializer),
    ]
    return keras.Sequential(layers, name=name)


def test_a_function_gives_its_features_whatever_the_batch():
    images = noise(10, 2, 2, 1)
    extractor = FunctionExtractor(flat, batch_size=4)
    assert np.array_equal(extractor(images), images.reshape(10, 4))
    assert np.array_equal(extractor(images[:3]), images[:3].reshape(3, 4))


def test_networks_only_see_full_batches():
    seen = []

    def remembering(images):
        seen.append(images.shape.as_list())
        return flat(images)

    in_fixed_batches(remembering, noise(10, 2, 2, 1), 4)
    assert seen == [[4, 2, 2, 1]] * 3


def test_a_keras_model_runs_in_inference_mode_and_alike_in_any_batch():
    model, images = small_model(), noise(20, 4, 4, 3)
    extractor = FunctionExtractor(model, batch_size=8)
    features = extractor(images)
    # In training mode, batch normalization would subtract the batch's mean.
    np.testing.assert_allclose(features, model(images, training=False), rtol=1e-5, atol=1e-6)
    singly = np.concatenate([extractor(images[i : i + 1]) for i in range(20)])
    assert np.array_equal(singly, features)
    assert extractor._forward.experimental_get_tracing_count() == 1


def test_points_are_images_too():
    points = 5 * noise(7, 2)  # A mixture of Gaussians has no range.
    assert np.array_equal(FunctionExtractor(lambda x: x)(points), points)


def test_a_function_of_numpy_arrays_will_do():
    images = noise(3, 2, 2, 1)
    extractor = FunctionExtractor(lambda x: np.asarray(x).reshape(len(x), -1) ** 2)
    assert np.array_equal(extractor(images), images.reshape(3, 4) ** 2)


def test_the_content_hash_tells_weights_apart():
    hashes = [FunctionExtractor(small_model(seed)).content_hash for seed in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert len(hashes[0]) == 8


def test_the_content_hash_tells_functions_apart():
    images, hashes = noise(2, 4, 4, 3), []
    for factor in (1.0, 1.0, 2.0):
        extractor = FunctionExtractor(lambda x, factor=factor: factor * flat(x))
        extractor(images)
        hashes.append(extractor.content_hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_content_hash_that_is_given_is_kept():
    extractor = FunctionExtractor(flat, content_hash="v2")
    extractor(noise(2, 2, 2, 1))
    assert extractor.content_hash == "v2"


def test_a_content_hash_not_known_yet_is_an_error():
    with pytest.raises(RuntimeError, match="once it has seen an image.*content_hash="):
        _ = FunctionExtractor(flat).content_hash


def test_names_come_from_the_function_or_model():
    assert FunctionExtractor(flat).name == "flat"
    assert FunctionExtractor(lambda x: x).name == "lambda"
    assert FunctionExtractor(small_model(name="mine")).name == "mine"
    assert FunctionExtractor(flat, name="a/b").name == "a-b"


def test_names_models_functions_and_extractors_all_stand_for_an_extractor():
    own = FunctionExtractor(flat)
    assert as_extractor(own) is own
    assert as_extractor("digits").name == "digits-classifier"
    assert as_extractor("random").name == "random-features"
    assert as_extractor(flat).name == "flat"
    assert as_extractor(small_model()).name == "small"


def test_an_extractor_of_ones_own_needs_a_name_a_hash_and_a_call():
    class Own:
        name = "own"

        @property
        def content_hash(self):
            raise AssertionError("asked for before it was needed")

        def __call__(self, images):
            return images

    own = Own()
    assert as_extractor(own) is own


def test_an_unknown_name_is_refused():
    known = "known by name are: 'digits', 'random', 'inception'. Received: 'vgg'"
    with pytest.raises(ValueError, match=known):
        as_extractor("vgg")


@pytest.mark.parametrize("value", [None, 3, ["digits"]])
def test_what_cannot_be_called_is_refused(value):
    with pytest.raises(TypeError, match="'digits', 'random', 'inception', a Keras.*Received"):
        as_extractor(value)


@pytest.mark.parametrize(
    "wrong",
    [lambda x: x, lambda x: tf.reduce_mean(x), lambda x: flat(x)[:2]],
    ids=["images", "one number", "too few"],
)
def test_features_that_are_not_a_vector_for_each_image_are_refused(wrong):
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
def test_several_outputs_are_refused(wrong, received):
    with pytest.raises(ValueError, match=f"Received: {received}. Pool.*choose one of several"):
        FunctionExtractor(wrong)(noise(3, 2, 2, 1))


def test_a_keras_model_of_several_or_spatial_outputs_is_refused():
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
def test_features_that_are_no_real_numbers_are_refused(dtype):
    with pytest.raises(TypeError, match="Features must be real numbers. Received: dtype"):
        FunctionExtractor(lambda x: np.full([256, 2], "1").astype(dtype))(noise(3, 2, 2, 1))


@pytest.mark.parametrize(
    "given, taken",
    [("float16", "float32"), ("bfloat16", "float32"), ("float64", "float64")]
    + [("int32", "float64"), ("bool", "float64")],
)
def test_features_come_in_single_or_double_precision(given, taken):
    features = FunctionExtractor(lambda x: tf.cast(flat(x) > 0, given))(noise(3, 2, 2, 1))
    assert features.dtype == taken and set(np.unique(features)) == {0.0, 1.0}


def test_a_network_of_several_outputs_gives_each_for_all_images():
    images = noise(10, 2, 2, 1)
    first, second = outputs_in_fixed_batches(lambda x: (flat(x), 2 * flat(x)[:, 1:]), images, 4)
    assert np.array_equal(first, images.reshape(10, 4))
    assert np.array_equal(second, 2 * images.reshape(10, 4)[:, 1:])


@pytest.mark.parametrize("size, kind", [(0, ValueError), (2.0, TypeError)])
def test_other_batch_sizes_are_refused(size, kind):
    with pytest.raises(kind, match="`batch_size` must be.* >= 1. Received"):
        FunctionExtractor(flat, batch_size=size)


def test_features_and_logits_come_from_one_run_where_there_are_both(classifier, images):
    outputs = outputs_of(classifier, images[:5])
    assert isinstance(outputs, Outputs)
    assert np.array_equal(outputs.features, classifier(images[:5]))
    assert np.array_equal(outputs.logits, classifier.logits(images[:5]))
    assert outputs.logits.shape == (5, 10)


def test_other_extractors_have_features_alone():
    images = noise(3, 2, 2, 1)
    features, logits = outputs_of(FunctionExtractor(flat), images)
    assert np.array_equal(features, images.reshape(3, 4)) and logits is None


def test_protocols_say_layer_and_preprocessing_where_stated():
    own = FunctionExtractor(flat, name="own", content_hash="v1")
    assert described(own, 7) == "own@v1/features-7"
    own.layer, own.preprocessing = "pool_3", "tf1-resize"
    assert described(own, 7) == "own@v1/pool_3/tf1-resize"


def test_images_of_one_channel_become_gray_ones_of_three():
    gray, colored = noise(2, 4, 5, 1), noise(2, 4, 5, 3)
    assert np.array_equal(checked_color_images(gray), np.concatenate([gray] * 3, axis=3))
    assert np.array_equal(checked_color_images(colored), colored)


@pytest.mark.parametrize("shape", [[2, 4, 4, 2], [2, 4, 4, 4], [2, 3]], ids=str)
def test_other_numbers_of_channels_are_refused(shape):
    with pytest.raises(ValueError, match=r"of 1 or 3 channels. Received: shape.*of your own"):
        checked_color_images(noise(*shape))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ml_dtypes.bfloat16])
def test_any_float_is_taken_as_float32(dtype):
    images = np.array([-1.0, -0.5, 0.25, 1.0]).reshape(1, 2, 2, 1)
    taken = checked_images(images.astype(dtype))
    assert taken.dtype == np.float32 and np.array_equal(taken, images)
    assert np.array_equal(checked_images(tf.constant(images)), images)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool", "complex64", "str"])
def test_images_that_are_not_floats_are_refused(dtype):
    with pytest.raises(TypeError, match="Images must be floats.*Scale bytes as x / 127.5 - 1"):
        checked_images(np.ones((2, 4, 4, 1), dtype))


@pytest.mark.parametrize(
    "shape", [[], [4], [4, 4, 4], [0, 4, 4, 1], [2, 4, 0, 1], [1] * 5], ids=str
)
def test_what_is_not_a_batch_of_images_is_refused(shape):
    with pytest.raises(ValueError, match="Images must have shape.*Received: shape"):
        checked_images(np.zeros(shape, np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_images_that_are_not_finite_are_refused(bad):
    images = noise(5, 4, 4, 1)
    images[[1, 3], 0, 0] = bad
    with pytest.raises(ValueError, match="NaN or infinity in 2 of 5 images.*diverged"):
        checked_images(images)


@pytest.mark.parametrize("factor", [1.01, 127.5, 255.0])
def test_images_out_of_range_are_refused(factor):
    with pytest.raises(ValueError, match=r"lie in \[-1, 1\]. Received: values in \[.*tanh"):
        checked_images(np.full((1, 2, 2, 1), factor, np.float32))


def test_points_beyond_single_precision_are_refused():
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 2 images"):
        checked_images([[1.0, 2.0], [1e300, 0.0]])


def test_images_of_several_sizes_are_refused():
    with pytest.raises(ValueError, match="form one array.*Received: list of different sizes"):
        checked_images([np.ones([4, 4, 1]), np.ones([5, 4, 1])])


def test_tensors_without_values_are_refused():
    with pytest.raises(TypeError, match="must be values.*outside tf.function"):
        tf.function(checked_images, autograph=False)(tf.ones([1, 2, 2, 1]))


def test_a_rounding_error_beyond_the_range_is_allowed():
    checked_images(np.full((1, 2, 2, 1), np.nextafter(np.float32(1), np.float32(2))))


def test_a_named_extractor_follows_its_cache_to_another_place(monkeypatch, tmp_path):
    monkeypatch.setenv("TFGAN_STAB_CACHE", str(tmp_path / "a"))
    first = as_extractor("digits")
    monkeypatch.setenv("TFGAN_STAB_CACHE", str(tmp_path / "b"))
    second = as_extractor("digits")
    assert [each.path.parent.name for each in (first, second)] == ["a", "b"]
    assert as_extractor("digits") is second
