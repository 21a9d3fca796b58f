"""Penalties on the players' gradients, against finite differences of gradients made by hand."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from naive_gan import NaiveGan
from penalties import PENALTIES
from small_gans import (
    RATES,
    assert_close,
    difference,
    finite_differences,
    make,
    minibatches_of,
    points,
    train,
    weights,
)

import tfgan_stab as tgs

pytestmark = pytest.mark.usefixtures("float64")

NAIVE = NaiveGan((None, None))
WEIGHT = 0.3

SOLVERS = {
    "euler": tgs.RungeKutta(tgs.EULER),
    "heun": tgs.RungeKutta(tgs.HEUN),
    "ralston": tgs.RungeKutta(tgs.RALSTON),
    "rk4": tgs.RungeKutta(tgs.RK4),
    "rk4_fresh": tgs.RungeKutta(tgs.RK4, batches="fresh"),
    "extragradient": tgs.Extragradient(),
    "lookahead": tgs.Lookahead(tgs.RungeKutta(tgs.HEUN), sync_period=3),
}


def trained(scheme, penalties=(), steps=1, **settings):
    """The weights before and after, and the first step's first minibatch."""
    settings = {"run_eagerly": True, "penalties": list(penalties), **settings}
    gan = make("simultaneous", scheme=scheme, **settings)
    before, data = weights(gan), points(scheme, steps)
    minibatch = minibatches_of(gan, 0, data[0])[0]
    return before, train(gan, data), minibatch


def squared_gradient(params, minibatch):
    return sum(np.sum(g**2) for g in NAIVE.slope(0, params, minibatch))


def half_squared_gradients(params, minibatch):
    return (
        sum(np.sum(g**2) for player in (0, 1) for g in NAIVE.slope(player, params, minibatch)) / 2
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[] if n in ("euler", "rk4_fresh") else [pytest.mark.exhaustive])
        for n in SOLVERS
    ],
)
def test_generator_gradient_norm_moves_the_discriminator_down_its_gradient(name):
    scheme = SOLVERS[name]
    before, without, minibatch = trained(scheme)
    _, with_penalty, _ = trained(scheme, [tgs.GeneratorGradientNorm(WEIGHT)])
    gradient = finite_differences(lambda w: squared_gradient(w, minibatch), before, 1)
    expected = [-RATES[1] * WEIGHT * g for g in gradient]
    assert max(np.abs(g).max() for g in expected) > 1e-3
    for mine, theirs in zip(difference(with_penalty, without, 1), expected, strict=True):
        # Keras keeps learning rates in float32.
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-9)
    assert_close(with_penalty[:1], without[:1], rtol=0, atol=0)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_first_stage_is_outside_for_euler_and_changes_later_trial_points():
    outside = [tgs.GeneratorGradientNorm(WEIGHT)]
    inside = [tgs.GeneratorGradientNorm(WEIGHT, placement="first_stage")]
    one, other = (trained(SOLVERS["euler"], penalty)[1] for penalty in (outside, inside))
    assert_close(one, other, rtol=1e-13)
    one, other = (trained(SOLVERS["rk4"], penalty)[1] for penalty in (outside, inside))
    assert max(np.abs(d).max() for d in difference(one, other, 0)) > 1e-6


