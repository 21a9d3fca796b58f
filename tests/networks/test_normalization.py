"""Normalization layers: equal to Keras' own, with right second derivatives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab import networks
from tfgan_stab.networks.normalization import moments

layers = keras.layers

# Class, arguments, shape of the inputs.
CASES = {
    "batch": ("BatchNormalization", {"momentum": 0.7}, (6, 4, 3, 4)),
    "batch_rank_2": ("BatchNormalization", {"epsilon": 0.1}, (6, 4)),
    "batch_first_axis": ("BatchNormalization", {"axis": 1}, (6, 4, 3, 4)),
    "batch_bare": ("BatchNormalization", {"scale": False, "center": False}, (6, 4, 3, 4)),
    "layer": ("LayerNormalization", {}, (6, 4, 3, 4)),
    "layer_rank_2": ("LayerNormalization", {"epsilon": 0.1}, (6, 4)),
    "layer_image": ("LayerNormalization", {"axis": [1, 2, 3]}, (6, 4, 3, 4)),
    "layer_middle_axis": ("LayerNormalization", {"axis": 2}, (6, 4, 3, 4)),
    "layer_two_axes": ("LayerNormalization", {"axis": [-1, 1]}, (6, 4, 3, 4)),
    "layer_bare": ("LayerNormalization", {"scale": False, "center": False}, (6, 4, 3, 4)),
    "group": ("GroupNormalization", {"groups": 2}, (6, 4, 3, 4)),
    "group_rank_2": ("GroupNormalization", {"groups": 2, "epsilon": 0.1}, (6, 4)),
    "instance": ("GroupNormalization", {"groups": -1}, (6, 4, 3, 4)),
    "group_first_axis": ("GroupNormalization", {"groups": 2, "axis": 1}, (6, 4, 3, 4)),
    "group_last_but_one": ("GroupNormalization", {"groups": 3, "axis": -2}, (6, 4, 3, 4)),
    "group_bare": ("GroupNormalization", {"groups": 2, "scale": False, "center": False}, (6, 8)),
}
each_case = pytest.mark.parametrize("case", CASES)


def numbers(shape, dtype="float64", seed=0):
    return np.random.RandomState(seed).normal(size=shape).astype(dtype)


def made(case, home=networks, dtype="float32"):
    name, arguments, shape = CASES[case]
    layer = getattr(home, name)(**arguments, dtype=dtype)
    layer.build(shape)
    layer.set_weights([1.0 + numbers(w.shape, seed=i) ** 2 for i, w in enumerate(layer.weights)])
    return layer


def called(layer, inputs, **kwargs):
    if isinstance(layer, layers.BatchNormalization):
        return layer(inputs, training=True, **kwargs)
    return layer(inputs)


def inputs_of(case, dtype="float32"):
    return tf.constant(3.0 * numbers(CASES[case][2], dtype) + 5.0)


@pytest.mark.cases(fast=22)
@pytest.mark.parametrize("policy", ["float32", "float64", "mixed_float16", "mixed_bfloat16"])
@each_case
def test_outputs_and_moving_statistics_equal_keras(case, policy):
    ours, theirs = (made(case, home, policy) for home in (networks, layers))
    assert isinstance(ours, type(theirs))
    inputs = inputs_of(case)
    found, expected = called(ours, inputs), called(theirs, inputs)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    for own, other in zip(ours.weights, theirs.weights, strict=True):
        assert (own.name, own.trainable, own.dtype) == (other.name, other.trainable, other.dtype)
        np.testing.assert_array_equal(own, other)
    if isinstance(ours, layers.BatchNormalization):
        assert not np.array_equal(ours.moving_mean, made(case).moving_mean)


@each_case
def test_first_derivatives_equal_keras(case):
    inputs = inputs_of(case, "float64")
    weights = numbers(inputs.shape, seed=1)
    found = []
    for home in (networks, layers):
        layer = made(case, home, "float64")
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            total = tf.reduce_sum(weights * tf.sin(called(layer, inputs)))
        found.append(tape.gradient(total, [inputs, *layer.trainable_variables]))
    for own, other in zip(*found, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-11, atol=1e-12)


@pytest.mark.cases(fast=2)
@pytest.mark.parametrize("case", ["batch", "batch_first_axis", "layer_two_axes", "group"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_graph_and_xla_with_any_batch_size(case, jit_compile):
    layer, again = made(case), made(case)
    call = tf.function(
        lambda x: called(layer, x),
        jit_compile=jit_compile,
        input_signature=[tf.TensorSpec([None, *CASES[case][2][1:]], tf.float32)],
    )
    inputs = inputs_of(case)
    for count in (2, 6):
        found, expected = call(inputs[:count]), called(again, inputs[:count])
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        for own, other in zip(layer.weights, again.weights, strict=True):
            np.testing.assert_allclose(own, other, rtol=1e-5)


def test_images_of_unknown_size():
    image = keras.Input((None, None, 4))
    own = layers.Concatenate()(
        [networks.BatchNormalization()(image), networks.GroupNormalization(2)(image)]
    )
    model = keras.Model(image, networks.LayerNormalization()(own))
    assert model.output_shape == (None, None, None, 8)
    assert model(numbers([2, 3, 5, 4], "float32")).shape == (2, 3, 5, 8)


def test_inference_uses_moving_statistics():
    ours, theirs = made("batch"), made("batch", layers)
    inputs = inputs_of("batch")
    np.testing.assert_array_equal(ours(inputs), theirs(inputs))
    ours.trainable = False
    before = ours.moving_mean.numpy()
    np.testing.assert_array_equal(ours(inputs, training=True), theirs(inputs))
    np.testing.assert_array_equal(ours.moving_mean, before)


def test_moments_have_right_higher_derivatives():
    x = tf.constant(numbers([5]))
    with tf.GradientTape() as third:
        third.watch(x)
        with tf.GradientTape() as second:
            second.watch(x)
            with tf.GradientTape() as first:
                first.watch(x)
                variance = moments(x, [0])[1]
            gradient = first.gradient(variance, x)
        hessian = second.jacobian(gradient, x)
        total = tf.reduce_sum(hessian * numbers([5, 5], seed=1))
    np.testing.assert_allclose(variance, [np.var(x)])
    np.testing.assert_allclose(hessian, 2 / 5 * (np.eye(5) - 1 / 5), atol=1e-15)
    assert third.gradient(total, x, unconnected_gradients="zero").numpy().tolist() == [0.0] * 5


def product_of(layer, x, u, v, **kwargs):
    """<J(x)^T u, v>, the number whose derivatives a gradient penalty needs."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = called(layer, x, **kwargs)
    return tf.reduce_sum(tape.gradient(y, x, u) * v)


