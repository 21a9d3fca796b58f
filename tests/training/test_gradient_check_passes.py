"""What the check before training lets pass, and where it can only warn."""

import itertools
import warnings

import keras
import pytest
import tensorflow as tf
from checked_gans import PENALTIES, Forgetful, check, check_compiled, discriminator
from paper_networks import PAIRS as PAPER_PAIRS

import tfgan_stab as tgs
from tfgan_stab import WrongDerivativeError
from tfgan_stab.training import gradient_check

layers, networks = keras.layers, tgs.networks


def dcgan(size, normalization):
    channels, width = (1, 8) if size == 8 else (3, 16)
    return (
        networks.dcgan_generator(size, channels, latents=3, width=width),
        networks.dcgan_discriminator(size, channels, width=width, normalization=normalization),
    )


def mlp(activation):
    return (
        networks.mlp_generator(2, 3, activation=activation),
        networks.mlp_discriminator(2, activation=activation),
    )


def spectral_mlp():
    hidden = [networks.SpectralNormalization(layers.Dense(64, "relu")) for _ in range(2)]
    last = networks.SpectralNormalization(layers.Dense(1))
    return mlp("relu")[0], keras.Sequential([keras.Input((2,)), *hidden, last])


def short(seed):
    """Initial weights that make gradients shorter from layer to layer."""
    return keras.initializers.RandomNormal(stddev=0.1, seed=seed)


def silent(pair, penalty):
    """Whether a penalty cannot contribute: one-sided ones where gradients cannot be long."""
    return penalty == "one_sided" and "spectral" in pair


PAIRS = {
    **{
        f"dcgan {n} {kind}": lambda n=n, kind=kind: dcgan(n, kind)
        for n in (8, 32)
        for kind in ("batch", "spectral", "none")
    },
    "mlp relu": lambda: mlp("relu"),
    "mlp tanh": lambda: mlp("tanh"),
    "mlp spectral": spectral_mlp,
}


FAST = {("dcgan 8 batch", "r1"), ("mlp relu", "r1"), ("dcgan 32 spectral", "r1")}


USUAL = ("r1", "gradient_penalty", "generator_gradient_norm")


def marks_of(pair, penalty):
    """Relatives of the usual penalties take the same way through large networks."""
    if (pair, penalty) in FAST:
        return ()
    usual = "32" not in pair or penalty in USUAL
    return pytest.mark.slow if usual else pytest.mark.exhaustive


COMBINATIONS = [
    pytest.param(pair, penalty, marks=marks_of(pair, penalty))
    for pair in PAIRS
    for penalty in PENALTIES
    if not silent(pair, penalty) and not ("mlp" in pair and penalty == "consistency")
]


@pytest.mark.cases(full=7)
@pytest.mark.slow
@pytest.mark.parametrize("pair, penalty", COMBINATIONS)
def test_networks_of_this_package_pass(pair, penalty):
    check(penalty, *PAIRS[pair]())


FAST_OF_PAPERS = {("resnet wgan_gp", "gradient_penalty"), ("resnet sagan by class", "r1")}


@pytest.mark.cases(full=1)
@pytest.mark.slow
@pytest.mark.parametrize(
    "pair, penalty",
    [
        pytest.param(*case, marks=() if case in FAST_OF_PAPERS else pytest.mark.exhaustive)
        for case in itertools.product(PAPER_PAIRS, USUAL)
    ],
)
def test_networks_of_the_papers_pass(pair, penalty):
    check(penalty, *PAPER_PAIRS[pair]())


@pytest.mark.cases(full=4)
@pytest.mark.slow
@pytest.mark.parametrize(
    "policy", [pytest.param("mixed_bfloat16", marks=pytest.mark.exhaustive), "mixed_float16"]
)
@pytest.mark.parametrize("penalty", ["r1", "gradient_penalty", "generator_gradient_norm"])
@pytest.mark.parametrize(
    "pair",
    [
        "dcgan 8 spectral",
        "mlp relu",
        pytest.param("dcgan 8 batch", marks=pytest.mark.exhaustive),
        pytest.param("dcgan 32 none", marks=pytest.mark.exhaustive),
    ],
)
def test_networks_of_this_package_pass_in_half_precision(pair, penalty, policy):
    keras.config.set_dtype_policy(policy)
    try:
        gan = check(penalty, *PAIRS[pair]())
    finally:
        keras.config.set_dtype_policy("float32")
    assert gan.precision == [policy]


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("penalty", ["r1", "consensus"])
def test_kinks_stop_nobody(penalty, seed):
    keras.utils.set_random_seed(seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The gradient .* could not be checked")
        check(penalty, *dcgan(32, "none"), seed=seed)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_gradients_too_short_for_single_precision_are_confirmed():
    # Each layer halves gradients or worse, whatever its weights: (|g| - 1)^2 is 1 but for rounding.
    keras.utils.set_random_seed(0)
    hidden = [networks.SpectralNormalization(layers.Dense(8, "leaky_relu")) for _ in range(8)]
    critic = keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(1)])
    check("gradient_penalty", networks.mlp_generator(2, 3), critic)
    with pytest.raises(WrongDerivativeError, match="must agree with finite differences"):
        wrong = [keras.Input((2,)), *hidden, Forgetful(), layers.Dense(1)]
        check("gradient_penalty", networks.mlp_generator(2, 3), keras.Sequential(wrong))


