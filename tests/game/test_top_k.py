"""Top-k: how k shrinks, which fakes are kept, and the loss and gradient of those."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.game import losses, top_k
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import GameGradients
from tfgan_stab.game.players import BOTH, Players

layers = keras.layers


def naive_k(batch, decay, floor, times):
    k = float(batch)
    for _ in range(times):
        k = max(decay * k, floor)
    return k


@pytest.mark.parametrize(
    ("batch", "decay", "floor", "decays"),
    [(256, 0.99, 0.75, 29), (128, 0.99, 0.5, 69), (128, 0.999, 0.5, 693), (256, 0.99, 192, 29)],
)
def test_k_decays_to_its_floor_as_a_real_number(batch, decay, floor, decays):
    rule = tgs.TopK(decay=decay, floor=floor)
    least = floor if isinstance(floor, int) else floor * batch
    found = [float(rule.k(batch, times)) for times in range(decays + 3)]
    expected = [naive_k(batch, decay, least, times) for times in range(decays + 3)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found[decays - 1] > least and found[decays:] == [least] * 3


@pytest.mark.parametrize("every", ["epoch", 2000])
def test_k_shrinks_by_epochs_or_steps(every):
    rule = tgs.TopK(every=every)
    counted = {
        (steps, epochs): float(rule.times_shrunk(tf.constant(steps), tf.constant(epochs)))
        for steps, epochs in [(0, 0), (1999, 3), (2000, 4), (5999, 5)]
    }
    expected = {"epoch": [0, 3, 4, 5], 2000: [0, 0, 1, 2]}[every]
    assert list(counted.values()) == expected


def test_floor_for_a_smaller_batch():
    share, count = tgs.TopK(floor=0.75), tgs.TopK(floor=192)
    assert [float(rule.k(100, 1000)) for rule in (share, count)] == [75.0, 100.0]
    assert float(count.k(256, 1000)) == 192.0


@pytest.mark.parametrize(("k", "kept"), [(192.0, 192), (191.9999999, 192), (191.9, 191), (0.2, 1)])
def test_k_is_rounded_down_to_at_least_one(k, kept):
    assert int(top_k.rounded(tf.constant(k, tf.float64))) == kept


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7, 0.75, 0.9])
def test_share_of_the_batch_is_rounded_exactly(share):
    for batch in range(10, 1000, 10):
        kept = int(top_k.rounded(tgs.TopK(floor=share).k(batch, 100_000)))
        assert kept == round(share * 1000) * batch // 1000


@pytest.mark.parametrize("kept", [1, 3, 5, 6, 9])
def test_weights_are_batch_over_k_for_the_most_real(kept):
    scores = np.array([0.5, 2.0, -1.0, 2.0, 0.5, 0.5])
    found = top_k.weights(tf.constant(scores), tf.constant(kept)).numpy()
    order = np.argsort(-scores, kind="stable")[:kept]  # Of equal ones the first.
    expected = np.zeros(6)
    expected[order] = 6 / min(kept, 6)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
def test_ties_and_unknown_sizes_in_graph_and_xla(compiled):
    @tf.function(
        jit_compile=compiled, input_signature=[tf.TensorSpec([None]), tf.TensorSpec([], tf.int32)]
    )
    def chosen(scores, kept):
        return top_k.weights(scores, kept)

    random = np.random.RandomState(0)
    for rows, kept in [(7, 3), (64, 33), (1, 1)]:
        scores = random.randint(0, 4, rows).astype("float32")
        expected = np.zeros(rows)
        expected[np.argsort(-scores, kind="stable")[:kept]] = rows / kept
        found = chosen(tf.constant(scores), tf.constant(kept)).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_realness_averages_patches_and_takes_the_losss_sign():
    logits = tf.reshape(tf.constant([1.0, 2.0, 9.0, -8.0, 3.0, 3.0]), [3, 2, 1, 1])
    np.testing.assert_array_equal(top_k.realness(logits, True), [1.5, 0.5, 3.0])
    np.testing.assert_array_equal(top_k.realness(logits, False), [-1.5, -0.5, -3.0])


@pytest.mark.parametrize("shape", [[8], [8, 1], [8, 2, 2, 1]], ids=str)
@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_weighted_loss_is_the_plain_one_of_the_kept_logits(name, shape):
    random = np.random.RandomState(2)
    real, fake = (tf.constant(random.normal(size=shape, scale=2)) for _ in range(2))
    scores = top_k.realness(fake, True)
    for kept in (1, 3, 8):
        weights = top_k.weights(scores, tf.constant(kept))
        rows = np.argsort(-scores.numpy(), kind="stable")[:kept]
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(fake)
            found = losses.LOSSES[name].generator(real, fake, fake_weights=weights)
            expected = losses.LOSSES[name].generator(real, tf.gather(fake, rows))
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        gradient, wanted = (
            tf.convert_to_tensor(tape.gradient(v, fake)).numpy() for v in (found, expected)
        )
        np.testing.assert_allclose(gradient, wanted, rtol=1e-12)
        dropped = np.delete(gradient, rows, axis=0)
        assert not dropped.any() and gradient[rows].all()


def test_relativistic_loss_where_a_replica_keeps_more_or_none():
    real, fake = tf.constant([0.5, -1.0]), tf.constant([2.0, 3.0])
    generator = losses.relativistic_average.generator
    # All four of two replicas' fakes are here: they count twice, and the other replica's nothing.
    real_part = losses._mean_softplus(real - 2.5)
    found = generator(real, fake, fake_weights=tf.constant([2.0, 2.0]))
    fake_part = 2.0 * losses._mean_softplus(tf.reduce_mean(real) - fake)
    np.testing.assert_allclose(found, fake_part + real_part, rtol=1e-6)
    none = generator(real, fake, fake_weights=tf.zeros([2]))
    np.testing.assert_allclose(none, losses._mean_softplus(real), rtol=1e-6)


# -- In the gradients ------------------------------------------------------------------------------


def pair(*extra, regularizer=None):
    generator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(6, "tanh", kernel_regularizer=regularizer),
            *extra,
            layers.Dense(2),
        ]
    )
    discriminator = keras.Sequential([keras.Input((2,)), layers.Dense(6, "tanh"), layers.Dense(1)])
    return Players(generator, discriminator)


def drawn(networks, rows=8, seed=1):
    """Weights, states and a minibatch."""
    random = np.random.RandomState(seed)
    params = Players(
        *(
            [tf.constant(random.normal(size=v.shape), tf.float32) for v in n.trainable_variables]
            for n in networks
        )
    )
    state = Players(*([v.value for v in n.non_trainable_variables] for n in networks))
    images, latents = (tf.constant(random.normal(size=[rows, size]), tf.float32) for size in (2, 3))
    return params, state, Minibatch(images, None, latents)


def game_of(networks, loss="non_saturating"):
    return GameGradients(networks, losses.get(loss))


def assert_close(one, other, **tolerance):
    for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


LOWER_IS_REAL = losses.AdversarialLoss(
    "flipped",
    lambda real, fake, fake_weights=None: losses.hinge_generator_loss(None, -fake, fake_weights),
    lambda real, fake: losses.hinge_discriminator_loss(-real, -fake),
    larger_is_real=False,
)


def rows_kept(networks, params, state, minibatch, kept, sign=1.0):
    """The rows of the most real fakes, by the networks themselves."""
    latents = minibatch.latents
    fake_images = networks.generator.stateless_call(params.generator, state.generator, latents)[0]
    logits = networks.discriminator.stateless_call(
        params.discriminator, state.discriminator, fake_images
    )[0]
    return np.argsort(-sign * logits.numpy()[:, 0], kind="stable")[:kept]


@pytest.mark.parametrize(
    "loss", [*sorted(losses.LOSSES), LOWER_IS_REAL], ids=lambda own: str(own)[:20]
)
def test_generators_gradient_is_the_plain_one_of_the_kept_fake_images(loss):
    networks = pair()
    params, state, minibatch = drawn(networks)
    game = game_of(networks, loss)
    found = game(params, state, minibatch._replace(num_kept=tf.constant(3)))
    sign = -1.0 if loss is LOWER_IS_REAL else 1.0
    rows = np.sort(rows_kept(networks, params, state, minibatch, 3, sign))
    fewer = game(params, state, minibatch._replace(latents=tf.gather(minibatch.latents, rows)))
    assert_close(found.gradients.generator, fewer.gradients.generator, rtol=2e-4, atol=1e-6)
    assert_close(found.losses.generator, fewer.losses.generator, rtol=1e-5)
    # The discriminator learns from all.
    whole = game(params, state, minibatch)
    assert_close(found.gradients.discriminator, whole.gradients.discriminator, rtol=0, atol=0)
    assert_close(found.losses.discriminator, whole.losses.discriminator, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_keeping_all_gives_the_plain_gradients_bit_for_bit(name, jit_compile):
    networks = pair(layers.BatchNormalization())
    params, state, minibatch = drawn(networks)
    plain, kept = (
        tf.function(game_of(networks, name), jit_compile=jit_compile, autograph=False)
        for _ in range(2)
    )
    expected = plain(params, state, minibatch)
    found = kept(params, state, minibatch._replace(num_kept=tf.constant(8)))
    pairs = (found.gradients, found.state), (expected.gradients, expected.state)
    assert_close(*pairs, rtol=0, atol=0)
    # XLA may round the mean of a loss, which nothing follows from, after another operation.
    assert_close(found.losses, expected.losses, rtol=3e-7 if jit_compile else 0, atol=0)


def conditional(inputs, shape, outputs):
    features, label = keras.Input(shape), keras.Input((), dtype="int32")
    embedded = layers.Embedding(3, inputs)(label)
    hidden = layers.Dense(4, "tanh")(layers.Concatenate()([layers.Flatten()(features), embedded]))
    return keras.Model([features, label], outputs(hidden))


def test_conditional_patches_are_kept_with_their_labels():
    networks = Players(
        conditional(2, (3,), lambda hidden: layers.Reshape((4, 4, 1))(layers.Dense(16)(hidden))),
        conditional(
            2, (4, 4, 1), lambda hidden: layers.Reshape((2, 2, 1))(layers.Dense(4)(hidden))
        ),
    )
    params, state, minibatch = drawn(networks)
    labels = tf.constant([0, 1, 2, 2, 1, 0, 1, 1])
    random = np.random.RandomState(0)
    images = tf.constant(random.normal(size=[8, 4, 4, 1]), tf.float32)
    minibatch = minibatch._replace(real_images=images, labels=labels)
    game = game_of(networks)
    found = game(params, state, minibatch._replace(num_kept=tf.constant(3)))
    latents = minibatch.latents
    fake_images = networks.generator.stateless_call(params.generator, [], [latents, labels])[0]
    logits = networks.discriminator.stateless_call(params.discriminator, [], [fake_images, labels])[
        0
    ]
    rows = np.argsort(-logits.numpy().mean(axis=(1, 2, 3)), kind="stable")[:3]
    fewer = Minibatch(*(tf.gather(values, rows) for values in minibatch[:3]))
    expected = game(params, state, fewer, ("generator",))
    assert_close(found.gradients.generator, expected.gradients.generator, rtol=2e-4, atol=1e-6)


def test_dropped_fake_images_have_no_gradient_along_their_latents():
    networks = pair()
    params, state, minibatch = drawn(networks)
    kept = rows_kept(networks, params, state, minibatch, 3)
    with tf.GradientTape() as tape:
        tape.watch(minibatch.latents)
        chosen = minibatch._replace(num_kept=tf.constant(3))
        loss = game_of(networks)(params, state, chosen, ("generator",)).losses.generator
    gradient = tape.gradient(loss, minibatch.latents).numpy()
    assert not np.delete(gradient, kept, axis=0).any()
    assert gradient[kept].all()


def test_nothing_is_differentiated_through_the_choice():
    # The vector-Jacobian product equals finite differences with the choice held, away from ties.
    networks = pair()
    params, state, minibatch = drawn(networks)
    game = game_of(networks)
    chosen = minibatch._replace(num_kept=tf.constant(3))
    random = np.random.RandomState(4)

    def directions():
        return Players(
            *([tf.constant(random.normal(size=w.shape), w.dtype) for w in own] for own in params)
        )

    cotangents = directions()._replace(discriminator=None)
    direction = directions()._replace(generator=[0.0 * w for w in params.generator])

    def product(step):
        moved = tf.nest.map_structure(lambda w, d: w + step * d, params, direction)
        gradient = game(moved, state, chosen).gradients.generator
        return sum(
            float(tf.reduce_sum(g * c)) for g, c in zip(gradient, cotangents.generator, strict=True)
        )

    vjp = game.vjp(params, state, chosen, cotangents, BOTH).discriminator
    found = sum(
        float(tf.reduce_sum(p * d)) for p, d in zip(vjp, direction.discriminator, strict=True)
    )
    np.testing.assert_allclose(found, (product(1e-2) - product(-1e-2)) / 2e-2, rtol=1e-2)


def test_layers_regularization_is_added_once():
    networks = pair(regularizer=keras.regularizers.L2(0.1))
    params, state, minibatch = drawn(networks)
    chosen = minibatch._replace(num_kept=tf.constant(3))
    plain, heavier = (game_of(own)(params, state, chosen) for own in (pair(), networks))
    kernel = params.generator[0]
    extra = heavier.losses.generator - plain.losses.generator
    np.testing.assert_allclose(extra, 0.1 * float(tf.reduce_sum(kernel**2)), rtol=1e-4)
    change = heavier.gradients.generator[0] - plain.gradients.generator[0]
    np.testing.assert_allclose(change, 0.2 * kernel, atol=1e-5)


class MeanSquare(keras.layers.Layer):
    """Declares the mean square of its inputs as a loss."""

    def call(self, inputs):
        self.add_loss(tf.reduce_mean(inputs**2))
        return inputs


def test_activity_regularization_is_of_the_whole_batch():
    networks = pair(MeanSquare())
    params, state, minibatch = drawn(networks)
    chosen = minibatch._replace(num_kept=tf.constant(3))
    heavier, plain = (game_of(own)(params, state, chosen) for own in (networks, pair()))
    kernel, bias = (w.numpy() for w in params.generator[:2])
    hidden = np.tanh(minibatch.latents.numpy() @ kernel + bias)
    difference = heavier.losses.generator - plain.losses.generator
    np.testing.assert_allclose(difference, np.mean(hidden**2), rtol=1e-4)


def test_batch_statistics_are_those_of_the_whole_batch():
    networks = pair(layers.BatchNormalization())
    params, state, minibatch = drawn(networks)
    game = game_of(networks)
    some = game(params, state, minibatch._replace(num_kept=tf.constant(3)))
    assert_close(some.state, game(params, state, minibatch).state, rtol=0, atol=0)


@pytest.mark.slow
def test_evaluate_uses_all_fake_images():
    keras.utils.set_random_seed(0)
    gan = tgs.GAN(*pair(), latents=3)
    data = np.random.RandomState(0).normal(size=[16, 2]).astype("float32")
    found = []
    for rule in (None, tgs.TopK(floor=1, decay=0.01, every=1)):
        gan.compile("sgd", "sgd", top_k=rule, jit_compile=False)
        found.append(gan.evaluate(data, batch_size=16, verbose=0))
    assert found[0] == found[1]


# -- Bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decay": 0}, r"`decay` must be a number in \(0, 1\]. Received: 0\."),
        ({"decay": 1.01}, r"`decay` must be a number in \(0, 1\]. Received: 1.01"),
        ({"decay": float("nan")}, r"`decay` must be a number in \(0, 1\]. Received: nan"),
        ({"decay": "slow"}, r"`decay` must be a number in \(0, 1\]. Received: 'slow'"),
        ({"decay": True}, r"`decay` must be a number in \(0, 1\]. Received: True"),
        ({"every": 0}, '`every` must be "epoch" or a number of steps.*Received: 0'),
        ({"every": 2.5}, '`every` must be "epoch" or a number of steps.*Received: 2.5'),
        ({"every": "step"}, "`every` must be \"epoch\" or a number of steps.*Received: 'step'"),
        ({"every": True}, '`every` must be "epoch" or a number of steps.*Received: True'),
        ({"floor": 0}, "`floor` must be a part of the batch.*Received: 0"),
        ({"floor": 0.0}, "`floor` must be a part of the batch.*Received: 0.0"),
        ({"floor": 1.5}, "`floor` must be a part of the batch.*Received: 1.5"),
        ({"floor": -3}, "`floor` must be a part of the batch.*Received: -3"),
        ({"floor": True}, "`floor` must be a part of the batch.*Received: True"),
        ({"floor": "half"}, "`floor` must be a part of the batch.*Received: 'half'"),
        ({"scope": "all"}, "`scope` must be one of 'replica', 'global'. Received: 'all'"),
    ],
    ids=str,
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        tgs.TopK(**settings)


def compiled(rule, networks=None, **settings):
    gan = tgs.GAN(*(networks or pair()), latents=3)
    gan.compile("sgd", "sgd", top_k=rule, **{"jit_compile": False, **settings})
    return gan


@pytest.mark.parametrize("rule", [0.5, tgs.TopK, "top_k"])
def test_top_k_must_be_a_rule(rule):
    with pytest.raises(TypeError, match=r"`top_k` must be a tgs.TopK\(...\) or None. Received: "):
        compiled(rule)


def plain_generator(real_logits, fake_logits):
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))


def weighted_generator(real_logits, fake_logits, fake_weights=None):
    return losses.non_saturating_generator_loss(None, fake_logits, fake_weights)


@pytest.mark.slow
def test_own_loss_must_take_fake_weights():
    own = losses.non_saturating_discriminator_loss
    with pytest.raises(ValueError, match="takes `fake_weights`.*plain_generator.*which does not"):
        compiled(tgs.TopK(), loss=(plain_generator, own))
    data = np.random.RandomState(0).normal(size=[8, 2]).astype("float32")
    found = []
    for loss in ("non_saturating", (weighted_generator, own)):
        keras.utils.set_random_seed(0)
        gan = compiled(tgs.TopK(decay=0.5, every=1, floor=3), loss=loss)
        gan.fit(data, batch_size=8, epochs=3, verbose=0)
        found.append([v.numpy() for v in gan.generator.variables])
    assert_close(*found, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", [tgs.Simultaneous(), tgs.Alternating(2)], ids=repr)
@pytest.mark.parametrize("kind", ["array", "known", "unknown", "ours", "generator", "one batch"])
def test_floor_above_the_batch(kind, scheme):
    rule = tgs.TopK(floor=9)
    rows = scheme.minibatches * 8
    points = np.zeros([2 * rows, 2], "float32")
    data, settings = {
        "array": (points, {"batch_size": rows}),
        "known": (tf.data.Dataset.from_tensor_slices(points.reshape(2, rows, 2)), {}),
        "unknown": (tf.data.Dataset.from_tensor_slices(points).batch(rows), {}),
        "ours": (tgs.data.mixture(batch_size=8), {"steps_per_epoch": 2}),
        "generator": (
            ((points[:rows],) for _ in range(2)),
            {"steps_per_epoch": 2, "shuffle": False},
        ),
        "one batch": (points[:rows], {"batch_size": 100}),
    }[kind]
    gan = compiled(rule, scheme=scheme)
    with pytest.raises(ValueError, match="`floor` must be at most the batch, 8 fakes.*Received: 9"):
        gan.fit(data, verbose=0, **settings)
    assert gan.steps == (kind in ("unknown", "generator"))


@pytest.mark.slow
@pytest.mark.parametrize("calls", [1, 3])
@pytest.mark.parametrize("kind", ["array", "unknown"])
def test_floor_above_the_last_smaller_batch_only(kind, calls):
    points = np.zeros([2 * 8 + 3, 2], "float32")
    gan = compiled(tgs.TopK(floor=8), steps_per_execution=calls)
    if kind == "array":
        gan.fit(points, batch_size=8, verbose=0)
    else:
        gan.fit(tf.data.Dataset.from_tensor_slices(points).batch(8), verbose=0)
    assert gan.steps == 3


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", ["auto", True])
def test_floor_in_numbers_does_not_exclude_xla(jit_compile):
    gan = compiled(tgs.TopK(floor=192), jit_compile=jit_compile)
    assert "step" in (gan.compilation.scope, gan.compilation.candidate)
