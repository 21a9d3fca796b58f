"""Penalties on losses: closed forms on linear networks, finite differences on deep ones, TF-GAN."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.evaluation.extractors import tfgan
from tfgan_stab.game import losses
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import GameGradients
from tfgan_stab.game.penalties.base import names_of
from tfgan_stab.game.penalties.consistency import FlipAndShift
from tfgan_stab.game.players import Players

layers = keras.layers
ROWS = 5


@pytest.fixture(autouse=True)
def float64():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def values(variables):
    return [tf.convert_to_tensor(v.value) for v in variables]


def game_of(networks, penalties, seed=0, loss="non_saturating"):
    """A field, where it stands, and a batch with the penalties' draws."""
    random = np.random.RandomState(seed)
    for network in networks:
        for v in network.trainable_variables:
            v.assign(random.normal(size=v.shape, scale=0.4))
    params = Players(*(values(n.trainable_variables) for n in networks))
    state = Players(*(values(n.non_trainable_variables) for n in networks))
    example, latent = networks[1].input_shape[1:], networks[0].input_shape[1:]
    draws = [p.draw(ROWS, list(example), list(latent), tf.constant([seed, 3])) for p in penalties]
    dtype = keras.config.floatx()
    batch = Minibatch(
        tf.constant(random.uniform(-1, 1, [ROWS, *example]), dtype),
        None,
        tf.constant(random.normal(size=[ROWS, *latent]), dtype),
        tf.nest.map_structure(lambda d: tf.cast(d, dtype), tuple(draws)),
        (True,) * len(penalties),
    )
    field = GameGradients(Players(*networks), losses.get(loss), penalties)
    return field, params, state, batch


def linear_pair(size=3):
    return (
        keras.Sequential([keras.Input((2,)), layers.Dense(size)]),
        keras.Sequential([keras.Input((size,)), layers.Dense(1)]),
    )


def extra_slopes(networks, penalty, player="discriminator"):
    """What a penalty adds to a player's slope, what it came to, and the game it was asked in."""
    field, params, state, batch = game_of(networks, [penalty])
    evaluation = field(params, state, batch)
    plain = GameGradients(Players(*networks), losses.get("non_saturating"))
    without = plain(params, state, batch._replace(draws=(), due=()))
    pairs = zip(getattr(evaluation.slopes, player), getattr(without.slopes, player), strict=True)
    extra = [(a - b).numpy() for a, b in pairs]
    return extra, float(evaluation.paid[0]), (field, params, state, batch)


# On D(x) = a . x + b the slope is a everywhere: (value, factor of a in minus the derivative).
LINEAR = {
    "r1": (tgs.R1(3.0), lambda n: (1.5 * n**2, -3.0)),
    "r2": (tgs.R2(3.0), lambda n: (1.5 * n**2, -3.0)),
    "zero_centered": (tgs.ZeroCenteredGradientPenalty(3.0), lambda n: (3 * n**2, -6.0)),
    "gradient_penalty": (
        tgs.GradientPenalty(3.0),
        lambda n: (3 * (n - 1) ** 2, -6 * (n - 1) / n),
    ),
    "target_of_a_quarter": (
        tgs.GradientPenalty(3.0, target=0.25),
        lambda n: (3 * (4 * n - 1) ** 2, -24 * (4 * n - 1) / n),
    ),
    "one_sided_and_steep": (
        tgs.GradientPenalty(3.0, target=0.25, one_sided=True),
        lambda n: (3 * (4 * n - 1) ** 2, -24 * (4 * n - 1) / n),
    ),
    "one_sided_and_flat": (
        tgs.GradientPenalty(3.0, target=9.0, one_sided=True),
        lambda n: (0.0, 0.0),
    ),
    "dragan": (tgs.Dragan(3.0), lambda n: (3 * (n - 1) ** 2, -6 * (n - 1) / n)),
}


