"""The check before training: what it lets pass, what it stops, and whom it blames."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab import WrongDerivativeError
from tfgan_stab.training import penalty_check
from tfgan_stab.training.finite_differences import Trial
from tfgan_stab.training.gradient_check import check_once

layers = keras.layers

SLOPE = [tgs.R1(10.0)]
PENALTIES = {
    "r1": SLOPE,
    "gradient_penalty": [tgs.GradientPenalty()],
    "consistency": [tgs.ConsistencyRegularization(10.0, 10.0, 5.0, 0.5)],
    "generator_gradient_norm": [tgs.GeneratorGradientNorm(0.1)],
    "consensus": [tgs.Consensus(0.1)],
}


def generator(*middle):
    return keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(32),
            layers.Reshape((4, 4, 2)),
            *middle,
            layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh"),
        ]
    )


def discriminator(*middle):
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="leaky_relu"),
            *middle,
            layers.Conv2D(4, 3, padding="same", activation="swish"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )


def fit(penalties, own=None, other=None, images=None, **settings):
    gan = tgs.GAN(own or generator(), other or discriminator(), latents=3)
    gan.compile("sgd", "sgd", penalties=penalties, jit_compile=False, **settings)
    gan.fit(np.zeros([4, 8, 8, 1], "float32"), batch_size=4, verbose=0)
    return gan


@pytest.mark.slow
@pytest.mark.parametrize("name", PENALTIES)
def test_right_derivatives_pass(name):
    fit(PENALTIES[name])


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ["r1", "generator_gradient_norm"])
def test_right_derivatives_pass_in_half_precision_and_policies_are_put_back(name, policy):
    keras.config.set_dtype_policy(policy)
    try:
        gan = fit(PENALTIES[name])
    finally:
        keras.config.set_dtype_policy("float32")
    assert {layer.dtype_policy.name for layer in gan.discriminator.layers} == {policy}
    assert keras.config.floatx() == "float32"


def rough(normalization):
    """A discriminator of points, where a normalization's second derivative weighs much."""
    body = [layers.Dense(16, activation="tanh"), normalization, layers.Dense(16, activation="tanh")]
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), *body, layers.Dense(1)])


NORMALIZATIONS = {
    "BatchNormalization": {},
    "LayerNormalization": {},
    "GroupNormalization": {"groups": 4},
}


@pytest.mark.parametrize("body", [rough, discriminator])
@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_normalizations_of_keras_are_stopped_and_ours_named(kind, body):
    theirs = getattr(layers, kind)(**NORMALIZATIONS[kind], name="mine")
    with pytest.raises(
        WrongDerivativeError,
        match=f"'mine', {kind}, of the discriminator has a wrong second derivative .*"
        f"use tgs.networks.{kind} instead",
    ):
        fit(SLOPE, other=body(theirs))


def test_an_error_of_a_fraction_of_a_percent_is_seen():
    # One batch normalization among the convolutions of a DCGAN's discriminator.
    other = tgs.networks.dcgan_discriminator(8, 1, width=8, normalization="none")
    body = [
        layers.Conv2D(16, 4, strides=2, padding="same", activation="leaky_relu"),
        layers.Conv2D(16, 3, padding="same"),
        layers.BatchNormalization(name="mine"),
        layers.LeakyReLU(0.2),
    ]
    other = keras.Sequential([keras.Input((8, 8, 1)), *body, layers.Flatten(), layers.Dense(1)])
    with pytest.raises(WrongDerivativeError, match="'mine', BatchNormalization"):
        fit(SLOPE, other=other)


@pytest.mark.slow
@pytest.mark.parametrize("body", [rough, discriminator])
@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_normalizations_of_this_package_pass(kind, body):
    fit(SLOPE, other=body(getattr(tgs.networks, kind)(**NORMALIZATIONS[kind])))