def test_outputs_are_scaled_where_gradients_are_too_short_alone(monkeypatch):
    factors, along = [], gradient_check._along

    def spying(function, start, direction):
        factors.append(function.networks.discriminator.factor)
        return along(function, start, direction)

    monkeypatch.setattr(gradient_check, "_along", spying)
    last = layers.Dense(1, kernel_initializer=keras.initializers.Constant(0.004))
    with pytest.raises(UserWarning, match="it contributes nothing"):
        check(
            tgs.R1(0.0), networks.mlp_generator(2, 3), keras.Sequential([keras.Input((2,)), last])
        )
    assert [factor > 1.0 for factor in factors[::2]] == [True, False, False, True]
    assert {factor for factor in factors if factor <= 1.0} == {1.0}


def test_short_gradients_behind_many_layers_are_confirmed(monkeypatch):
    monkeypatch.setattr(gradient_check, "SCALES", (1.0,))  # Larger weights would make them longer.
    keras.utils.set_random_seed(1)
    generator = networks.mlp_generator(2, 3)
    hidden = [layers.Dense(32, "leaky_relu", kernel_initializer=short(seed)) for seed in range(10)]
    critic = keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(1)])
    check("gradient_penalty", generator, critic)


@pytest.mark.slow
def test_conditional_pair_is_checked(tiny):
    gan = tiny.image_gan(num_classes=3, penalties=[PENALTIES["r1"]])
    check_compiled(gan)


@pytest.mark.slow
def test_float64_networks_are_checked():
    keras.config.set_floatx("float64")
    try:
        check("r1")
        with pytest.raises(WrongDerivativeError, match="must agree with finite differences"):
            check("r1", other=discriminator(Forgetful()))
    finally:
        keras.config.set_floatx("float32")


@pytest.mark.slow
def test_loss_of_ones_own_is_differentiated():
    def cross_entropy(label, logits):
        labels = label * tf.ones(tf.shape(logits))
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))

    def generator_loss(real_logits, fake_logits):
        return cross_entropy(1.0, fake_logits)

    def discriminator_loss(real_logits, fake_logits):
        return cross_entropy(0.9, real_logits) + cross_entropy(0.0, fake_logits)

    loss = (generator_loss, discriminator_loss)
    check("generator_gradient_norm", loss=loss)
    with pytest.raises(WrongDerivativeError, match="must agree with finite differences"):
        check("generator_gradient_norm", other=discriminator(Forgetful()), loss=loss)


# -- What is inconclusive warns --------------------------------------------------------------------


@keras.saving.register_keras_serializable("test_gradient_check")
class Root(layers.Layer):
    """A layer whose derivative at 0, where ReLU leaves many, is infinite."""

    def call(self, inputs):
        return tf.sqrt(tf.nn.relu(inputs))


@keras.saving.register_keras_serializable("test_gradient_check")
class Jagged(layers.Layer):
    """A layer that goes up and down between any two steps."""

    def call(self, inputs):
        @tf.custom_gradient
        def jagged(x):
            return x + 10.0 * tf.sin(1e12 * x), lambda upstream: upstream

        return jagged(inputs)


INCONCLUSIVE = {
    "not finite": (tgs.R1(10.0), [Root], "it is not finite near the start"),
    "no weight": (tgs.R1(0.0), [], "it contributes nothing near the start"),
    "jagged": (tgs.R1(10.0), [Jagged], "finite differences do not tell it from rounding and kinks"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", INCONCLUSIVE)
def test_inconclusive_check_warns(case):
    penalty, middle, reason = INCONCLUSIVE[case]
    with pytest.raises(
        UserWarning,
        match=rf"gradient of R1.* along the discriminator's weights could not be checked: {reason}."
        r" To train all the same, compile\(..., check_derivatives=False\)",
    ):
        check(penalty, other=discriminator(*(kind() for kind in middle)))


def test_weight_of_zero_warns_though_the_last_layer_is_zero():
    last = [layers.Flatten(), layers.Dense(1, kernel_initializer="zeros")]
    with pytest.raises(UserWarning, match="it contributes nothing near the start"):
        check(tgs.R1(0.0), other=keras.Sequential([keras.Input((8, 8, 1)), *last]))


@pytest.mark.slow
@pytest.mark.parametrize(
    "pair", ["mlp spectral", pytest.param("dcgan 8 spectral", marks=pytest.mark.exhaustive)]
)
def test_one_sided_penalty_that_never_acts_warns(pair):
    with pytest.raises(UserWarning, match="it contributes nothing near the start"):
        check("one_sided", *PAIRS[pair]())
