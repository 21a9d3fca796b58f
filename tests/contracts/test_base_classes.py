"""Classes of a user's own need only what their base class requires; the rest has defaults."""

import dataclasses
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from naive_gan import NaiveGan, forward
from small_gans import (
    BATCH,
    RATES,
    assert_close,
    difference,
    finite_differences,
    make,
    minibatches_of,
    points,
    weights,
)

import tfgan_stab as tgs
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.updates import Game, Scheme

pytestmark = pytest.mark.usefixtures("float64")


@dataclasses.dataclass(frozen=True)
class OnlyTerms(tgs.game.penalties.LossPenalty):
    """The mean square of the discriminator's outputs for real images."""

    weight: float = 1.0

    def terms(self, context, noise):
        return Players(None, self.weight * tf.reduce_mean(context.real_logits**2))


@dataclasses.dataclass(frozen=True)
class OnlyCotangents(tgs.game.penalties.WeightGradientPenalty):
    """Half the squared norm of both players' gradients."""

    weight: float = 1.0

    def cotangents(self, gradients):
        return tf.nest.map_structure(lambda g: self.weight * g, gradients)


@dataclasses.dataclass(frozen=True)
class SmallStep(Scheme):
    """Half a simultaneous step."""

    share: float = 0.5

    def step(self, game, params, state):
        slopes = tf.nest.map_structure(lambda s: self.share * s, game.field(params))
        return game.update(params, slopes), state


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnlyWeight(tgs.Average):
    """The mean of the average and the newest weights."""

    def weight_of_point(self, point):
        return tf.constant(0.5, tf.float64)


OWN = {
    "loss_penalty": {"penalties": [OnlyTerms(0.7)]},
    "weight_gradient_penalty": {"penalties": [OnlyCotangents(0.3)]},
    "scheme": {"scheme": SmallStep(0.25)},
    "scheme_in_lookahead": {"scheme": tgs.Lookahead(SmallStep(0.25), 2)},
    "average": {"averages": {"own": OnlyWeight(start=1)}},
}


@pytest.mark.cases(full=2)
@pytest.mark.slow
@pytest.mark.parametrize("kind", OWN)
def test_own_class_trains_and_survives_a_file(kind, tmp_path):
    gan = make("simultaneous", **OWN[kind])
    before, data = weights(gan), points("simultaneous", 4)
    for batch in data[:2]:
        gan.train_on_batch(batch)
    assert gan.steps == 2
    assert all(np.any(a != b) for a, b in zip(before[1], weights(gan)[1], strict=True))
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert loaded.penalties == gan.penalties and loaded.scheme == gan.scheme
    assert loaded.get_compile_config()["averages"] == gan.get_compile_config()["averages"]
    assert_close(weights(loaded), weights(gan), rtol=0, atol=0)
    for batch in data[2:]:
        logs = [each.train_on_batch(batch, return_dict=True) for each in (gan, loaded)]
        assert set(logs[0]) == set(logs[1])
    assert_close(weights(loaded), weights(gan), rtol=1e-12)
    averages = [
        [v.numpy() for a in g._averages.values() for v in a.averages] for g in (gan, loaded)
    ]
    assert_close(averages[:1], averages[1:], rtol=1e-6)


def one_step(**settings):
    """The weights before and after, the minibatch, and the logs."""
    gan = make("simultaneous", run_eagerly=True, **settings)
    before, (batch,) = weights(gan), points("simultaneous", 1)
    (minibatch,) = minibatches_of(gan, 0, batch)
    logs = gan.train_on_batch(batch, return_dict=True)
    return before, weights(gan), minibatch, logs


@pytest.mark.slow
def test_own_loss_penalty_is_its_closed_form():
    before, after, (images, _), logs = one_step(penalties=[OnlyTerms(0.7)])
    _, without, _, _ = one_step()
    logits, hidden = forward(before[1], images)
    # The last layer's weights: d mean(D^2) / d B = 2 mean(D h).
    expected = -RATES[1] * 0.7 * 2 * hidden.T @ logits / BATCH
    np.testing.assert_allclose(after[1][2] - without[1][2], expected, rtol=1e-5, atol=1e-9)
    assert_close(after[:1], without[:1], rtol=0, atol=0)
    assert logs["only_terms"] == pytest.approx(0.7 * np.mean(logits**2), rel=1e-6)


