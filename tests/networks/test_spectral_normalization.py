"""Spectral normalization against NumPy: its sigma, its derivatives, its state, its files."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.networks import SpectralNormalization

layers = keras.layers

# Name -> layer in a dtype, shape of its inputs, axis of its kernel's output channels.
KINDS = {
    "Dense": (lambda d: layers.Dense(4, dtype=d), (3, 5), -1),
    "Conv1D": (lambda d: layers.Conv1D(4, 3, strides=2, dtype=d), (3, 7, 2), -1),
    "Conv2D": (lambda d: layers.Conv2D(4, 3, padding="same", dtype=d), (3, 5, 4, 2), -1),
    "Conv2D in groups": (lambda d: layers.Conv2D(4, 3, groups=2, dtype=d), (3, 5, 4, 2), -1),
    "Conv3D": (lambda d: layers.Conv3D(4, 2, dtype=d), (2, 3, 3, 3, 2), -1),
    "Conv1DTranspose": (lambda d: layers.Conv1DTranspose(4, 3, dtype=d), (3, 5, 3), -2),
    "Conv2DTranspose": (lambda d: layers.Conv2DTranspose(4, 3, 2, dtype=d), (2, 3, 3, 3), -2),
    "Conv3DTranspose": (lambda d: layers.Conv3DTranspose(4, 2, dtype=d), (2, 3, 3, 3, 3), -2),
    "Embedding": (lambda d: layers.Embedding(5, 4, dtype=d), (6,), -1),
}


def kernel_of(wrapper):
    return wrapper.layer.weights[0]


def made(name, dtype="float64", **settings):
    """A wrapped layer with random weights and no activation, its inputs, and the channel axis."""
    make, shape, axis = KINDS[name]
    random = np.random.RandomState(0)
    wrapper = SpectralNormalization(make(dtype), seed=3, **settings)
    if name == "Embedding":
        inputs = tf.constant(random.randint(0, 5, shape))
    else:
        inputs = tf.constant(random.normal(size=shape), wrapper.layer.compute_dtype)
    wrapper(inputs)
    for weight in wrapper.trainable_variables:
        weight.assign(random.normal(size=weight.shape))
    return wrapper, inputs, axis


def matrix_of(kernel, axis=-1):
    """A kernel as output channels x everything else."""
    return np.moveaxis(np.asarray(kernel), axis, 0).reshape(kernel.shape[axis], -1)


def unit(vector):
    return vector / np.linalg.norm(vector)


def iterated(matrix, u, steps=1):
    """u, v and sigma after steps of algorithm 1 of the paper."""
    for _ in range(steps):
        v = unit(matrix.T @ u)
        u = unit(matrix @ v)
    return u, v, u @ matrix @ v


def derivative_along(function, at, direction, step=1e-5):
    return (function(at + step * direction) - function(at - step * direction)) / (2 * step)


@pytest.mark.cases(full=6)
@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_sigma_becomes_the_largest_singular_value(name):
    wrapper, inputs, axis = made(name, power_iterations=10)
    largest = np.linalg.svd(matrix_of(kernel_of(wrapper), axis), compute_uv=False)[0]
    assert abs(wrapper.spectral_norm() - largest) > 1e-2 * largest
    for _ in range(20):
        wrapper(inputs, training=True)
    np.testing.assert_allclose(wrapper.spectral_norm(), largest, rtol=1e-4)


@pytest.mark.cases(fast=11)
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_outputs_equal_the_layer_with_a_divided_kernel(name, training):
    wrapper, inputs, axis = made(name)
    kernel, u = kernel_of(wrapper).numpy(), wrapper.vector.numpy()
    matrix = matrix_of(kernel, axis)
    sigma = iterated(matrix, u)[2] if training else np.linalg.norm(matrix.T @ u)
    found = wrapper(inputs, training=training)
    wrapper.layer.weights[0].assign(kernel / sigma)
    np.testing.assert_allclose(found, wrapper.layer(inputs), rtol=1e-10, atol=1e-12)


@pytest.mark.cases(fast=12)
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("name", KINDS)
def test_power_iterations_per_call(name, steps):
    wrapper, inputs, axis = made(name, power_iterations=steps)
    before = [v.numpy() for v in wrapper.trainable_variables]
    expected, _, _ = iterated(matrix_of(kernel_of(wrapper), axis), wrapper.vector.numpy(), steps)
    wrapper(inputs, training=True)
    np.testing.assert_allclose(wrapper.vector, expected, rtol=1e-10)
    for variable, value in zip(wrapper.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_inference_changes_no_variable():
    wrapper, inputs, _ = made("Dense")
    before = [v.numpy() for v in wrapper.variables]
    wrapper(inputs, training=False)
    wrapper.spectral_norm()
    for variable, value in zip(wrapper.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def weighted_tanh(outputs):
    """A smooth scalar of a layer's outputs, different in each of them."""
    random = np.random.RandomState(4)
    return tf.reduce_sum(tf.tanh(outputs) * random.normal(size=outputs.shape))