@pytest.mark.slow
def test_first_stage_of_heun_is_a_naive_program():
    before, after, minibatch = trained(
        SOLVERS["heun"], [tgs.GeneratorGradientNorm(WEIGHT, placement="first_stage")]
    )
    gradient = finite_differences(lambda w: squared_gradient(w, minibatch), before, 1)
    first = [NAIVE.slope(player, before, minibatch) for player in (0, 1)]
    first[1] = [s - WEIGHT / 0.5 * g for s, g in zip(first[1], gradient, strict=True)]
    trial = [
        [w + rate * s for w, s in zip(before[player], first[player], strict=True)]
        for player, rate in enumerate(RATES)
    ]
    second = [NAIVE.slope(player, trial, minibatch) for player in (0, 1)]
    expected = [
        [w + rate * (a + b) / 2 for w, a, b in zip(before[p], first[p], second[p], strict=True)]
        for p, rate in enumerate(RATES)
    ]
    assert_close(after, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("scheme", [tgs.Extragradient(), tgs.RungeKutta(tgs.MIDPOINT)], ids=repr)
def test_first_stage_must_be_part_of_the_step(scheme):
    with pytest.raises(ValueError, match='needs a scheme whose step contains.*"outside"'):
        trained(scheme, [tgs.GeneratorGradientNorm(WEIGHT, placement="first_stage")])


@pytest.mark.slow
def test_penalty_is_added_to_the_first_of_several_discriminator_updates():
    scheme = tgs.Alternating(2)
    before, after, minibatch = trained(scheme, [tgs.GeneratorGradientNorm(WEIGHT)])
    gradient = finite_differences(lambda w: squared_gradient(w, minibatch), before, 1)
    minibatches = minibatches_of(make("simultaneous", scheme=scheme), 0, points(scheme, 1)[0])
    discriminator = before[1]
    for number, minibatch in enumerate(minibatches):
        slope = NAIVE.slope(1, [before[0], discriminator], minibatch)
        added = gradient if number == 0 else [0.0] * len(gradient)
        discriminator = [
            w + RATES[1] * (s - WEIGHT * g)
            for w, s, g in zip(discriminator, slope, added, strict=True)
        ]
    assert_close(after[1:], [discriminator], rtol=1e-6, atol=1e-8)
    slope = NAIVE.slope(0, [before[0], discriminator], minibatches[-1])
    generator = [w + RATES[0] * s for w, s in zip(before[0], slope, strict=True)]
    assert_close(after[:1], [generator], rtol=1e-6, atol=1e-8)


@pytest.mark.slow
def test_consensus_moves_both_players_down_half_the_squared_gradients():
    before, without, minibatch = trained(SOLVERS["euler"])
    _, with_penalty, _ = trained(SOLVERS["euler"], [tgs.Consensus(WEIGHT)])
    for player, rate in enumerate(RATES):
        gradient = finite_differences(
            lambda w: half_squared_gradients(w, minibatch), before, player
        )
        for mine, theirs in zip(difference(with_penalty, without, player), gradient, strict=True):
            np.testing.assert_allclose(mine, -rate * WEIGHT * theirs, rtol=1e-5, atol=1e-9)


@pytest.mark.slow
def test_consensus_is_part_of_each_players_evaluation():
    before, after, minibatch = trained(tgs.Alternating(), [tgs.Consensus(WEIGHT)])

    def moved(params, player):
        gradient = finite_differences(
            lambda w: half_squared_gradients(w, minibatch), params, player
        )
        slope = NAIVE.slope(player, params, minibatch)
        return [
            w + RATES[player] * (s - WEIGHT * g)
            for w, s, g in zip(params[player], slope, gradient, strict=True)
        ]

    discriminator = moved(before, 1)
    generator = moved([before[0], discriminator], 0)
    assert_close(after, [generator, discriminator], rtol=1e-6, atol=1e-8)


ALL = [penalty for own in PENALTIES.values() for penalty in own]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "penalties"),
    [
        pytest.param("heun", ALL, id="heun-all"),
        *(
            pytest.param(scheme, own, marks=pytest.mark.exhaustive, id=f"{scheme}-{name}")
            for scheme, (name, own) in itertools.product(("heun", "euler"), PENALTIES.items())
            if own
        ),
    ],
)
def test_eager_graph_and_xla_agree(scheme, penalties):
    settings = {"penalties": penalties, "steps": 2, "check_derivatives": False}
    eager = trained(SOLVERS[scheme], **settings, run_eagerly=True)[1]
    graph = trained(SOLVERS[scheme], **settings, run_eagerly=False)[1]
    compiled = trained(SOLVERS[scheme], **settings, run_eagerly=False, jit_compile=True)[1]
    assert_close(eager, graph, rtol=1e-12)
    # XLA draws the same random bits; what it makes of sine and logarithm is its own.
    assert_close(compiled, graph, rtol=1e-6, atol=1e-7)


