"""Augmentation in the game: what losses and penalties see, its probability, refusals."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from penalized_games import ROWS, deep_pair, values

import tfgan_stab as tgs
from tfgan_stab.game import losses
from tfgan_stab.game.augmentation import (
    Adaptive,
    Augmentation,
    AugmentationNoise,
    check_augmentation,
)
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import GameGradients
from tfgan_stab.game.image_changes import Change, Color, Cutout, Translation
from tfgan_stab.game.players import Players

LOSS = losses.get("non_saturating")
RULE = Augmentation()


def augmented_game(penalties=(), probability=1.0, loss="non_saturating"):
    """A game in float64 with augmentation, its weights and states, and a minibatch."""
    networks, random = deep_pair("average_pooling"), np.random.RandomState(0)
    for network in networks:
        for v in network.trainable_variables:
            v.assign(random.normal(size=v.shape, scale=0.4))
    params = Players(*(values(n.trainable_variables) for n in networks))
    state = Players(*(values(n.non_trainable_variables) for n in networks))
    real, fake = (tf.constant(random.uniform(size=[ROWS, RULE.numbers])) for _ in range(2))
    minibatch = Minibatch(
        tf.constant(random.uniform(-1, 1, [ROWS, 8, 8, 2])),
        None,
        tf.constant(random.normal(size=[ROWS, 3])),
        ((),) * len(penalties),
        (True,) * len(penalties),
        augmentation=AugmentationNoise(real, fake, probability),
    )
    game = GameGradients(Players(*networks), losses.get(loss), penalties, RULE)
    return networks, game, params, state, minibatch


def seen(images, noise, minibatch):
    """Images as the discriminator sees them."""
    probability = minibatch.augmentation.probability
    for change in RULE.changes:
        own, noise = noise[:, : change.numbers + 1], noise[:, change.numbers + 1 :]
        chosen = own[:, 0] < probability
        changed = change(images, own[:, 1:])
        images = tf.where(tf.reshape(chosen, [-1, 1, 1, 1]), changed, images)
    return images


@pytest.mark.parametrize("probability", [1.0, 0.4])
def test_both_players_see_changed_images_alone(float64, probability):
    (generator, discriminator), game, params, state, minibatch = augmented_game((), probability)
    evaluation = game(params, state, minibatch)
    noise = minibatch.augmentation
    fake_images = generator(minibatch.latents)
    fake = discriminator(seen(fake_images, noise.fake, minibatch))
    real = discriminator(seen(minibatch.real_images, noise.real, minibatch))
    np.testing.assert_allclose(evaluation.outputs.fake_logits, fake, rtol=1e-12)
    np.testing.assert_allclose(evaluation.losses, LOSS(real, fake), rtol=1e-12)
    np.testing.assert_array_equal(evaluation.outputs.fake_images, fake_images)
    scores = game.realness(params, state, minibatch)
    np.testing.assert_allclose(scores, np.ravel(fake), rtol=1e-12)
    plain = game.losses(params, state, minibatch)  # What `evaluate` shows.
    expected = LOSS(discriminator(minibatch.real_images), discriminator(fake_images))
    np.testing.assert_allclose(plain, expected, rtol=1e-12)


def test_gradients_of_both_players_agree_with_finite_differences(float64):
    _, game, params, state, minibatch = augmented_game(loss="relativistic")
    gradients = game(params, state, minibatch).gradients
    random = np.random.RandomState(1)
    for player, own in params._asdict().items():
        direction = [random.normal(size=w.shape) for w in own]
        ends = []
        for sign in (1, -1):
            moved = [w + sign * 1e-6 * d for w, d in zip(own, direction, strict=True)]
            found = game(params._replace(**{player: moved}), state, minibatch).losses
            ends.append(getattr(found, player))
        pairs = zip(getattr(gradients, player), direction, strict=True)
        claimed = sum(np.sum(g * d) for g, d in pairs)
        np.testing.assert_allclose(claimed, (ends[0] - ends[1]) / 2e-6, rtol=1e-6)


def test_r1_and_r2_are_of_the_discriminator_changes_included(float64):
    penalties = (tgs.R1(1.0), tgs.R2(1.0))
    (generator, discriminator), game, params, state, minibatch = augmented_game(penalties, 0.6)
    found = game(params, state, minibatch).penalty_values
    both = {"real": minibatch.real_images, "fake": generator(minibatch.latents)}
    for value, (which, images) in zip(found, both.items(), strict=True):
        noise = getattr(minibatch.augmentation, which)
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits = discriminator(seen(images, noise, minibatch))
        squares = tf.reduce_sum(tape.gradient(logits, images) ** 2, axis=[1, 2, 3])
        np.testing.assert_allclose(value, tf.reduce_mean(squares) / 2, rtol=1e-12)


class Undeclared(tgs.LossPenalty):
    """R2 at weight 2, from a pass of its own; and how outputs at the same images differ."""

    def terms(self, context, noise):
        gradients = context.input_gradients(context.fake_images, "fake")
        norms = tf.reduce_sum(gradients**2, axis=[1, 2, 3])
        again = [context.logits(context.fake_images, "fake"), context.logits(context.real_images)]
        pairs = zip(again, (context.fake_logits, context.real_logits), strict=True)
        different = tf.add_n([tf.reduce_sum(tf.abs(a - b)) for a, b in pairs])
        return Players(None, tf.reduce_mean(norms) + 1e6 * different)


def test_penalties_passes_of_their_own_have_the_same_changes(float64):
    _, game, params, state, minibatch = augmented_game((tgs.R2(2.0), Undeclared()), 0.6)
    declared, undeclared = game(params, state, minibatch).penalty_values
    np.testing.assert_allclose(undeclared, declared, rtol=1e-9)


@pytest.mark.slow
def test_gradient_of_r1_agrees_with_finite_differences(float64):
    _, game, params, state, minibatch = augmented_game((tgs.R1(1.0),), 0.6)
    _, plain, *_ = augmented_game((), 0.6)
    without = plain(params, state, minibatch._replace(noise=(), active=()))
    pairs = zip(game(params, state, minibatch).gradients[1], without.gradients[1], strict=True)
    added, random = [a - b for a, b in pairs], np.random.RandomState(1)
    direction = [random.normal(size=w.shape) for w in params.discriminator]
    ends = []
    for sign in (1, -1):
        moved = [w + sign * 1e-6 * d for w, d in zip(params[1], direction, strict=True)]
        at = params._replace(discriminator=moved)
        ends.append(float(game.penalty_value(at, state, minibatch, 0, "discriminator")))
    claimed = sum(np.sum(g * d) for g, d in zip(added, direction, strict=True))
    np.testing.assert_allclose(claimed, (ends[0] - ends[1]) / 2e-6, rtol=1e-5)


def test_product_with_the_generators_gradient_agrees_with_finite_differences(float64):
    """ODE-GAN's regularizer differentiates through the changes twice."""
    _, game, params, state, minibatch = augmented_game()
    gradients = game(params, state, minibatch, ("generator",)).gradients.generator
    cotangents = Players([2.0 * g for g in gradients], None)
    found = game.vjp(params, state, minibatch, cotangents, ("discriminator",)).discriminator
    direction = [np.random.RandomState(2).normal(size=w.shape) for w in params.discriminator]
    ends = []
    for sign in (1, -1):
        moved = [w + sign * 1e-6 * d for w, d in zip(params[1], direction, strict=True)]
        at = params._replace(discriminator=moved)
        own = game(at, state, minibatch, ("generator",)).gradients.generator
        ends.append(sum(np.sum(np.square(g)) for g in own))
    claimed = sum(np.sum(f * d) for f, d in zip(found, direction, strict=True))
    np.testing.assert_allclose(claimed, (ends[0] - ends[1]) / 2e-6, rtol=1e-5)