def mixed_derivatives(layer, x, **kwargs):
    """Derivatives of <J(x)^T u, v> along random directions of x and u: by tape, by differences."""
    u, v, along_x, along_u = (tf.constant(numbers(x.shape, seed=i)) for i in range(1, 5))
    with tf.GradientTape() as tape:
        tape.watch([x, u])
        value = product_of(layer, x, u, v, **kwargs)
    gradients = tape.gradient(value, [x, u])
    by_tape = [float(np.sum(g * d)) for g, d in zip(gradients, (along_x, along_u), strict=True)]
    h = 1e-5
    ends = [product_of(layer, x + s * h * along_x, u, v, **kwargs) for s in (1, -1)]
    others = [product_of(layer, x, u + s * h * along_u, v, **kwargs) for s in (1, -1)]
    return by_tape, [float(a - b) / (2 * h) for a, b in (ends, others)]


@pytest.mark.cases(fast=8)
@each_case
def test_second_derivatives(case):
    x = tf.constant(numbers(CASES[case][2]))
    by_tape, measured = mixed_derivatives(made(case, dtype="float64"), x)
    np.testing.assert_allclose(by_tape, measured, rtol=1e-7, atol=1e-8)


@pytest.mark.cases(fast=9)
@each_case
def test_second_derivatives_of_keras_are_wrong(case):
    # Why the layers here exist. If this fails, Keras or TensorFlow has been fixed.
    x = tf.constant(numbers(CASES[case][2]))
    by_tape, measured = mixed_derivatives(made(case, layers, "float64"), x)
    assert abs(by_tape[0] - measured[0]) > 1e-3 * abs(measured[0])
    np.testing.assert_allclose(by_tape[1], measured[1], rtol=1e-7)