@dataclasses.dataclass(frozen=True)
class BothOutside(tgs.Consensus):
    """A penalty of one's own: consensus, but once per step in each player's update."""

    @property
    def placement(self):
        return "outside"


@pytest.mark.slow
def test_penalty_of_both_players_is_added_to_the_update_of_each():
    before, without, minibatch = trained(tgs.Alternating())
    _, after, _ = trained(tgs.Alternating(), [BothOutside(WEIGHT)])
    gradient = finite_differences(lambda w: half_squared_gradients(w, minibatch), before, 1)
    for mine, theirs in zip(difference(after, without, 1), gradient, strict=True):
        np.testing.assert_allclose(mine, -RATES[1] * WEIGHT * theirs, rtol=1e-5, atol=1e-9)
    # Its loss changes with the discriminator's update; the penalty is that at the start.
    slope = NAIVE.slope(0, [before[0], after[1]], minibatch)
    gradient = finite_differences(lambda w: half_squared_gradients(w, minibatch), before, 0)
    expected = [
        w + RATES[0] * (s - WEIGHT * g) for w, s, g in zip(before[0], slope, gradient, strict=True)
    ]
    assert_close(after[:1], [expected], rtol=1e-5, atol=1e-8)


def moved_noise(weight):
    """A penalty on the loss of the generator, which is rewarded for fakes that move."""
    return tgs.ConsistencyRegularization(
        0.0, generator_weight=weight, spread=0.5, augment=lambda images, noise: images
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("penalty", "loss_penalty", "measure"),
    [
        pytest.param(
            tgs.Consensus(WEIGHT),
            tgs.R1(0.8, interval=4),
            half_squared_gradients,
            marks=pytest.mark.exhaustive,
        ),
        pytest.param(
            tgs.Consensus(WEIGHT),
            tgs.GradientPenalty(0.8),
            half_squared_gradients,
            marks=pytest.mark.exhaustive,
        ),
        (tgs.GeneratorGradientNorm(WEIGHT), moved_noise(0.7), squared_gradient),
        pytest.param(
            BothOutside(WEIGHT),
            tgs.R1(0.8, interval=4),
            half_squared_gradients,
            marks=pytest.mark.exhaustive,
        ),
    ],
    ids=["consensus_lazy", "consensus", "norm", "outside_lazy"],
)
def test_weight_gradient_penalties_are_of_the_losses_alone(penalty, loss_penalty, measure):
    before, without, minibatch = trained(tgs.Simultaneous(), [loss_penalty])
    _, bare, _ = trained(tgs.Simultaneous())
    _, after, _ = trained(tgs.Simultaneous(), [loss_penalty, penalty])
    own = ("generator", "discriminator").index(loss_penalty.players[0])
    assert max(np.abs(d).max() for d in difference(without, bare, own)) > 1e-4
    for player, name in enumerate(("generator", "discriminator")):
        concerned = name in penalty.players
        gradient = finite_differences(lambda w: measure(w, minibatch), before, player)
        for mine, theirs in zip(difference(after, without, player), gradient, strict=True):
            expected = -RATES[player] * WEIGHT * theirs * concerned
            np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-8)


class WithoutOptimizers(tgs.Simultaneous):
    """A scheme that adds the slopes itself."""

    def step(self, game, params, state):
        slopes = game.field(params)
        return tf.nest.map_structure(lambda w, s: w + 0.1 * s, params, slopes), state