@pytest.mark.slow
def test_own_weight_gradient_penalty_is_added_to_the_discriminators_update():
    before, after, minibatch, logs = one_step(penalties=[OnlyCotangents(0.3)])
    _, without, _, _ = one_step()
    game = NaiveGan((None, None))

    def half_squared_gradients(params):
        slopes = [game.slope(player, params, minibatch) for player in (0, 1)]
        return sum(np.sum(s**2) for own in slopes for s in own) / 2

    gradients = finite_differences(half_squared_gradients, before, 1)
    for change, gradient in zip(difference(after, without, 1), gradients, strict=True):
        np.testing.assert_allclose(change, -RATES[1] * 0.3 * gradient, rtol=1e-5, atol=1e-9)
    assert_close(after[:1], without[:1], rtol=0, atol=0)
    expected = 0.3 * half_squared_gradients(before)
    assert logs["only_cotangents"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
def test_own_scheme_is_its_closed_form():
    before, after, minibatch, _ = one_step(scheme=SmallStep(0.25))
    game = NaiveGan((None, None))
    expected = [
        [
            w + RATES[p] * 0.25 * s
            for w, s in zip(before[p], game.slope(p, before, minibatch), strict=True)
        ]
        for p in (0, 1)
    ]
    assert_close(after, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_own_average_is_its_closed_form():
    gan = make("simultaneous", averages={"own": OnlyWeight()})
    expected = weights(gan)[0]
    for batch in points("simultaneous", 2):
        gan.train_on_batch(batch)
        expected = [(a + w) / 2 for a, w in zip(expected, weights(gan)[0], strict=True)]
    assert_close([[v.numpy() for v in gan._averages["own"].averages]], [expected], rtol=1e-12)


class OnlyFieldAndUpdate(Game):
    """min over x, max over y of x y, with plain gradient steps, and no rule for trial points."""

    step_sizes = Players(0.1, 0.2)

    def field(self, params, minibatch=0, players=BOTH):
        return Players(-params.discriminator, params.generator)

    def update(self, params, slopes):
        return Players(
            *(w + h * s for w, s, h in zip(params, slopes, self.step_sizes, strict=True))
        )


@pytest.mark.parametrize("state", ["shared", "separate"])
def test_trial_points_of_own_game_are_updates(state):
    scheme, params = tgs.Extragradient(state=state), Players(0.6, -0.8)
    x, y = params
    for _ in range(2):
        params, _ = scheme.step(OnlyFieldAndUpdate(), params, scheme.init(params))
        trial_x, trial_y = x - 0.1 * y, y + 0.2 * x
        x, y = x - 0.1 * trial_y, y + 0.2 * trial_x
    np.testing.assert_allclose(params, (x, y), rtol=1e-12)


@pytest.mark.parametrize(
    ("base", "missing"),
    [
        (tgs.game.penalties.LossPenalty, "terms"),
        (tgs.game.penalties.WeightGradientPenalty, "cotangents"),
        (Scheme, "step"),
        (tgs.Average, "weight_of_point"),
        (Game, "step_sizes"),
    ],
)
def test_what_is_required_cannot_be_left_out(base, missing):
    nothing = type("Nothing", (base,), {"__module__": __name__})
    with pytest.raises(TypeError, match=f"abstract .*Nothing.*{missing}"):
        nothing()


@pytest.mark.parametrize(
    "name",
    ["GeneratorLoss", "DiscriminatorLoss", "TopK", "GeneratorGradientL2", "EvaluationShare"],
)
def test_own_penalty_is_not_called_like_something_else_in_logs(name):
    penalty = type(name, (OnlyTerms,), {})(1.0)
    message = f"under its class's name, .* Received: .*{_snake(name)}.* another name"
    with pytest.raises(ValueError, match=message):
        make("simultaneous", penalties=[penalty])


def test_numbered_names_of_own_penalties_do_not_meet():
    second = type("OnlyTerms_2", (OnlyTerms,), {})(1.0)
    with pytest.raises(ValueError, match="Received: 'only_terms_2'"):
        make("simultaneous", penalties=[OnlyTerms(1.0), OnlyTerms(2.0), second])


def _snake(name):
    return re.sub(r"\B([A-Z])", r"_\1", name).lower()