@pytest.mark.parametrize("kind", ["batch", "layer", "group"])
def test_gradient_penalty_through_the_layer(kind, penalty_derivatives):
    name, arguments, _ = CASES[kind]
    by_tape, measured = penalty_derivatives(getattr(networks, name)(**arguments, dtype="float64"))
    np.testing.assert_allclose(by_tape, measured, rtol=1e-6)
    by_tape, measured = penalty_derivatives(getattr(layers, name)(**arguments, dtype="float64"))
    assert abs(by_tape - measured) > 3e-4 * abs(measured)


def test_masked_statistics():
    mask = tf.constant([[True, True, False], [True, False, True]])
    x = tf.constant(numbers([2, 3, 4]))
    ours, theirs = (
        networks.BatchNormalization(dtype="float64"),
        layers.BatchNormalization(dtype="float64"),
    )
    expected = theirs(x, training=True, mask=mask)
    np.testing.assert_array_equal(ours(x, training=True, mask=mask), expected)
    np.testing.assert_array_equal(ours.moving_variance, theirs.moving_variance)
    by_tape, measured = mixed_derivatives(ours, x, mask=mask)
    np.testing.assert_allclose(by_tape, measured, rtol=1e-7)


@pytest.mark.filterwarnings("ignore:You passed `rms_scaling=True`")
def test_rms_scaling_is_keras_own():
    ours, theirs = (h.LayerNormalization(rms_scaling=True) for h in (networks, layers))
    inputs = inputs_of("layer")
    np.testing.assert_array_equal(ours(inputs), theirs(inputs))
    assert not np.array_equal(ours(inputs), networks.LayerNormalization()(inputs))


def test_half_precision_does_not_overflow():
    # Squares of these do not fit into float16.
    inputs = 3000.0 * numbers([8, 4], "float32")
    for case in ("batch_rank_2", "layer_rank_2", "group_rank_2"):
        name, arguments, _ = CASES[case]
        layer = getattr(networks, name)(**arguments, dtype="mixed_float16")
        outputs = called(layer, inputs)
        assert outputs.dtype == tf.float16
        assert np.isfinite(outputs).all() and 0.5 < np.std(outputs) < 1.5


def test_a_saved_model_normalizes_the_same(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((4, 5, 4)),
            networks.BatchNormalization(momentum=0.5, epsilon=0.01),
            networks.LayerNormalization(axis=[1, 2], center=False),
            networks.GroupNormalization(2, scale=False),
        ]
    )
    names = [layer.name.rstrip("_0123456789") for layer in model.layers]
    assert names == ["batch_normalization", "layer_normalization", "group_normalization"]
    images = numbers([3, 4, 5, 4], "float32")
    model(images, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images), model(images))
    for one, other in zip(model.layers, loaded.layers, strict=True):
        assert type(one) is type(other) and one.get_config() == other.get_config()


def test_synchronized_must_be_false():
    with pytest.raises(ValueError, match="`synchronized` must be False.*synchronized=True. Use ke"):
        networks.BatchNormalization(synchronized=True)


def test_renorm_must_be_false():
    # Older versions of Keras refuse it themselves, with another message.
    with pytest.raises(ValueError, match="renorm"):
        networks.BatchNormalization(renorm=True)