@pytest.mark.cases(fast=5)
@pytest.mark.parametrize("inside", [False, True], ids=["variables", "scope"])
@pytest.mark.parametrize("name", KINDS)
def test_gradients_reach_the_kernel_through_sigma(name, inside):
    # In inference v depends on the kernel, but |W^T u| has the derivative that v held constant
    # gives: differences need not hold it.
    wrapper, inputs, _ = made(name)
    variable = kernel_of(wrapper)
    kernel = tf.convert_to_tensor(variable)
    direction = np.random.RandomState(1).normal(size=kernel.shape)

    def value(kernel):
        with keras.StatelessScope([(variable, kernel)]):
            return weighted_tanh(wrapper(inputs))

    with tf.GradientTape() as tape:
        tape.watch(kernel)
        loss = value(kernel) if inside else weighted_tanh(wrapper(inputs))
    gradient = tf.convert_to_tensor(tape.gradient(loss, kernel if inside else variable.value))
    measured = derivative_along(value, kernel, direction)
    np.testing.assert_allclose(tf.reduce_sum(gradient * direction), measured, rtol=1e-6)


def squared_input_gradients(inputs, kernel, bias, sigma, coefficients):
    """|d/dx of sum c tanh(x W / sigma + b)|^2, in NumPy."""
    outputs = np.tanh(inputs @ kernel / sigma + bias)
    return np.sum((((1 - outputs**2) * coefficients) @ kernel.T / sigma) ** 2)


def test_gradient_penalty_in_training_holds_u_and_v_constant():
    wrapper, inputs, _ = made("Dense")
    variable, bias = kernel_of(wrapper), wrapper.layer.bias.numpy()
    kernel = variable.numpy()
    random = np.random.RandomState(2)
    coefficients, direction = random.normal(size=[3, 4]), random.normal(size=kernel.shape)
    u, v, _ = iterated(kernel.T, wrapper.vector.numpy())
    with tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(coefficients * tf.tanh(wrapper(inputs, training=True)))
        penalty = tf.reduce_sum(tape.gradient(loss, inputs) ** 2)

    def value(kernel):
        sigma = u @ kernel.T @ v
        return squared_input_gradients(inputs.numpy(), kernel, bias, sigma, coefficients)

    np.testing.assert_allclose(penalty, value(kernel), rtol=1e-10)
    by_tape = np.sum(outer.gradient(penalty, variable.value) * direction)
    measured = derivative_along(value, kernel, direction)
    np.testing.assert_allclose(by_tape, measured, rtol=1e-6)
    moving = derivative_along(
        lambda k: squared_input_gradients(
            inputs.numpy(), k, bias, iterated(k.T, wrapper.vector.numpy())[2], coefficients
        ),
        kernel,
        direction,
    )
    assert abs(moving - measured) > 1e-3 * abs(measured)  # The two are not the same thing.


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in KINDS if name != "Embedding"])
def test_gradient_penalty_against_finite_differences(name):
    wrapper, inputs, _ = made(name)
    variable = kernel_of(wrapper)
    kernel = tf.convert_to_tensor(variable)
    direction = np.random.RandomState(1).normal(size=kernel.shape)

    def value(kernel):
        with keras.StatelessScope([(variable, kernel)]), tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = weighted_tanh(wrapper(inputs))
        return tf.reduce_sum(tape.gradient(loss, inputs) ** 2)

    with tf.GradientTape() as tape:
        tape.watch(kernel)
        penalty = value(kernel)
    by_tape = tf.reduce_sum(tape.gradient(penalty, kernel) * direction)
    np.testing.assert_allclose(by_tape, derivative_along(value, kernel, direction), rtol=1e-5)