def test_each_change_has_the_probability_asked_for_by_itself():
    rule = Augmentation([Color(contrast=0.0, saturation=0.0), Cutout()])
    images = tf.ones([2000, 4, 4, 1])
    noise = rule.noise(2000, tf.constant([0, 1]))
    found = rule(images, noise, tf.constant(0.3)).numpy()
    brighter = np.max(found, axis=(1, 2, 3)) != 1.0
    cut = np.min(np.abs(found), axis=(1, 2, 3)) == 0.0
    tolerance = 5 * (0.25 / 2000) ** 0.5
    shares = [np.mean(brighter), np.mean(cut), np.mean(brighter & cut)]
    np.testing.assert_allclose(shares, [0.3, 0.3, 0.09], atol=tolerance)
    np.testing.assert_array_equal(rule(images, noise, tf.constant(0.0)), images)
    assert np.mean(np.min(np.abs(rule(images, noise)), axis=(1, 2, 3)) == 0.0) == 1.0


@dataclasses.dataclass(frozen=True)
class Negative(Change):
    """Exchanges black and white."""

    def __call__(self, images, noise):
        return -images


def test_a_change_of_ones_own_is_saved_by_keras():
    rule = Augmentation([Negative(), Translation()])
    config = keras.saving.serialize_keras_object(rule)
    assert keras.saving.deserialize_keras_object(config) == rule
    assert rule.numbers == 2 + 3
    np.testing.assert_array_equal(
        Augmentation([Negative()])(tf.ones([2, 4, 4, 1]), tf.zeros([2, 2])), -np.ones([2, 4, 4, 1])
    )