@pytest.mark.parametrize("name", LINEAR)
def test_on_a_linear_discriminator_value_and_slope_are_the_closed_form(name):
    penalty, answer = LINEAR[name]
    networks = linear_pair()
    extra, value, (_, params, _, _) = extra_slopes(networks, penalty)
    a = params.discriminator[0].numpy()
    expected, factor = answer(np.linalg.norm(a))
    np.testing.assert_allclose(value, expected, rtol=1e-9)
    np.testing.assert_allclose(extra[0], factor * a, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(extra[1], 0.0, atol=1e-12)


def test_consistency_on_linear_networks_is_the_closed_form():
    def halved(examples, draws):
        return examples / 2 + 0 * draws[:, :1]

    penalty = tgs.ConsistencyRegularization(2.0, 3.0, 5.0, 7.0, spread=0.5, augment=halved)
    networks = linear_pair()
    field, params, state, batch = game_of(networks, [penalty])
    (g, shift), (a, _) = ([w.numpy() for w in own] for own in params)
    x, z, e = batch.reals.numpy(), batch.latents.numpy(), 0.5 * batch.draws[0][2].numpy()
    fakes = z @ g + shift
    expected = (
        2.0 * np.mean((x @ a / 2) ** 2)
        + 3.0 * np.mean((fakes @ a / 2) ** 2)
        + 5.0 * np.mean((e @ g @ a) ** 2)
    )
    np.testing.assert_allclose(float(field(params, state, batch).paid[0]), expected, rtol=1e-9)
    reward, _, _ = extra_slopes(networks, penalty, "generator")
    # Minus the derivative of -7 mean (e g)^2 along g; the mean is over rows and entries.
    np.testing.assert_allclose(reward[0], 14.0 * e.T @ (e @ g) / (e @ g).size, rtol=1e-7)
    np.testing.assert_allclose(reward[1], 0.0, atol=1e-12)


def deep_pair(kind):
    """Small networks on pictures 8x8x2 with what discriminators are made of."""
    generator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(32, "softplus"),
            layers.Reshape((4, 4, 2)),
            layers.Conv2DTranspose(2, 3, strides=2, padding="same", activation="tanh"),
        ]
    )
    middle = {
        "average_pooling": [layers.AveragePooling2D(2)],
        "max_pooling": [layers.MaxPooling2D(2)],
        "strides": [layers.Conv2D(4, 3, strides=2, padding="same", activation="gelu")],
        "unit_normalization": [layers.UnitNormalization(axis=-1), layers.AveragePooling2D(2)],
        "leaky": [layers.LeakyReLU(0.2), layers.AveragePooling2D(2)],
        "nearest": [layers.UpSampling2D(), layers.Conv2D(3, 3, strides=4)],
    }[kind]
    discriminator = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(3, 3, padding="same", activation="swish"),
            *middle,
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    return generator, discriminator


PENALTIES = {
    "r1": tgs.R1(2.0),
    "r2": tgs.R2(2.0),
    "zero_centered": tgs.ZeroCenteredGradientPenalty(2.0),
    "gradient_penalty": tgs.GradientPenalty(2.0),
    "one_sided": tgs.GradientPenalty(2.0, target=0.05, one_sided=True),
    "dragan": tgs.Dragan(2.0),
    "consistency": tgs.ConsistencyRegularization(2.0, 3.0, 5.0, 7.0),
}
KINDS = ["average_pooling", "max_pooling", "strides", "unit_normalization", "leaky", "nearest"]