@pytest.mark.parametrize("name", ["Conv2D", "Embedding"])
def test_kernel_of_zeros(name):
    wrapper, inputs, _ = made(name)
    kernel_of(wrapper).assign(np.zeros(kernel_of(wrapper).shape))
    u = wrapper.vector.numpy()
    for training in (False, True):
        with tf.GradientTape() as tape:
            outputs = wrapper(inputs, training=training)
            loss = weighted_tanh(outputs + 1.0)
        gradients = tape.gradient(loss, [v.value for v in wrapper.trainable_variables])
        bias = 0.0 if name == "Embedding" else wrapper.layer.bias
        np.testing.assert_array_equal(outputs, tf.zeros_like(outputs) + bias)
        for gradient in map(tf.convert_to_tensor, gradients):
            assert np.isfinite(gradient).all() and np.any(gradient != 0.0)
    np.testing.assert_array_equal(wrapper.vector, u)


@pytest.mark.parametrize("name", ["Dense", "Conv2DTranspose", "Embedding"])
def test_mixed_precision_keeps_sigma_in_single_precision(name):
    half, inputs, axis = made(name, "mixed_float16")
    full, same_inputs, _ = made(name)
    full.vector.assign(half.vector)
    outputs = half(inputs, training=True)
    assert outputs.dtype == tf.float16 and half.vector.dtype == "float32"
    kernel = kernel_of(half).numpy()
    assert kernel.dtype == np.float32
    sigma = np.linalg.norm(matrix_of(kernel, axis).T @ half.vector.numpy())
    np.testing.assert_allclose(half.spectral_norm(), sigma, rtol=1e-6)
    np.testing.assert_allclose(outputs, full(same_inputs, training=True), rtol=5e-3, atol=5e-3)
    # Inside a model that casts its variables, too.
    model = keras.Sequential([keras.Input(inputs.shape[1:], dtype=inputs.dtype), half])
    u, _, _ = iterated(matrix_of(kernel, axis), half.vector.numpy())
    model(inputs, training=True)
    np.testing.assert_allclose(half.vector, u, rtol=1e-5)