def test_adaptive_probability_follows_the_signs():
    rule = Adaptive(probability=0.5, target=0.2, interval=2, images=100)
    # Shares of real images that are taken for such, and images of the step.
    steps = [(1.0, 10), (0.3, 10), (0.1, 10), (0.1, 10), (0.9, 8), (0.9, 4), (0.5, 10)]
    state, found = rule.init(), []
    for number, (accuracy, images) in enumerate(steps, start=1):
        found.append(float(rule.probability_at(state)))
        state = rule.adapted(state, tf.constant(accuracy), images, tf.constant(number, tf.int64))
    # Means of signs: 0.3 over the first two steps, then -0.8, then 0.8.
    np.testing.assert_allclose(found, [0.5, 0.5, 0.7, 0.7, 0.5, 0.5, 0.62], rtol=1e-6)
    np.testing.assert_allclose(state, [0.62, 0.0, 10.0], rtol=1e-6)


@pytest.mark.parametrize(("start", "accuracy", "end"), [(0.9, 1.0, 1.0), (0.1, 0.0, 0.0)])
def test_adaptive_probability_stays_between_0_and_1(start, accuracy, end):
    rule = Adaptive(probability=start, interval=1, images=10)
    state = rule.adapted(rule.init(), tf.constant(accuracy), 100, tf.constant(1, tf.int64))
    assert float(rule.probability_at(state)) == end


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Augmentation([]), ValueError, "`changes` must be one or more. Received: none"),
        (lambda: Augmentation([Color]), TypeError, "`changes` must be a list such as"),
        (lambda: Augmentation(Color()), TypeError, "`changes` must be a list such as"),
        (lambda: Augmentation(probability=0.0), ValueError, r"`probability`.*\(0, 1\].*0.0"),
        (lambda: Augmentation(probability=1.2), ValueError, r"`probability`.*\(0, 1\].*1.2"),
        (lambda: Adaptive(probability=-0.1), ValueError, r"`probability`.*\[0, 1\].*starts"),
        (lambda: Adaptive(target=1.0), ValueError, r"`target` must be a number in \(-1, 1\)"),
        (
            lambda: Adaptive(interval=0),
            ValueError,
            "`interval` must be a number of steps, an integer >= 1",
        ),
        (lambda: Adaptive(images=0), ValueError, "`images` must be a number of images.*> 0"),
    ],
)
def test_wrong_settings(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("rule", "shape", "loss", "error", "message"),
    [
        (0.5, (8, 8, 1), "hinge", TypeError, "`augment` must be a tgs.augment.*Received: 0.5"),
        (Color(), (8, 8, 1), "hinge", TypeError, r"Augmentation\(\[tgs.augment.Translation"),
        (RULE, (2,), "hinge", ValueError, r"needs images.*Received: examples of shape \[2\]"),
        (RULE, (4, 4, 3), "hinge", ValueError, r"Translation.*must be a pixel or more"),
        (Adaptive(), (8, 8, 1), "wasserstein", ValueError, "boundary.*Received: 'wasserstein'"),
        (Adaptive(), (8, 8, 1), "relativistic", ValueError, "boundary.*'relativistic'.*0.5"),
    ],
)
def test_augmentation_that_does_not_fit_is_refused(rule, shape, loss, error, message):
    with pytest.raises(error, match=message):
        check_augmentation(rule, shape, losses.get(loss))


def test_augmentation_of_networks_of_any_size():
    assert check_augmentation(RULE, (None, None, 3), LOSS) is RULE
    assert check_augmentation(None, (2,), LOSS) is None