@pytest.mark.slow
def test_scheme_without_an_update_for_the_penalty():
    with pytest.raises(ValueError, match="added to an update of discriminator.*makes none through"):
        trained(WithoutOptimizers(), [tgs.GeneratorGradientNorm(WEIGHT)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("penalty", "key", "value"),
    [
        (tgs.GeneratorGradientNorm(WEIGHT), "generator_gradient_norm", squared_gradient),
        (tgs.Consensus(WEIGHT), "consensus", half_squared_gradients),
    ],
    ids=["norm", "consensus"],
)
def test_logs_show_the_penalty_value(penalty, key, value):
    gan = make("simultaneous", penalties=[penalty])
    before, rows = weights(gan), points("simultaneous", 1)
    (minibatch,) = minibatches_of(gan, 0, rows[0])
    history = gan.fit(tf.data.Dataset.from_tensor_slices(rows), verbose=0).history
    np.testing.assert_allclose(history[key][0], WEIGHT * value(before, minibatch), rtol=1e-6)
    assert set(gan.evaluate(rows[0], return_dict=True, verbose=0)) == {
        "generator_loss",
        "discriminator_loss",
    }


class Point(keras.layers.Layer):
    """A generator that returns one point, whatever the noise."""

    def build(self, shape):
        self.point = self.add_weight(shape=(1,), initializer=keras.initializers.Constant(0.6))

    def call(self, latents):
        return tf.ones_like(latents[:, :1]) * self.point


@pytest.mark.slow
@pytest.mark.parametrize("weight", [0.1, 0.15, 0.4])
def test_penalty_damps_a_rotation_by_its_closed_form(weight):
    # With the Wasserstein loss, D(x) = y x and real points at 0 this is min max x y.
    gan = tgs.GAN(
        keras.Sequential([keras.Input((1,)), Point()]),
        keras.Sequential(
            [
                keras.Input((1,)),
                keras.layers.Dense(1, use_bias=False, kernel_initializer="ones"),
            ]
        ),
        latents=1,
    )
    h = 0.25  # float32 holds it exactly, as Keras keeps it.
    gan.compile(
        *(keras.optimizers.SGD(h) for _ in range(2)),
        loss="wasserstein",
        scheme=tgs.Simultaneous(),
        penalties=[tgs.GeneratorGradientNorm(weight)],
        jit_compile=False,
    )
    turns = []
    for _ in range(6):
        x, y = (float(np.squeeze(own[0])) for own in weights(gan))
        turns.append((x, y))
        gan.fit(np.zeros([4, 1]), batch_size=4, verbose=0)
    # Three points fix the linear map; the factor is the root of its determinant.
    points = np.array(turns).T
    steps = np.linalg.lstsq(points[:, :-1].T, points[:, 1:].T, rcond=None)[0].T
    np.testing.assert_allclose(points[:, 1:], steps @ points[:, :-1], rtol=1e-12)
    factor = np.abs(np.linalg.eigvals(steps)).max()
    np.testing.assert_allclose(factor**2, 1 - 2 * h * weight + h**2, rtol=1e-12)
    assert (factor < 1) == (weight > h / 2)


@pytest.mark.parametrize("weight", [-0.1, float("nan"), "much", True])
@pytest.mark.parametrize("kind", [tgs.GeneratorGradientNorm, tgs.Consensus])
def test_weight_out_of_range(kind, weight):
    with pytest.raises(ValueError, match=f"`weight` must be a number >= 0. Received: {weight!r}"):
        kind(weight)


def test_unknown_placement():
    with pytest.raises(ValueError, match="`placement` must be one of 'outside'.*Recei.*'inside'"):
        tgs.GeneratorGradientNorm(0.1, placement="inside")


@pytest.mark.parametrize("name", PENALTIES)
def test_penalty_survives_keras_serialization(name):
    for penalty in PENALTIES[name]:
        saved = keras.saving.serialize_keras_object(penalty)
        assert keras.saving.deserialize_keras_object(saved) == penalty


@pytest.mark.exhaustive
@pytest.mark.slow
def test_gradients_and_vjp_are_traced_once():
    gan = make("rk4", penalties=PENALTIES["generator_gradient_norm"])
    train(gan, points("rk4", 4))
    assert gan._functions.gradients.experimental_get_tracing_count() == 1
    assert gan._functions.vjp.experimental_get_tracing_count() == 1