@pytest.mark.cases(fast=2)
@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("name", ["Dense", "Conv2D", "Conv2DTranspose", "Embedding"])
def test_compiled_calls_equal_eager_calls(name, jit_compile):
    eager, inputs, _ = made(name, "float32")
    compiled, _, _ = made(name, "float32")
    call = tf.function(lambda x: compiled(x, training=True), jit_compile=jit_compile)
    for _ in range(2):
        expected = eager(inputs, training=True)
        np.testing.assert_allclose(call(inputs), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(compiled.vector, eager.vector, rtol=1e-4, atol=1e-5)


def small_model():
    images = keras.Input((4, 4, 2))
    labels = keras.Input((), dtype="int32")
    x = SpectralNormalization(layers.Conv2D(3, 3, activation="relu"), 2, seed=5)(images)
    x = SpectralNormalization(layers.Conv2DTranspose(2, 3), name="up")(x)
    x = SpectralNormalization(layers.Dense(4))(layers.Flatten()(x))
    x = layers.Dot(axes=1)([x, SpectralNormalization(layers.Embedding(3, 4))(labels)])
    return keras.Model([images, labels], x)


def test_a_saved_model_predicts_the_same(tmp_path):
    model = small_model()
    random = np.random.RandomState(0)
    inputs = [random.normal(size=[5, 4, 4, 2]).astype("float32"), np.arange(5) % 3]
    for _ in range(3):
        model(inputs, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for training in (False, True):
        np.testing.assert_array_equal(
            loaded(inputs, training=training), model(inputs, training=training)
        )


def test_clone_has_its_own_vectors():
    model = small_model()
    clone = keras.models.clone_model(model)
    for one, other in zip(model.layers, clone.layers, strict=True):
        if isinstance(one, SpectralNormalization):
            assert one.get_config() == other.get_config()
    first, second = (m.layers[1].vector for m in (model, clone))
    np.testing.assert_array_equal(first, second)  # Of one seed.
    first.assign(np.ones(3))
    assert np.any(first != second)


def test_config_keeps_the_wrapped_layers_dtype():
    wrapper = SpectralNormalization(layers.Dense(2, dtype="mixed_bfloat16"), power_iterations=4)
    copy = SpectralNormalization.from_config(wrapper.get_config())
    assert copy.layer.dtype_policy.name == "mixed_bfloat16" and copy.power_iterations == 4


def test_initial_u_depends_on_the_seed_only():
    def drawn(seed, global_seed):
        keras.utils.set_random_seed(global_seed)
        wrapper = SpectralNormalization(layers.Dense(8), seed=seed)
        wrapper.build((None, 3))
        return wrapper.vector.numpy()

    np.testing.assert_allclose(np.linalg.norm(drawn(1, 1)), 1.0, rtol=1e-6)
    np.testing.assert_array_equal(drawn(1, 1), drawn(1, 2))
    np.testing.assert_array_equal(drawn(None, 1), drawn(None, 1))
    assert np.any(drawn(1, 1) != drawn(2, 1)) and np.any(drawn(None, 1) != drawn(None, 2))


def test_mask_passes_through():
    wrapper = SpectralNormalization(layers.Embedding(4, 2, mask_zero=True))
    np.testing.assert_array_equal(wrapper.compute_mask(tf.constant([[0, 2]])), [[False, True]])
    ids = keras.Input((3,), dtype="int32")
    model = keras.Model(ids, layers.GlobalAveragePooling1D()(wrapper(ids)))
    alone = wrapper(tf.constant([[2]]))[:, 0]
    np.testing.assert_allclose(model(tf.constant([[0, 2, 0]])), alone, rtol=1e-6)


class Squared(layers.Dense):
    def call(self, inputs):
        return super().call(inputs) ** 2


@pytest.mark.parametrize(
    ("layer", "received"),
    [
        (layers.DepthwiseConv2D(3), "DepthwiseConv2D"),
        (layers.BatchNormalization(), "BatchNormalization"),
        (Squared(2), "Squared"),
        (layers.SpectralNormalization(layers.Dense(2)), "SpectralNormalization"),
        ("dense", "'dense'"),
    ],
)
def test_layer_must_have_one_linear_kernel(layer, received):
    with pytest.raises(TypeError, match=f"`layer` must be one of Dense.*Received: {received}"):
        SpectralNormalization(layer)


@pytest.mark.parametrize("steps", [0, -1, 1.0, True])
def test_power_iterations_must_be_a_positive_integer(steps):
    with pytest.raises(ValueError, match="`power_iterations` must be an integer >= 1.*Received"):
        SpectralNormalization(layers.Dense(2), power_iterations=steps)


def test_seed_must_not_be_negative():
    with pytest.raises(
        ValueError, match=r"`seed` must be an integer in \[0, 2\*\*62\). Received: -1. Use 0"
    ):
        SpectralNormalization(layers.Dense(2), seed=-1)


def test_dtype_belongs_to_the_wrapped_layer():
    with pytest.raises(ValueError, match=r"`dtype` belongs to the wrapped layer.*Dense\(\.\.\."):
        SpectralNormalization(layers.Dense(2), dtype="float16")


def test_layer_must_not_be_quantized():
    layer = layers.Dense(2)
    layer.build((None, 3))
    layer.quantize("int8")
    with pytest.raises(ValueError, match="must have floating-point weights.*'int8'"):
        SpectralNormalization(layer)