@pytest.mark.parametrize("name", ["r1", "gradient_penalty", "generator_gradient_norm"])
def test_bilinear_upsampling_is_stopped_and_blamed(name):
    up = layers.UpSampling2D(interpolation="bilinear", name="enlarge")
    with pytest.raises(
        WrongDerivativeError,
        match=r"'enlarge', UpSampling2D, of the discriminator has a wrong second derivative \(0 .*"
        r"use tgs.networks.UpSampling2D instead",
    ):
        fit(PENALTIES[name], other=discriminator(up))


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("name", ["generator_gradient_norm", "consensus"])
def test_vectors_of_spectral_normalization_may_be_constants(name):
    wrap, up = tgs.networks.SpectralNormalization, layers.UpSampling2D
    fit(PENALTIES[name], other=discriminator(wrap(layers.Conv2D(8, 3, activation="swish"))))
    middle = up(interpolation="bilinear", name="enlarge"), wrap(layers.Conv2D(8, 3))
    with pytest.raises(WrongDerivativeError, match="'enlarge', UpSampling2D"):
        fit(PENALTIES[name], other=discriminator(*middle))


@pytest.mark.slow
@keras.saving.register_keras_serializable("test_derivatives")
class Blur(layers.Layer):
    """A layer with a constant kernel in float32: no network with it computes in float64."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        row = np.array([1.0, 2.0, 1.0])
        kernel = np.outer(row, row)[:, :, None, None] / 16 * np.ones([1, 1, 4, 1])
        self.blur = tf.constant(kernel, tf.float32)

    def call(self, inputs):
        return tf.nn.depthwise_conv2d(inputs, self.blur, [1, 1, 1, 1], "SAME")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["r1", "consensus"])
def test_in_single_precision_kinks_stop_nobody(name, seed):
    # Steps above the rounding meet kinks of leaky ReLU: often no two of them agree with the truth.
    own = keras.Sequential(
        [
            *(keras.Input((3,)), layers.Dense(256), layers.ReLU(), layers.Reshape((4, 4, 16))),
            *(layers.Conv2DTranspose(8, 4, strides=2, padding="same"), layers.ReLU()),
            layers.Conv2D(1, 3, padding="same", activation="tanh"),
        ]
    )
    other = keras.Sequential(
        [
            *(keras.Input((8, 8, 1)), layers.Conv2D(4, 3, padding="same"), layers.LeakyReLU(0.2)),
            *(Blur(), layers.Conv2D(32, 3, strides=2, padding="same"), layers.LeakyReLU(0.2)),
            *(layers.Conv2D(32, 3, strides=2, padding="same"), layers.LeakyReLU(0.2)),
            *(layers.Flatten(), layers.Dense(1)),
        ]
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The derivative .* could not be checked")
        fit(PENALTIES[name], own, other)


def test_in_single_precision_a_wrong_layer_is_named_all_the_same():
    up = layers.UpSampling2D(interpolation="bilinear", name="enlarge")
    with pytest.raises(
        WrongDerivativeError, match=r"To blame: layer 'enlarge', UpSampling2D, [^;]*To train"
    ):
        fit(SLOPE, other=discriminator(Blur(), up))


def cross_entropy(label, logits):
    labels = label * tf.ones(tf.shape(logits))  # float32, whatever the logits are
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))


def test_a_loss_of_ones_own_may_insist_on_float32():
    def generator_loss(real_logits, fake_logits):
        return cross_entropy(1.0, fake_logits)

    def discriminator_loss(real_logits, fake_logits):
        return cross_entropy(0.9, real_logits) + cross_entropy(0.0, fake_logits)

    loss = (generator_loss, discriminator_loss)
    gan = fit(PENALTIES["generator_gradient_norm"], loss=loss)
    assert gan.steps == 1
    up = layers.UpSampling2D(interpolation="bilinear", name="enlarge")
    with pytest.raises(WrongDerivativeError, match="'enlarge', UpSampling2D"):
        fit(PENALTIES["generator_gradient_norm"], other=discriminator(up), loss=loss)


@pytest.mark.parametrize("seed", range(3))
def test_layers_that_draw_are_not_blamed_for_others(seed):
    keras.utils.set_random_seed(seed)
    up = layers.UpSampling2D(interpolation="bilinear", name="enlarge")
    noise = layers.GaussianNoise(0.2), up, layers.GaussianDropout(0.3), layers.SpatialDropout2D(0.2)
    with pytest.raises(
        WrongDerivativeError, match=r"To blame: layer 'enlarge', UpSampling2D, [^;]*To train"
    ):
        fit(SLOPE, other=discriminator(*noise))


def test_nearest_upsampling_passes():
    fit(SLOPE, other=discriminator(layers.UpSampling2D(interpolation="nearest")))


@pytest.mark.slow
def test_a_layer_of_the_generator_is_blamed_where_its_gradient_is_differentiated():
    up = layers.UpSampling2D(interpolation="bilinear", name="enlarge")
    small = keras.Sequential(
        [keras.Input((3,)), layers.Dense(16), layers.Reshape((4, 4, 1)), up, layers.Conv2D(1, 1)]
    )
    with pytest.raises(WrongDerivativeError, match="'enlarge', UpSampling2D, of the generator"):
        fit(PENALTIES["generator_gradient_norm"], own=small)
    # R1 differentiates the discriminator alone.
    fit(SLOPE, own=keras.models.clone_model(small))


def test_a_resize_without_a_second_derivative_is_blamed_by_name():
    resize = layers.Resizing(6, 6, interpolation="bicubic", name="shrink")
    with pytest.raises(
        WrongDerivativeError,
        match="'shrink', Resizing, of the discriminator has no second derivative in TensorFlow",
    ):
        fit(SLOPE, other=discriminator(resize))


@keras.saving.register_keras_serializable("test_derivatives")
class Forgetful(layers.Layer):
    """A layer whose derivative is right, and whose derivative's derivative is not."""

    def call(self, inputs):
        @tf.custom_gradient
        def cubed(x):
            return x**3, lambda upstream: 3 * tf.stop_gradient(x) ** 2 * upstream

        return cubed(inputs)


