"""Losses against hand-computed values and against TF-GAN's functions."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.evaluation.extractors import tfgan
from tfgan_stab.game import losses

LN2 = math.log(2.0)
# D(x) = (0, ln 3), D(G(z)) = (0, -ln 3): softplus(ln 3) = ln 4, softplus(-ln 3) = ln 4/3.
REAL = np.array([[0.0], [math.log(3.0)]])
FAKE = np.array([[0.0], [-math.log(3.0)]])
LN4, LN4_3 = math.log(4.0), math.log(4.0 / 3.0)

BY_HAND = {
    "non_saturating": ((LN2 + LN4) / 2, (LN2 + LN4_3) / 2 + (LN2 + LN4_3) / 2),
    "minimax": (-(LN2 + LN4_3) / 2, (LN2 + LN4_3) / 2 + (LN2 + LN4_3) / 2),
    # max(0, 1 - 0) = 1 and max(0, 1 - ln 3) = 0, on both sides.
    "hinge": (math.log(3.0) / 2, 0.5 + 0.5),
    "wasserstein": (math.log(3.0) / 2, -math.log(3.0)),
    "least_squares": (
        (1.0 + (math.log(3.0) + 1.0) ** 2) / 4,
        (1.0 + (math.log(3.0) - 1.0) ** 2) / 4 + math.log(3.0) ** 2 / 4,
    ),
    # D(x) - D(G(z)) = (0, ln 9): softplus(ln 9) = ln 10, softplus(-ln 9) = ln 10/9.
    "relativistic": ((LN2 + math.log(10.0)) / 2, (LN2 + math.log(10.0 / 9.0)) / 2),
    # Means are +-ln(3)/2; differences to the other side's mean: ln(3)/2 and 3 ln(3)/2.
    "relativistic_average": (
        math.log1p(3**0.5) + math.log1p(3**1.5),
        math.log1p(3**-0.5) + math.log1p(3**-1.5),
    ),
}

TFGAN = {
    "non_saturating": ("modified_generator_loss", "modified_discriminator_loss"),
    "minimax": ("minimax_generator_loss", "minimax_discriminator_loss"),
    "wasserstein": ("wasserstein_generator_loss", "wasserstein_discriminator_loss"),
    "hinge": ("wasserstein_hinge_generator_loss", "wasserstein_hinge_discriminator_loss"),
    "least_squares": (
        "least_squares_generator_loss",
        "least_squares_discriminator_loss",
    ),
}


@pytest.mark.parametrize("name", losses.LOSSES)
def test_losses_computed_by_hand(name):
    generator, discriminator = losses.get(name)(tf.constant(REAL), tf.constant(FAKE))
    np.testing.assert_allclose(generator, BY_HAND[name][0], rtol=1e-12)
    np.testing.assert_allclose(discriminator, BY_HAND[name][1], rtol=1e-12)


@pytest.mark.parametrize("name", TFGAN)
def test_losses_agree_with_tfgan(name):
    module = tfgan.losses()
    random = np.random.RandomState(1)
    real, fake = (tf.constant(random.normal(size=[64, 1]), tf.float32) for _ in range(2))
    generator, discriminator = losses.get(name)(real, fake)
    their_generator = getattr(module, TFGAN[name][0])(fake)
    # TF-GAN smooths labels unless told otherwise; the papers here do not.
    plain = {"label_smoothing": 0.0} if name in ("non_saturating", "minimax") else {}
    their_discriminator = getattr(module, TFGAN[name][1])(real, fake, **plain)
    if name == "minimax":
        # TF-GAN's is minus the discriminator's loss with the logits of real images set to one.
        their_generator += tf.nn.softplus(-1.0)
    np.testing.assert_allclose(generator, their_generator, rtol=1e-6)
    np.testing.assert_allclose(discriminator, their_discriminator, rtol=1e-6)


def test_relativistic_losses_agree_with_tfgan():
    module = tfgan.losses()
    random = np.random.RandomState(1)
    real, fake = (tf.constant(random.normal(size=[64, 1]), tf.float32) for _ in range(2))
    generator, discriminator = losses.relativistic_average(real, fake)
    np.testing.assert_allclose(generator, module.relativistic_generator_loss(real, fake), rtol=1e-6)
    np.testing.assert_allclose(
        discriminator, module.relativistic_discriminator_loss(real, fake), rtol=1e-6
    )


@pytest.mark.parametrize("name", losses.LOSSES)
def test_fooling_the_discriminator_lowers_the_generators_loss(name):
    real = tf.constant([[1.0], [2.0]])
    worse = losses.get(name).generator(real, tf.constant([[-1.0], [0.0]]))
    better = losses.get(name).generator(real, tf.constant([[0.0], [0.5]]))
    assert better < worse


@pytest.mark.parametrize("name", losses.LOSSES)
def test_losses_are_finite_at_huge_logits(name):
    huge = tf.constant([[1e4], [-1e4]])
    assert all(np.isfinite(loss) for loss in losses.get(name)(huge, -huge))


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(ValueError, match="Received: 'hing'. Did you mean 'hinge'"):
        losses.get("hing")


@pytest.mark.parametrize("loss", [3, ("hinge", "hinge"), (print,)])
def test_loss_must_be_a_name_or_two_functions(loss):
    with pytest.raises(TypeError, match="`loss` must be one of the names"):
        losses.get(loss)


def test_own_pair_of_functions():
    pair = losses.get((lambda real, fake: 1.0, lambda real, fake: 2.0))
    assert pair(None, None) == (1.0, 2.0)
    assert pair.generator_uses_real_logits


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


def test_relativistic_loss_is_of_pairs_and_a_weight_is_a_pairs():
    real, fake = tf.constant([[1.0], [5.0]]), tf.constant([[-1.0], [4.0]])
    generator, discriminator = losses.relativistic(real, fake)
    np.testing.assert_allclose(generator, np.mean(np.log1p(np.exp([2.0, 1.0]))), rtol=1e-6)
    np.testing.assert_allclose(discriminator, np.mean(np.log1p(np.exp([-2.0, -1.0]))), rtol=1e-6)
    shifted = losses.relativistic(real + 7.0, fake + 7.0)
    np.testing.assert_allclose(shifted, (generator, discriminator), rtol=1e-5)
    kept = losses.relativistic.generator(real, fake, fake_weights=tf.constant([0.0, 2.0]))
    np.testing.assert_allclose(kept, np.log1p(np.exp(1.0)), rtol=1e-6)


@pytest.mark.parametrize("shapes", [([4, 1], [3, 1]), ([4, 1], [4]), ([4, 2, 2, 1], [4, 1])])
def test_relativistic_loss_needs_one_real_for_each_fake(shapes):
    real, fake = map(tf.zeros, shapes)
    for player in losses.relativistic.generator, losses.relativistic.discriminator:
        with pytest.raises(ValueError, match="as many of both. Received.*relativistic_average"):
            player(real, fake)


@pytest.mark.parametrize(
    ("loss", "right"),
    [("hinge", (2 / 4, 1 / 4)), ("least_squares", (1 / 4, 3 / 4)), ("wasserstein", None)],
)
def test_accuracies_are_shares_on_the_right_side_of_the_boundary(loss, right):
    real, fake = tf.constant([-1.0, 0.0, 0.2, 0.6]), tf.constant([-1.0, 0.0, 0.2, 0.6])
    found = losses.get(loss).accuracies(real, fake)
    assert tuple(map(float, found)) == (() if right is None else pytest.approx(right))
    other = losses.AdversarialLoss("other", None, None, larger_is_real=False, boundary=0.0)
    assert list(map(float, other.accuracies(real, fake))) == [1 / 4, 2 / 4]
