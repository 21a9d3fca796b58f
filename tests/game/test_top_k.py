"""Top-k's arithmetic: how k shrinks, who is kept, and what the losses make of it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tfgan_stab.training.selecting import StepSelection

import tfgan_stab as tgs
from tfgan_stab.game import losses, top_k
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import GameGradients
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.training.compile import FieldFunctions
from tfgan_stab.training.train_step import TrainStep

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
def test_k_takes_as_many_decays_to_its_floor_as_a_real_number_does(batch, decay, floor, decays):
    rule = tgs.TopK(decay=decay, floor=floor)
    least = floor if isinstance(floor, int) else floor * batch
    found = [float(rule.k(batch, times)) for times in range(decays + 3)]
    expected = [naive_k(batch, decay, least, times) for times in range(decays + 3)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found[decays - 1] > least and found[decays:] == [least] * 3


@pytest.mark.parametrize("every", ["epoch", 2000])
def test_k_shrinks_by_epochs_or_by_so_many_steps(every):
    rule = tgs.TopK(every=every)
    counted = {
        (steps, epochs): float(rule.times_shrunk(tf.constant(steps), tf.constant(epochs)))
        for steps, epochs in [(0, 0), (1999, 3), (2000, 4), (5999, 5)]
    }
    expected = {"epoch": [0, 3, 4, 5], 2000: [0, 0, 1, 2]}[every]
    assert list(counted.values()) == expected


def test_a_smaller_batch_keeps_the_same_part_and_all_where_it_is_below_a_count():
    minibatch, count = tgs.TopK(floor=0.75), tgs.TopK(floor=192)
    assert [float(rule.k(100, 1000)) for rule in (minibatch, count)] == [75.0, 100.0]
    assert float(count.k(256, 1000)) == 192.0


@pytest.mark.parametrize(("k", "kept"), [(192.0, 192), (191.9999999, 192), (191.9, 191), (0.2, 1)])
def test_k_is_rounded_down_but_never_to_nothing(k, kept):
    assert int(top_k.rounded(tf.constant(k, tf.float64))) == kept


@pytest.mark.parametrize("part", [0.1, 0.3, 0.7, 0.75, 0.9])
def test_a_part_of_the_batch_is_the_whole_number_that_it_stands_for(part):
    for batch in range(10, 1000, 10):
        kept = int(top_k.rounded(tgs.TopK(floor=part).k(batch, 100_000)))
        assert kept == round(part * 1000) * batch // 1000


@pytest.mark.parametrize("kept", [1, 3, 5, 6, 9])
def test_the_most_real_count_batch_over_k_and_the_others_nothing(kept):
    scores = np.array([0.5, 2.0, -1.0, 2.0, 0.5, 0.5])
    found = top_k.weights(tf.constant(scores), tf.constant(kept)).numpy()
    order = np.argsort(-scores, kind="stable")[:kept]  # Of equal ones the first.
    expected = np.zeros(6)
    expected[order] = 6 / min(kept, 6)
    np.testing.assert_array_equal(found, expected)
    rows = top_k.most_real(tf.constant(scores), tf.constant(kept)).numpy()
    np.testing.assert_array_equal(rows, np.sort(order))


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
def test_ties_and_unknown_sizes_are_chosen_alike_by_graph_and_xla(compiled):
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


def test_a_patchs_outputs_are_averaged_and_the_sign_is_the_losss():
    logits = tf.reshape(tf.constant([1.0, 2.0, 9.0, -8.0, 3.0, 3.0]), [3, 2, 1, 1])
    np.testing.assert_array_equal(top_k.realness(logits, True), [1.5, 0.5, 3.0])
    np.testing.assert_array_equal(top_k.realness(logits, False), [-1.5, -0.5, -3.0])


@pytest.mark.parametrize("shape", [[8], [8, 1], [8, 2, 2, 1]], ids=str)
@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_each_loss_is_the_plain_one_on_the_kept_logits(name, shape):
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
        slopes, wanted = (tf.convert_to_tensor(tape.gradient(v, fake)) for v in (found, expected))
        np.testing.assert_allclose(slopes, wanted, rtol=1e-12)
        dropped = np.delete(slopes.numpy(), rows, axis=0)
        assert not dropped.any() and slopes.numpy()[rows].all()


def test_a_replica_that_keeps_other_parts_than_the_whole_has_its_own_inner_mean():
    real, fake = tf.constant([0.5, -1.0]), tf.constant([2.0, 3.0])
    generator = losses.relativistic_average.generator
    # All four of two replicas' fakes are here: they count twice, and the other replica's nothing.
    reals_part = losses._mean_softplus(real - 2.5)
    found = generator(real, fake, fake_weights=tf.constant([2.0, 2.0]))
    fakes_part = 2.0 * losses._mean_softplus(tf.reduce_mean(real) - fake)
    np.testing.assert_allclose(found, fakes_part + reals_part, rtol=1e-6)
    none = generator(real, fake, fake_weights=tf.zeros([2]))
    np.testing.assert_allclose(none, losses._mean_softplus(real), rtol=1e-6)


# -- In the field ----------------------------------------------------------------------------------


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


def stage(networks, rows=8, seed=1):
    """Weights, states and a batch."""
    random = np.random.RandomState(seed)
    params = Players(
        *(
            [tf.constant(random.normal(size=v.shape), tf.float32) for v in n.trainable_variables]
            for n in networks
        )
    )
    state = Players(*([v.value for v in n.non_trainable_variables] for n in networks))
    reals, latents = (tf.constant(random.normal(size=[rows, size]), tf.float32) for size in (2, 3))
    return params, state, Minibatch(reals, None, latents)


def field_of(networks, loss="non_saturating", rule=None, penalties=()):
    """A field; where it takes one for each player, what a step makes of them."""
    pair_of_losses = losses.get(loss)
    field = GameGradients(networks, pair_of_losses, penalties)
    if rule is None or rule.compute == "full":
        return field
    functions = FieldFunctions(field, field.pulled_back, field.realness)

    def of_step(params, state, batch, players=BOTH):
        game = object.__new__(TrainStep)
        game._functions, game._state = functions, state
        larger = pair_of_losses.larger_is_real
        game._selection = StepSelection(rule, larger, functions, state)
        return game._evaluation(params, batch, players)

    return of_step


def assert_close(one, other, **tolerance):
    for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


LOWER_IS_REAL = losses.AdversarialLoss(
    "flipped",
    lambda real, fake, fake_weights=None: losses.hinge_generator_loss(None, -fake, fake_weights),
    lambda real, fake: losses.hinge_discriminator_loss(-real, -fake),
    larger_is_real=False,
)


def rows_kept(networks, params, state, batch, kept, sign=1.0):
    """The rows of the most real fakes, by the networks themselves."""
    fakes = networks.generator.stateless_call(params.generator, state.generator, batch.latents)[0]
    logits = networks.discriminator.stateless_call(
        params.discriminator, state.discriminator, fakes
    )[0]
    return np.argsort(-sign * logits.numpy()[:, 0], kind="stable")[:kept]


@pytest.mark.parametrize("compute", ["full", "selected"])
@pytest.mark.parametrize(
    "loss", [*sorted(losses.LOSSES), LOWER_IS_REAL], ids=lambda own: str(own)[:20]
)
def test_the_generators_slope_is_the_plain_one_of_the_kept_fakes(loss, compute):
    networks = pair()
    params, state, batch = stage(networks)
    rule = tgs.TopK(compute=compute)
    found = field_of(networks, loss, rule)(params, state, batch._replace(kept=tf.constant(3)))
    sign = -1.0 if loss is LOWER_IS_REAL else 1.0
    rows = np.sort(rows_kept(networks, params, state, batch, 3, sign))
    fewer = batch._replace(latents=tf.gather(batch.latents, rows))
    plain = field_of(networks, loss)
    assert_close(
        found.slopes.generator, plain(params, state, fewer).slopes.generator, rtol=2e-4, atol=1e-6
    )
    assert_close(found.losses.generator, plain(params, state, fewer).losses.generator, rtol=1e-5)
    # The discriminator learns from all.
    whole = plain(params, state, batch)
    assert_close(found.slopes.discriminator, whole.slopes.discriminator, rtol=0, atol=0)
    assert_close(found.losses.discriminator, whole.losses.discriminator, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_keeping_all_is_the_plain_field_bit_for_bit(name, jit_compile):
    networks = pair(layers.BatchNormalization())
    params, state, batch = stage(networks)
    plain, kept = (
        tf.function(field_of(networks, name, rule), jit_compile=jit_compile, autograph=False)
        for rule in (None, tgs.TopK())
    )
    expected = plain(params, state, batch)
    found = kept(params, state, batch._replace(kept=tf.constant(8)))
    assert_close((found.slopes, found.state), (expected.slopes, expected.state), rtol=0, atol=0)
    # XLA may round the mean of a loss, which nothing follows from, after another operation.
    assert_close(found.losses, expected.losses, rtol=3e-7 if jit_compile else 0, atol=0)


def conditional(inputs, shape, outputs):
    features, label = keras.Input(shape), keras.Input((), dtype="int32")
    embedded = layers.Embedding(3, inputs)(label)
    hidden = layers.Dense(4, "tanh")(layers.Concatenate()([layers.Flatten()(features), embedded]))
    return keras.Model([features, label], outputs(hidden))


@pytest.mark.parametrize("compute", ["full", "selected"])
def test_patches_of_classes_are_kept_with_their_labels(compute):
    networks = Players(
        conditional(2, (3,), lambda hidden: layers.Reshape((4, 4, 1))(layers.Dense(16)(hidden))),
        conditional(
            2, (4, 4, 1), lambda hidden: layers.Reshape((2, 2, 1))(layers.Dense(4)(hidden))
        ),
    )
    params, state, batch = stage(networks)
    labels = tf.constant([0, 1, 2, 2, 1, 0, 1, 1])
    random = np.random.RandomState(0)
    reals = tf.constant(random.normal(size=[8, 4, 4, 1]), tf.float32)
    batch = batch._replace(reals=reals, labels=labels)
    rule = tgs.TopK(compute=compute)
    found = field_of(networks, rule=rule)(params, state, batch._replace(kept=tf.constant(3)))
    fakes = networks.generator.stateless_call(params.generator, [], [batch.latents, labels])[0]
    logits = networks.discriminator.stateless_call(params.discriminator, [], [fakes, labels])[0]
    rows = np.argsort(-logits.numpy().mean(axis=(1, 2, 3)), kind="stable")[:3]
    fewer = Minibatch(*(tf.gather(values, rows) for values in batch[:3]))
    expected = field_of(networks)(params, state, fewer, ("generator",))
    assert_close(found.slopes.generator, expected.slopes.generator, rtol=2e-4, atol=1e-6)


def test_dropped_fakes_have_no_slope_at_all_along_their_latents():
    networks = pair()
    params, state, batch = stage(networks)
    kept = rows_kept(networks, params, state, batch, 3)
    field = field_of(networks, rule=tgs.TopK())
    with tf.GradientTape() as tape:
        tape.watch(batch.latents)
        chosen = batch._replace(kept=tf.constant(3))
        loss = field(params, state, chosen, ("generator",)).losses.generator
    slopes = tape.gradient(loss, batch.latents).numpy()
    assert not np.delete(slopes, kept, axis=0).any()
    assert slopes[kept].all()


def test_nothing_is_differentiated_through_the_choice():
    # A pull-back of the slopes equals finite differences with the choice held, away from ties.
    networks = pair()
    params, state, batch = stage(networks)
    field = field_of(networks, rule=tgs.TopK())
    chosen = batch._replace(kept=tf.constant(3))
    random = np.random.RandomState(4)

    def drawn():
        return Players(
            *([tf.constant(random.normal(size=w.shape), w.dtype) for w in own] for own in params)
        )

    cotangents, direction = drawn(), drawn()._replace(generator=[0.0 * w for w in params.generator])

    def product(step):
        moved = tf.nest.map_structure(lambda w, d: w + step * d, params, direction)
        slopes = field(moved, state, chosen).slopes.generator
        return sum(
            float(tf.reduce_sum(s * c)) for s, c in zip(slopes, cotangents.generator, strict=True)
        )

    own = cotangents._replace(discriminator=None)
    pulled = field.pulled_back(params, state, chosen, own, BOTH).discriminator
    found = sum(
        float(tf.reduce_sum(p * d)) for p, d in zip(pulled, direction.discriminator, strict=True)
    )
    np.testing.assert_allclose(found, (product(1e-2) - product(-1e-2)) / 2e-2, rtol=1e-2)


@pytest.mark.parametrize("compute", ["full", "selected"])
def test_losses_that_the_generators_layers_declare_are_added_once(compute):
    networks = pair(regularizer=keras.regularizers.L2(0.1))
    params, state, batch = stage(networks)
    owed = 0.1 * float(tf.reduce_sum(params.generator[0] ** 2))
    plain, chosen = (
        field_of(own, rule=tgs.TopK(compute=compute))(
            params, state, batch._replace(kept=tf.constant(3))
        )
        for own in (pair(), networks)
    )
    np.testing.assert_allclose(chosen.losses.generator - plain.losses.generator, owed, rtol=1e-4)
    np.testing.assert_allclose(
        plain.slopes.generator[0] - chosen.slopes.generator[0], 0.2 * params.generator[0], atol=1e-5
    )


class MeanSquare(keras.layers.Layer):
    """Declares the mean square of its inputs as a loss."""

    def call(self, inputs):
        self.add_loss(tf.reduce_mean(inputs**2))
        return inputs


def test_losses_of_a_layers_outputs_stay_on_the_whole_batch():
    networks = pair(MeanSquare())
    params, state, batch = stage(networks)
    field = field_of(networks, rule=tgs.TopK())
    plain = field_of(pair(), rule=tgs.TopK())
    chosen = batch._replace(kept=tf.constant(3))
    hidden = np.tanh(
        batch.latents.numpy() @ params.generator[0].numpy() + params.generator[1].numpy()
    )
    difference = (
        field(params, state, chosen).losses.generator
        - plain(params, state, chosen).losses.generator
    )
    np.testing.assert_allclose(difference, np.mean(hidden**2), rtol=1e-4)


def test_batch_statistics_are_those_of_the_whole_batch():
    networks = pair(layers.BatchNormalization())
    params, state, batch = stage(networks)
    field = field_of(networks, rule=tgs.TopK())
    some = field(params, state, batch._replace(kept=tf.constant(3)))
    assert_close(some.state, field_of(networks)(params, state, batch).state, rtol=0, atol=0)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("kept", [1, 3, 6, 7])
def test_halves_keep_half_and_all_where_all_were_kept(first, kept):
    _, _, batch = stage(pair(), rows=7)
    half = batch._replace(kept=tf.constant(kept)).every_second(first)
    weights = top_k.weights(half.latents[:, 0], half.kept).numpy()
    rows = len(weights)
    assert np.count_nonzero(weights) == min((kept + 1) // 2, rows)
    np.testing.assert_allclose(weights.mean(), 1.0, rtol=1e-6)


@pytest.mark.slow
def test_evaluating_a_compiled_gan_looks_at_all_fakes():
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
        ({"decay": 0}, r"`decay` must be in \(0, 1\].*Received: 0\."),
        ({"decay": 1.01}, r"`decay` must be in \(0, 1\].*Received: 1.01"),
        ({"decay": float("nan")}, r"`decay` must be in \(0, 1\].*Received: nan"),
        ({"decay": "slow"}, r"`decay` must be in \(0, 1\].*Received: 'slow'"),
        ({"decay": True}, r"`decay` must be in \(0, 1\].*Received: True"),
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
        ({"scope": "all"}, "`scope` must be one of .*Received: 'all'"),
        ({"compute": "some"}, "`compute` must be one of .*Received: 'some'"),
        ({"with_batch_norm": 1}, "`with_batch_norm` must be True or False. Received: 1"),
        (
            {"compute": "selected", "scope": "global"},
            'chooses on each replica for itself.*Use scope="replica"',
        ),
    ],
    ids=str,
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        tgs.TopK(**settings)


def compiled(rule, networks=None, **settings):
    gan = tgs.GAN(*(networks or pair()), latents=3)
    gan.compile("sgd", "sgd", top_k=rule, **{"jit_compile": False, **settings})
    return gan


@pytest.mark.parametrize("rule", [0.5, tgs.TopK, "top_k"])
def test_what_is_no_rule_is_refused(rule):
    with pytest.raises(TypeError, match=r"`top_k` must be a tgs.TopK\(...\) or None. Received: "):
        compiled(rule)


def plain_generator(real_logits, fake_logits):
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))


def weighted_generator(real_logits, fake_logits, fake_weights=None):
    return losses.non_saturating_generator_loss(None, fake_logits, fake_weights)


@pytest.mark.slow
def test_a_loss_of_ones_own_takes_the_weights_of_fakes():
    own = losses.non_saturating_discriminator_loss
    with pytest.raises(ValueError, match="takes `fake_weights`.*plain_generator.*which does not"):
        compiled(tgs.TopK(), loss=(plain_generator, own))
    data = np.random.RandomState(0).normal(size=[8, 2]).astype("float32")
    found = []
    for loss, compute in (
        ("non_saturating", "full"),
        ((weighted_generator, own), "full"),
        ((plain_generator, own), "selected"),  # Which needs no weights.
    ):
        keras.utils.set_random_seed(0)
        rule = tgs.TopK(decay=0.5, every=1, floor=3, compute=compute)
        gan = compiled(rule, loss=loss)
        gan.fit(data, batch_size=8, epochs=3, verbose=0)
        found.append([v.numpy() for v in gan.generator.variables])
    assert_close(found[0], found[1], rtol=1e-5, atol=1e-7)
    assert_close(found[0], found[2], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_selected_is_refused_under_batch_norm_unless_it_is_wanted():
    with pytest.raises(ValueError, match="changes batch statistics.*networks with .'batch_norm"):
        compiled(tgs.TopK(compute="selected"), pair(layers.BatchNormalization()))
    wanted = tgs.TopK(compute="selected", with_batch_norm=True, floor=3, decay=0.1, every=1)
    gan = compiled(wanted, pair(layers.BatchNormalization()))
    history = gan.fit(np.ones([16, 2], "float32"), batch_size=8, epochs=2, verbose=0).history
    assert np.isfinite(history["generator_loss"]).all()


@pytest.mark.parametrize(
    "penalty",
    [tgs.Consensus(0.1), tgs.ConsistencyRegularization(0.0, generator_weight=0.1)],
    ids=repr,
)
def test_selected_is_refused_with_penalties_that_the_generator_pays(penalty):
    assert "generator" in penalty.payers
    with pytest.raises(ValueError, match='knows the kept fakes only.*Use compute="full"'):
        compiled(tgs.TopK(compute="selected"), penalties=[penalty])


def test_selected_and_xla_exclude_each_other():
    with pytest.raises(ValueError, match="`jit_compile=True` expects.*shapes that change with k"):
        compiled(tgs.TopK(compute="selected"), jit_compile=True)
    gan = compiled(tgs.TopK(compute="selected"), jit_compile="auto")
    assert gan.compilation.scope == "off" and "change with k" in gan.compilation.reason


@pytest.mark.parametrize("scheme", [tgs.Simultaneous(), tgs.Alternating(2)], ids=repr)
@pytest.mark.parametrize("kind", ["array", "known", "unknown", "ours", "generator", "one batch"])
def test_a_floor_above_the_batch_is_refused(kind, scheme):
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


@pytest.mark.parametrize("calls", [1, 3])
@pytest.mark.parametrize("kind", ["array", "unknown"])
def test_a_floor_above_a_last_smaller_batch_is_none_above_the_batch(kind, calls):
    points = np.zeros([2 * 8 + 3, 2], "float32")
    gan = compiled(tgs.TopK(floor=8), steps_per_execution=calls)
    if kind == "array":
        gan.fit(points, batch_size=8, verbose=0)
    else:
        gan.fit(tf.data.Dataset.from_tensor_slices(points).batch(8), verbose=0)
    assert gan.steps == 3


@pytest.mark.parametrize("jit_compile", ["auto", True])
def test_a_floor_in_numbers_leaves_xla_alone(jit_compile):
    gan = compiled(tgs.TopK(floor=192), jit_compile=jit_compile)
    assert gan.compilation.scope == "step"


def test_selected_is_refused_where_labels_would_belong_to_fakes_and_reals():
    networks = (
        conditional(2, (3,), lambda hidden: layers.Dense(2)(hidden)),
        conditional(2, (2,), lambda hidden: layers.Dense(1)(hidden)),
    )
    with pytest.raises(ValueError, match="generator's loss that looks at the reals too"):
        tgs.GAN(*networks, latents=3, num_classes=3).compile(
            "sgd", "sgd", "relativistic_average", top_k=tgs.TopK(compute="selected")
        )