def value_by_differences(networks, params, state, batch, name, step=1e-6):
    """A penalty's value from the discriminator's outputs alone, slopes by central differences."""
    generator, discriminator = networks
    for network, own in zip(networks, params, strict=True):
        for variable, value in zip(network.trainable_variables, own, strict=True):
            variable.assign(value)
    reals, fakes = batch.reals.numpy(), generator(batch.latents).numpy()
    draws = batch.draws[0]

    def output(x):
        return discriminator(tf.constant(x)).numpy()[:, 0]

    def norms(x):
        moves = step * np.eye(x[0].size).reshape([-1, 1, *x.shape[1:]])
        ends = [output((x + s * moves).reshape([-1, *x.shape[1:]])) for s in (1, -1)]
        slopes = (ends[0] - ends[1]) / (2 * step)
        return np.sum(slopes.reshape([-1, len(x)]) ** 2, axis=0)

    def way(share):
        return reals + share.numpy()[:, None, None, None] * (fakes - reals)

    if name in ("r1", "r2"):
        return np.mean(norms(reals if name == "r1" else fakes))
    if name == "zero_centered":
        return 2 * np.mean(norms(way(draws)))
    if name in ("gradient_penalty", "one_sided"):
        target = 0.05 if name == "one_sided" else 1.0
        lengths = np.sqrt(norms(way(draws))) / target
        if name == "one_sided":
            lengths = np.maximum(lengths, 1)
        return 2 * np.mean((lengths - 1) ** 2)
    far, where = (d.numpy() for d in draws)
    near = reals + far[:, None, None, None] * 0.5 * reals.std() * where
    return 2 * np.mean((np.sqrt(norms(near)) - 1) ** 2)


@pytest.mark.parametrize("name", [n for n in PENALTIES if n != "consistency"])
def test_values_are_those_of_slopes_by_finite_differences(name):
    networks = deep_pair("average_pooling")
    field, params, state, batch = game_of(networks, [PENALTIES[name]])
    expected = value_by_differences(networks, params, state, batch, name)
    np.testing.assert_allclose(float(field(params, state, batch).paid[0]), expected, rtol=1e-6)


# Two penalties on all networks, all penalties on two.
PAIRS = [
    (name, kind)
    for name in PENALTIES
    for kind in KINDS
    if kind in KINDS[:2] or name in ("r1", "gradient_penalty")
]


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_slopes_are_finite_differences_of_the_value_along_random_directions(name, kind):
    penalty = PENALTIES[name]
    for player in penalty.payers:
        extra, _, (field, params, state, batch) = extra_slopes(deep_pair(kind), penalty, player)
        place = ("generator", "discriminator").index(player)

        def owed(weights, player=player, field=field, params=params, state=state, batch=batch):
            at = params._replace(**{player: weights})
            return float(field.owed(at, state, batch, 0, player))

        random = np.random.RandomState(1)
        for _ in range(2):
            direction = [random.normal(size=w.shape) for w in params[place]]
            ends = [
                owed([w + s * 1e-6 * d for w, d in zip(params[place], direction, strict=True)])
                for s in (1, -1)
            ]
            measured = (ends[0] - ends[1]) / 2e-6
            claimed = -sum(np.sum(s * d) for s, d in zip(extra, direction, strict=True))
            np.testing.assert_allclose(claimed, measured, rtol=2e-5, atol=1e-8)


def test_the_generator_is_left_alone_by_penalties_that_the_discriminator_pays():
    for name in ("r1", "r2", "gradient_penalty", "dragan"):
        extra, _, _ = extra_slopes(deep_pair("strides"), PENALTIES[name], "generator")
        assert all(np.all(e == 0) for e in extra), name


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("target", [1.0, 0.05])
def test_the_gradient_penalty_is_that_of_tfgan(monkeypatch, one_sided, target):
    # Theirs insists on float32 here and there.
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    penalty = tgs.GradientPenalty(2.5, target=target, one_sided=one_sided)
    networks = deep_pair("average_pooling")
    field, params, state, batch = game_of(networks, [penalty])
    module = tfgan.losses()
    fakes = networks[0](batch.latents)

    def uniform(shape, **kwargs):
        del kwargs
        return tf.reshape(batch.draws[0], [ROWS, 1, 1, 1])

    monkeypatch.setattr(module.tf.random, "uniform", uniform)

    @tf.function(autograph=False)
    def theirs():
        return module.wasserstein_gradient_penalty(
            batch.reals,
            fakes,
            None,
            lambda examples, _: networks[1](examples),
            tf.compat.v1.get_variable_scope(),
            target=target,
            one_sided=one_sided,
        )

    mine = float(field(params, state, batch).paid[0])
    np.testing.assert_allclose(mine, 2.5 * float(theirs()), rtol=1e-5)


