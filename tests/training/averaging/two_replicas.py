"""Averages on two replicas; run by `test_replicas.py` in its own process."""

import pathlib
import sys
import tempfile

import keras
import numpy as np
import tensorflow as tf

sys.path.append(str(pathlib.Path(__file__).parents[2] / "contracts"))
from devices import STRATEGIES  # noqa: E402

import tfgan_stab as tgs  # noqa: E402

layers = keras.layers
STEPS, ROWS = 6, 8
AVERAGES = {
    "ema": tgs.ExponentialAverage(half_life=20, unit="images", warmup="unbiased", start=1),
    "mean": tgs.UniformAverage(start=2, discriminator=True),
    "sync": tgs.ExponentialAverage(0.5, at="sync", batch_statistics="copy"),
    "measured": tgs.UniformAverage(
        batch_statistics="recalibrate", recalibration_batches=3, recalibration_batch_size=8
    ),
}


def made(replicas, jit_compile, normalized):
    averages = {name: rule for name, rule in AVERAGES.items() if normalized or name != "measured"}
    extra = [layers.BatchNormalization()] if normalized else []
    with STRATEGIES[replicas].scope():
        keras.utils.set_random_seed(1)
        generator = keras.Sequential([keras.Input((3,)), layers.Dense(6), *extra, layers.Dense(2)])
        discriminator = keras.Sequential(
            [
                keras.Input((2,)),
                tgs.networks.SpectralNormalization(layers.Dense(6)),
                layers.Dense(1),
            ]
        )
        gan = tgs.GAN(generator, discriminator, latents=3)
        scheme = tgs.Lookahead(tgs.Alternating(), sync_period=2)
        gan.compile("adam", "adam", scheme=scheme, averages=averages, jit_compile=jit_compile)
    return gan


def train(gan, folder, epochs=1):
    data = np.random.RandomState(0).normal(size=[STEPS, ROWS, 2]).astype("float32")
    dataset = tf.data.Dataset.from_tensor_slices(data)
    callbacks = [tgs.callbacks.Checkpoint(folder), tgs.callbacks.SwapWeights("mean", True)]
    gan.fit(dataset, epochs=epochs, callbacks=callbacks, verbose=0)


def copies(gan):
    """All numbers of both replicas; exits if they differ."""
    found = []
    for variable in gan.variables:
        if variable.value.synchronization == tf.VariableSynchronization.ON_READ:
            continue
        own = [
            v.numpy() for v in gan.distribute_strategy.experimental_local_results(variable.value)
        ]
        if any(copy.tobytes() != own[0].tobytes() for copy in own):
            sys.exit(f"copies of {variable.path} differ")
        found.append(own[0])
    return found


def check_swapping(gan):
    """Every way out leaves all copies of the live weights as they were, bit for bit."""
    live = copies(gan)
    latents, real_images = np.ones([4, 3], "float32"), np.ones([4, 2], "float32")
    for name in gan.averages:
        swap = tgs.callbacks.SwapWeights(name)
        gan.predict(latents, batch_size=4, callbacks=[swap], verbose=0)
        gan.evaluate(real_images, batch_size=4, callbacks=[swap], verbose=0)
        gan.sample(5, weights=name)
        try:
            with gan.using(name):
                held = copies(gan)
                gan.save_weights(f"{tempfile.mkdtemp()}/all.weights.h5")
                raise KeyboardInterrupt(name)
        except KeyboardInterrupt as stopped:
            print(f"left {stopped}")
        assert any(a.tobytes() != b.tobytes() for a, b in zip(held, live, strict=True)), name
        assert all(a.tobytes() == b.tobytes() for a, b in zip(copies(gan), live, strict=True))


def check_training(jit_compile):
    """Two replicas with half batches average what one with whole batches does."""
    gans = [made(1, False, False), made(2, jit_compile, False)]
    for gan in gans:
        train(gan, tempfile.mkdtemp())
    check_swapping(gans[1])
    if jit_compile:
        assert gans[1].compilation.scope == "field", gans[1].compilation
    for name in gans[0].averages:
        pairs = zip(*(gan._averages[name].weights for gan in gans), strict=True)
        for one, other in pairs:
            np.testing.assert_allclose(one.numpy(), other.numpy(), 1e-3, 1e-4, err_msg=one.path)


def check_measuring(jit_compile):
    """What is measured under the averages is the same on two replicas, on one, and resumed."""
    folder, gan = tempfile.mkdtemp(), made(2, jit_compile, True)
    train(gan, folder)
    check_swapping(gan)
    single, again = made(1, False, True), made(2, jit_compile, True)
    for mine, theirs in zip(single.variables, gan.variables, strict=True):
        mine.assign(theirs.numpy())
    train(again, folder)  # Resumes after the last step, and trains no further.
    for name in gan.averages:
        expected = gan.sample(6, weights=name, seed=4)
        np.testing.assert_array_equal(again.sample(6, weights=name, seed=4), expected)
        np.testing.assert_allclose(single.sample(6, weights=name, seed=4), expected, 1e-5, 1e-6)
        with gan.using(name):
            copies(gan)


jit_compile = {"on": True, "off": False}[sys.argv[1]]
check_training(jit_compile)
check_measuring(jit_compile)
print("averages agree")