def test_a_custom_layer_is_blamed():
    with pytest.raises(WrongDerivativeError, match="'mine', Forgetful, of the discriminator"):
        fit(SLOPE, other=discriminator(layers.UnitNormalization(), Forgetful(name="mine")))


class Float32Only(layers.Layer):
    """A layer that insists on a type, as many custom ones do."""

    def call(self, inputs):
        return tf.cast(inputs, tf.float32) * tf.constant(2.0)


@pytest.mark.slow
def test_networks_that_insist_on_float32_are_checked_in_it():
    fit(SLOPE, other=discriminator(Float32Only()))
    up = layers.UpSampling2D(interpolation="bilinear", name="enlarge")
    with pytest.raises(WrongDerivativeError, match="'enlarge', UpSampling2D"):
        fit(SLOPE, other=discriminator(Float32Only(), up))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_in_double_precision_nothing_steps_to_single(monkeypatch, kind):
    # Derivatives and differences must agree far better than single precision could: then kinks
    # can be kept apart from errors.
    monkeypatch.setattr(penalty_check, "FINE", Trial((1e-7, 1e-8), 1e-5, 1e-5, 1e-5))
    monkeypatch.setattr(penalty_check, "COARSE", Trial((1e-7,), 0.0, 0.0, 0.0))
    seen = []
    compared = penalty_check.compared

    def noted(*args):
        seen.append(compared(*args))
        return seen[-1]

    monkeypatch.setattr(penalty_check, "compared", noted)
    other = discriminator()
    if kind == "functional":
        other = keras.Model(other.inputs, other.outputs)
    fit(SLOPE, other=other)
    assert seen == [None] * penalty_check.ENOUGH_RIGHT
    assert other.inputs[0].dtype == "float32"


class Penalty:
    """A penalty of the user's with a derivative that is not its own."""

    payers, interval, input_gradients_of = ("discriminator",), 1, ()

    def draw(self, count, example_shape, latent_shape, key):
        return ()

    def terms(self, scene, draws):
        return tgs.Players(None, tf.stop_gradient(tf.reduce_mean(scene.real_logits**2)))


def test_a_penalty_without_a_derivative_is_stopped_though_no_layer_is_to_blame():
    with pytest.raises(WrongDerivativeError, match="No layer alone is to blame: look for oper"):
        fit([Penalty()])


def starting_at_zero(*middle):
    body = [layers.Flatten(), layers.Dense(1, kernel_initializer="zeros")]
    return keras.Sequential([keras.Input((8, 8, 1)), *middle, layers.Conv2D(4, 3), *body])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["r1", "gradient_penalty", "generator_gradient_norm", "consensus"])
