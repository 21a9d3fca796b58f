"""What the networks of the papers promise: shapes, XLA, half precision, files."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from paper_networks import CLASSES, LATENTS, PAIRS

import tfgan_stab as tgs
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import GameGradients
from tfgan_stab.game.players import BOTH, Players

ROWS = 4
# Of parts that other pairs have too.
OF_KNOWN_PARTS = ("sndcgan by class", "dcgan28 by class", "conventional by class")
each_pair = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.exhaustive if name in OF_KNOWN_PARTS else ())
        for name in PAIRS
    ],
)


def inputs_of(networks, rows=ROWS):
    """Latents and images for a pair of networks, each with labels if they take them."""
    random = np.random.default_rng(0)
    labels = [random.integers(0, CLASSES, rows).astype("int32")]
    found = []
    for network in networks:
        first = random.uniform(-1, 1, (rows, *network.inputs[0].shape[1:])).astype("float32")
        found.append([first, *labels] if len(network.inputs) == 2 else first)
    return found


def made(name):
    keras.utils.set_random_seed(0)
    return PAIRS[name]()


@pytest.mark.cases(full=5)
@pytest.mark.slow
@each_pair
def test_shapes_and_files(name, tmp_path):
    generator, discriminator = networks = made(name)
    latents, images = inputs_of(networks)
    for network, inputs in zip(networks, (latents, images), strict=True):
        network(inputs, training=True)
        outputs = network(inputs)
        assert np.isfinite(outputs).all() and np.ptp(outputs) > 0
        network.save(tmp_path / "network.keras")
        loaded = keras.models.load_model(tmp_path / "network.keras")
        np.testing.assert_array_equal(loaded(inputs), outputs)
    assert generator.output_shape == discriminator.inputs[0].shape
    assert discriminator.output_shape == (None, 1)


def compiled(name):
    gan = tgs.GAN(*made(name), latents=LATENTS, num_classes=CLASSES if "class" in name else None)
    optimizers = (keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    gan.compile(*optimizers, penalties=[tgs.R1(1.0)], check_derivatives=False, run_eagerly=True)
    return gan


def one_step(gan):
    images = inputs_of(gan.networks)[1]
    batch = images if isinstance(images, list) else [images]
    return gan.train_on_batch(*batch, return_dict=True)


def marked(names):
    """All pairs; those that are not named take minutes together, and are of the same kind."""
    return [
        pytest.param(name, marks=() if name in names else pytest.mark.exhaustive) for name in PAIRS
    ]


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("name", marked(("resnet sagan by class",)))
def test_gradients_and_a_gradient_penalty_under_xla(name):
    pair = Players(*made(name))
    params = Players(*([tf.identity(v) for v in n.trainable_variables] for n in pair))
    state = Players(*([tf.identity(v) for v in n.non_trainable_variables] for n in pair))
    latents, images = inputs_of(pair)
    labels = latents[1] if isinstance(latents, list) else None
    latents, images = (x[0] if isinstance(x, list) else x for x in (latents, images))
    minibatch = Minibatch(images, labels, latents, ((),), (True,))
    game = GameGradients(pair, tgs.game.losses.get("non_saturating"), (tgs.R1(1.0),))
    plain, compiled = (
        tf.function(lambda *args: game(*args, BOTH).gradients, jit_compile=jit, autograph=False)(
            params, state, minibatch
        )
        for jit in (False, True)
    )
    for expected, found in zip(*map(tf.nest.flatten, (plain, compiled)), strict=True):
        largest = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * largest + 1e-7)


@pytest.mark.slow
@pytest.mark.parametrize(
    "policy", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.exhaustive)]
)
@pytest.mark.parametrize("name", marked(("resnet sagan by class",)))
def test_a_step_in_half_precision(name, policy):
    keras.config.set_dtype_policy(policy)
    try:
        gan = compiled(name)
        before = [[w.numpy() for w in n.trainable_variables] for n in gan.networks]
        logs = one_step(gan)
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite([float(value) for value in logs.values()]).all()
    for network, old in zip(gan.networks, before, strict=True):
        after = [w.numpy() for w in network.trainable_variables]
        assert np.mean([np.any(a != b) for a, b in zip(after, old, strict=True)]) > 0.7
        assert all(np.isfinite(weight).all() for weight in after)
    assert gan.generator.output.dtype == "float32"
    assert gan.sample(2).dtype == tf.float32