def test_a_slope_of_zero_has_a_finite_derivative():
    networks = linear_pair()
    field, params, state, batch = game_of(networks, [tgs.GradientPenalty(), tgs.R1()])
    flat = params._replace(discriminator=[tf.zeros_like(w) for w in params.discriminator])
    slopes = field(flat, state, batch).slopes.discriminator
    assert all(np.all(np.isfinite(s)) for s in slopes)


def test_augmented_images_are_mirrored_and_shifted_with_mirrored_borders():
    image = tf.reshape(tf.range(16.0), [1, 4, 4, 1])
    augment = FlipAndShift(reach=0.25)
    still = tf.constant([[0.9, 0.5, 0.5] + [0.0] * 5])
    assert np.array_equal(augment(image, still), image)
    mirrored = augment(image, tf.constant([[0.1, 0.5, 0.5] + [0.0] * 5]))
    assert np.array_equal(mirrored, image[:, :, ::-1])
    down = augment(image, tf.constant([[0.9, 0.99, 0.5] + [0.0] * 5]))
    assert np.array_equal(down[0, :, :, 0], image.numpy()[0, [1, 2, 3, 2], :, 0])
    right = augment(image, tf.constant([[0.9, 0.5, 0.0] + [0.0] * 5]))
    assert np.array_equal(right[0, :, :, 0], image.numpy()[0][:, [1, 0, 1, 2], 0])
    assert np.array_equal(FlipAndShift(0.0, flip=False)(image, tf.zeros([1, 8])), image)