def test_a_last_layer_that_starts_at_zero_hides_nothing(name):
    up = layers.UpSampling2D(interpolation="bilinear", name="enlarge")
    with pytest.raises(WrongDerivativeError, match="'enlarge', UpSampling2D"):
        fit(PENALTIES[name], other=starting_at_zero(up, layers.Conv2D(4, 3, activation="swish")))
    fit(PENALTIES[name], other=starting_at_zero())


@pytest.mark.slow
def test_a_penalty_that_starts_at_zero_is_checked_where_it_is_not():
    up = layers.UpSampling2D(interpolation="bilinear", name="enlarge")
    one_sided = [tgs.GradientPenalty(one_sided=True)]
    with pytest.raises(WrongDerivativeError, match="'enlarge', UpSampling2D"):
        fit(one_sided, other=discriminator(up))
    fit(one_sided)


@keras.saving.register_keras_serializable("test_derivatives")
class Rounding(layers.Layer):
    """A layer that no slope passes."""

    def call(self, inputs):
        return tf.stop_gradient(inputs)


@pytest.mark.parametrize("name", ["r1", "gradient_penalty"])
def test_a_discriminator_that_no_slope_passes_is_stopped(name):
    with pytest.raises(WrongDerivativeError, match="no slope passes through the discriminator at"):
        fit(PENALTIES[name], other=discriminator(Rounding()))


@keras.saving.register_keras_serializable("test_derivatives")
class Root(layers.Layer):
    """A layer whose derivative at 0, where ReLU leaves many, is infinite."""

    def call(self, inputs):
        return tf.sqrt(tf.nn.relu(inputs))


def test_a_derivative_that_is_not_finite_is_said():
    with pytest.raises(UserWarning, match="could not be checked: it is not finite near the start"):
        fit(SLOPE, other=discriminator(Root()))


def test_a_penalty_that_contributes_nothing_is_said():
    with pytest.raises(UserWarning, match=r"R1\(weight=0.* flat along the discriminator's weights"):
        fit([tgs.R1(0.0)])


@keras.saving.register_keras_serializable("test_derivatives")
class Jagged(layers.Layer):
    """A layer that goes up and down between any two steps."""

    def call(self, inputs):
        @tf.custom_gradient
        def jagged(x):
            return x + 10.0 * tf.sin(1e12 * x), lambda upstream: upstream

        return jagged(inputs)


@pytest.mark.slow
def test_what_cannot_be_decided_is_said_with_the_layers_that_may_be_the_reason():
    up = layers.UpSampling2D(name="enlarge")
    with pytest.raises(
        UserWarning,
        match="could not be checked: finite differences of several steps do not agree .*"
        "'enlarge', UpSampling2D, of the discriminator .use tgs.networks.UpSampling2D",
    ):
        fit(SLOPE, other=discriminator(up, Jagged()))


@pytest.mark.slow
def test_it_can_be_switched_off_and_is_done_once():
    up = layers.UpSampling2D(interpolation="bilinear")
    fit(SLOPE, other=discriminator(up), check_derivatives=False)
    gan = fit(SLOPE)
    assert gan.derivatives_checked


def test_weights_states_and_layers_are_as_they_were():
    normalized = tgs.networks.BatchNormalization
    own, other = generator(normalized()), discriminator(normalized())
    gan = tgs.GAN(own, other, latents=3)
    gan.compile("sgd", "sgd", penalties=SLOPE, jit_compile=False)
    before = [v.numpy() for v in gan.variables]
    check_once(gan)
    assert all(np.array_equal(a, v.numpy()) for a, v in zip(before, gan.variables, strict=True))
    assert all("call" not in vars(layer) for layer in other.layers)
    assert gan.derivatives_checked


def test_loops_of_ones_own_are_checked_too():
    up = layers.UpSampling2D(interpolation="bilinear", name="enlarge")
    gan = tgs.GAN(generator(), discriminator(up), latents=3)
    gan.compile("sgd", "sgd", penalties=SLOPE, jit_compile=False)
    with pytest.raises(WrongDerivativeError, match="'enlarge', UpSampling2D"):
        gan.train_on_batch(np.zeros([4, 8, 8, 1], "float32"))
