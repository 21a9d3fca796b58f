"""Top-k on two replicas; run by `test_replicas.py` in its own process."""

import keras
import numpy as np
import tensorflow as tf
from devices import STRATEGIES
from naive_gan import NaiveTopK, Sgd
from schemes import SCHEMES

import tfgan_stab as tgs
from tfgan_stab._utils import random as noise

keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")
layers = keras.layers
ROWS, SEED, RATES = 8, 2, (0.05, 0.1)
# 8, 4.8, 2.88, 2.4: kept are 8, 4, 2, 2, and half of them on each of two replicas.
RULE = {"decay": 0.6, "every": 1, "floor": 0.3}
KEPT = [8, 4, 2, 2]


def perceptron(inputs, outputs):
    return keras.Sequential(
        [keras.Input((inputs,)), layers.Dense(5, "tanh"), layers.Dense(outputs)]
    )


def made(replicas, rule, name="simultaneous", **settings):
    with STRATEGIES[replicas].scope():
        gan = tgs.GAN(perceptron(3, 2), perceptron(2, 1), latents=3)
        random = np.random.RandomState(3)
        for variable in gan.generator.variables + gan.discriminator.variables:
            variable.assign(random.normal(size=variable.shape, scale=0.7))
        gan.compile(
            *(keras.optimizers.SGD(rate) for rate in RATES),
            scheme=SCHEMES[name][0],
            top_k=rule,
            seed=SEED,
            **{"jit_compile": False, **settings},
        )
    return gan


def weights(gan):
    return [
        [v.numpy() for v in network.variables] for network in (gan.generator, gan.discriminator)
    ]


def points(rows):
    return np.random.RandomState(0).normal(size=[rows, 2])


def trained(gan, data=None):
    data = points(len(KEPT) * ROWS) if data is None else data
    history = gan.fit(data, batch_size=ROWS, shuffle=False, verbose=0).history
    for variable in gan.generator.variables + gan.discriminator.variables:
        copies = gan.distribute_strategy.experimental_local_results(variable.value)
        assert all(np.all(c.numpy() == copies[0].numpy()) for c in copies), variable.path
    return weights(gan), history


def agree(one, other, **tolerance):
    for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
        np.testing.assert_allclose(a, b, **(tolerance or {"rtol": 1e-6, "atol": 1e-8}))


def each_for_itself(name):
    """Half of k on each replica is what a plain program with half of k for each half does."""
    gan = made(2, tgs.TopK(**RULE), name)
    params = weights(gan)
    game = NaiveTopK([Sgd(rate) for rate in RATES], replicas=2)
    play = SCHEMES[name][1]()
    for number, (rows, game.kept) in enumerate(zip(np.split(points(32), 4), KEPT, strict=True)):
        key = noise.key(SEED, noise.TRAINING, number, 0)
        params = play(game, params, [(rows, gan.latents(ROWS, key).numpy().astype("float64"))])
    found, history = trained(gan)
    agree(found, params)
    np.testing.assert_allclose(history["top_k"], np.mean([8, 4.8, 2.88, 2.4]), rtol=1e-6)
    apart = [[sum(row < 4 for row in own) for own in game.chosen]]
    assert np.all(np.array(apart) * 2 == [len(own) for own in game.chosen])


def all_together(name, **settings):
    """Replicas that choose together are one replica."""
    rule = tgs.TopK(**RULE, scope="global")
    one, of_one = trained(made(1, tgs.TopK(**RULE), name))
    gan = made(2, rule, name, **settings)
    two, of_two = trained(gan)
    agree(one, two, rtol=1e-6, atol=1e-7)
    for key, values in of_one.items():
        np.testing.assert_allclose(values, of_two[key], rtol=1e-5, err_msg=key)
    return gan, two


for scheme in ("simultaneous", "extragradient"):
    each_for_itself(scheme)
print("replica agrees")

_, together = all_together("rk4")
apart, _ = trained(made(2, tgs.TopK(**RULE), "rk4"))
assert any(np.any(np.abs(a - b) > 1e-3) for a, b in zip(together[0], apart[0], strict=True))
compiled, _ = all_together("alternating", jit_compile=True)
assert compiled.compilation.scope == "field"
penalized = [tgs.GeneratorGradientNorm(0.3)]
together, _ = trained(made(2, tgs.TopK(**RULE, scope="global"), penalties=penalized))
alone, _ = trained(made(1, tgs.TopK(**RULE), penalties=penalized))
agree(together, alone, rtol=1e-5, atol=1e-6)
print("global agrees")

plain, _ = trained(made(2, None))
for rule in (tgs.TopK(decay=1.0), tgs.TopK(decay=1.0, scope="global")):
    agree(trained(made(2, rule))[0], plain, rtol=0, atol=0)
print("all is plain")

for rows, settings in (
    (16 + 1, {"scope": "global"}),  # One replica without a row.
    (16 + 1, {"scope": "replica"}),
    (16 + 5, {"floor": 7}),  # 3 and 2 rows.
):
    gan = made(2, tgs.TopK(**{**RULE, **settings}), loss="relativistic_average")
    found, _ = trained(gan, points(rows))
    assert all(np.isfinite(own).all() for own in tf.nest.flatten(found)), settings
print("uneven rows are fine")