BAD = [
    (lambda: tgs.R1(-1.0), "`weight` must be a finite number >= 0. Received: -1.0"),
    (lambda: tgs.R2(float("nan")), "`weight` must be a finite number >= 0. Received: nan"),
    (lambda: tgs.R1("10"), "`weight` must be a finite number >= 0. Received: '10'"),
    (lambda: tgs.R1(interval=0), "`interval` must be a number of steps, an integer >= 1"),
    (lambda: tgs.GradientPenalty(interval=2.0), "`interval` must be a number of steps"),
    (lambda: tgs.ZeroCenteredGradientPenalty(interval=True), "`interval` must be a number"),
    (lambda: tgs.GradientPenalty(target=0.0), "`target` must be a finite number > 0"),
    (lambda: tgs.GradientPenalty(one_sided=1), "`one_sided` must be True or False. Received: 1"),
    (lambda: tgs.Dragan(spread=-1), "`spread` must be a finite number > 0. Received: -1"),
    (lambda: tgs.ConsistencyRegularization(0.0), "needs a weight > 0. Received: 0 for all four"),
    (lambda: tgs.ConsistencyRegularization(spread=0), "`spread` must be a finite number > 0"),
    (lambda: tgs.ConsistencyRegularization(spread=True), "`spread` must be a finite number > 0"),
    (lambda: tgs.ConsistencyRegularization(latents_weight=True), "`latents_weight` must be a fin"),
    (lambda: tgs.ConsistencyRegularization(generator_weight=np.inf), "`generator_weight` must be"),
    (lambda: tgs.R1(True), "`weight` must be a finite number >= 0. Received: True"),
    (lambda: tgs.R1(np.bool_(True)), "`weight` must be a finite number >= 0. Received: True"),
    (lambda: tgs.R1(np.float32("inf")), "`weight` must be a finite number >= 0. Received: inf"),
    (lambda: tgs.Dragan(np.float32("nan")), "`weight` must be a finite number >= 0. Received: nan"),
    (lambda: tgs.ConsistencyRegularization(fakes_weight=-1), "`fakes_weight` must be a finite"),
    (lambda: FlipAndShift(reach=0.6), r"`reach` must be in \[0, 0.5\]"),
    (lambda: FlipAndShift()(tf.zeros([2, 3]), tf.zeros([2, 8])), "Flips and shifts need images"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("augment", ["flip", FlipAndShift])
def test_an_augmentation_must_be_a_function(augment):
    with pytest.raises(TypeError, match="`augment` must be a function"):
        tgs.ConsistencyRegularization(augment=augment)


@pytest.mark.parametrize("jit_compile", [False, True, "auto"])
def test_shifting_examples_that_are_no_images_is_refused_when_compiled(jit_compile):
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    gan = tgs.GAN(*linear_pair(), latents=2)
    penalty = tgs.ConsistencyRegularization()
    with pytest.raises(
        ValueError, match=r"^Flips and shifts need images.*Received: examples of shape \[3\]\. Give"
    ):
        gan.compile("sgd", "sgd", penalties=[penalty], jit_compile=jit_compile)


@pytest.mark.parametrize(
    "penalty",
    [
        tgs.ConsistencyRegularization(0.0, latents_weight=5.0),
        tgs.ConsistencyRegularization(augment=lambda examples, draws: -examples),
    ],
    ids=["latents", "own"],
)
def test_points_can_be_consistent_in_other_ways(penalty):
    gan = tgs.GAN(*linear_pair(), latents=2)
    gan.compile("sgd", "sgd", penalties=[penalty], jit_compile=False, check_derivatives=False)
    gan.fit(np.ones([4, 3]), batch_size=4, verbose=0)
    assert gan.steps == 1


def test_data_that_do_not_know_their_sizes_are_shifted_too():
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    layers = keras.layers
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(64), layers.Reshape((8, 8, 1))],
    )
    discriminator = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(1)]
    )
    gan = tgs.GAN(generator, discriminator, latents=2)
    gan.compile("sgd", "sgd", penalties=[tgs.ConsistencyRegularization()], jit_compile=False)
    data = tf.data.Dataset.from_tensors(np.ones([4, 8, 8, 1], "float32"))
    unknown = data.map(
        lambda x: tf.ensure_shape(tf.py_function(lambda y: y, [x], x.dtype), [None] * 4)
    )
    gan.fit(unknown, verbose=0)
    assert gan.steps == 1


def test_a_name_that_begins_another_is_not_that_other():
    kinds = [type(name, (tgs.R1,), {}) for name in ("FooBar", "Foo")]
    penalties = [kinds[0](1.0), kinds[1](1.0), kinds[1](1.0)]
    assert names_of(penalties) == ["foo_bar", "foo", "foo_2"]


@pytest.mark.parametrize(
    ("penalty", "value"),
    [
        (tgs.R1(2.0), 2.7e5),
        (tgs.R2(2.0), 2.7e5),
        (tgs.ZeroCenteredGradientPenalty(1.0), 2.7e5),
        (tgs.GradientPenalty(1.0), (2.7e5**0.5 - 1) ** 2),
        (tgs.Dragan(1.0), (2.7e5**0.5 - 1) ** 2),
    ],
    ids=lambda p: type(p).__name__,
)
def test_squares_beyond_half_precision_do_not_overflow(penalty, value):
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("mixed_float16")
    networks = linear_pair()
    field, params, state, batch = game_of(networks, [penalty])
    steep = [tf.fill([3, 1], 300.0), tf.zeros([1])]
    found = field(params._replace(discriminator=steep), state, batch)
    np.testing.assert_allclose(float(found.paid[0]), value, rtol=1e-3)  # The largest half: 65504.
    assert all(np.all(np.isfinite(s)) for s in found.slopes.discriminator)
