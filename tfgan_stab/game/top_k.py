"""Top-k: the generator learns from the fakes that the discriminator finds most real."""

import dataclasses
from typing import Any, ClassVar

import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab._utils.serialization import Serializable
from tfgan_stab.game.losses import AdversarialLoss

# So that 192 of 256 are 192 whatever the rounding of 0.75 * 256.
ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True)
class TopK(Serializable):
    """Lets the generator learn from the k most real of its fakes only, fewer and fewer.

    With a batch of B, the discriminator's raw outputs D(y) and the generator's loss l::

        loss of the generator = l over the k fakes y with the highest D(y)     (a mean over k)
        k <- max(decay k, floor), every so often, from k = B

    The discriminator learns from all. Nothing is differentiated through the choice. The choice is
    made anew at each evaluation of the generator's gradient, from the outputs of that evaluation:
    they are there already, and belong to the weights and the noise that are differentiated. Where
    D has several outputs for an example, their mean ranks it; where a loss says that lower ones
    are more real (`larger_is_real`), the lowest are kept. k is a real number, rounded down where it
    is used; logs show its mean over an epoch. It follows from the steps or epochs done, which
    checkpoints hold. While all are kept, training is that without top-k: bit for bit without
    XLA; with XLA up to rounding, which `relativistic_average` shows in the last digits.

    Args:
        decay: What is kept of k at a time, in (0, 1]. The paper's gamma.
        every: "epoch" (of `fit`; loops of your own count `gan.epochs += 1`), or after how many
            steps k shrinks, an integer >= 1.
        floor: The smallest k: a part of the batch, a float in (0, 1], or a number of fakes, an
            integer >= 1. The paper's nu.
        scope: Where replicas share a batch, "replica" to keep k / replicas on each, "global" to
            keep the k best of all, which costs a pass through both networks and a communication.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> top_k = TopK(decay=0.99, every=2000, floor=0.75)
        >>> [round(float(top_k.k(256, shrunk)), 2) for shrunk in (0, 1, 28, 29)]
        [256.0, 253.44, 193.21, 192.0]

    Source: Sinha et al. 2020, arXiv 2002.06224 version 1, section 3.
    Departures: none on one replica. A last, smaller batch keeps the same share; a floor given as a
        number keeps all fakes of a smaller batch.
    """

    decay: float = 0.99
    every: str | int = "epoch"
    floor: float | int = 0.5
    scope: str = "replica"

    # Settings of version 0.1 that are gone; files with these values still load.
    RETIRED: ClassVar[dict[str, Any]] = {"compute": "full", "with_batch_norm": False}

    def __post_init__(self) -> None:
        validation.number(
            "decay",
            self.decay,
            above=0,
            most=1,
            fix="It is what is kept of k at a time. The paper uses 0.99.",
        )
        validation.period("every", self.every)
        share = isinstance(self.floor, float) and 0.0 < self.floor <= 1.0
        count = isinstance(self.floor, int) and not isinstance(self.floor, bool) and self.floor >= 1
        if not share and not count:
            raise ValueError(
                "`floor` must be a part of the batch, a float in (0, 1], or a number of fakes, an "
                f"integer >= 1. Received: {self.floor!r}. The paper uses 0.5 to 0.75."
            )
        validation.choice("scope", self.scope, ("replica", "global"))

    def times_shrunk(self, steps: tf.Tensor, epochs: tf.Tensor) -> tf.Tensor:
        """Returns how often k has shrunk, float64 scalar.

        Args:
            steps: int64 scalar, steps done.
            epochs: int64 scalar, epochs done.
        """
        return tf.cast(epochs if self.every == "epoch" else steps // self.every, tf.float64)

    def k(self, batch: Any, times_shrunk: Any) -> tf.Tensor:
        """Returns k before rounding: `max(batch decay^times, floor)`, at most `batch`; float64.

        Args:
            batch: B, the fakes of all replicas.
            times_shrunk: How often k has shrunk.
        """
        batch = tf.cast(batch, tf.float64)
        least = self.floor * batch if isinstance(self.floor, float) else float(self.floor)
        shrunk = batch * tf.pow(tf.constant(self.decay, tf.float64), times_shrunk)
        return tf.minimum(tf.maximum(shrunk, least), batch)

    def check_batch(self, batch: int) -> None:
        """Raises ValueError if the floor is above the batch, so that nothing would be left out."""
        if not isinstance(self.floor, float) and self.floor > batch:
            raise ValueError(
                f"Top-k's `floor` must be at most the batch, {batch} fakes in each minibatch. "
                f"Received: {self.floor}. Use a part of the batch, such as floor=0.5."
            )


def check_top_k(rule: Any, loss: AdversarialLoss) -> TopK | None:
    """Returns the rule if it fits the loss.

    Args:
        rule: What `compile` got.
        loss: What the players minimise.

    Raises:
        TypeError: If it is no rule.
        ValueError: If the loss cannot weigh fake images.
    """
    if rule is None:
        return None
    if not isinstance(rule, TopK):
        raise TypeError(
            f"`top_k` must be a tgs.TopK(...) or None. Received: {rule!r}. Use "
            "tgs.TopK(decay=0.99, every='epoch', floor=0.5)."
        )
    if not loss.takes_weights:
        raise ValueError(
            "Top-k needs a generator's loss that takes `fake_weights`, float [batch] with the mean "
            f"1. Received: {loss.generator!r}, which does not. Write def generator_loss(real_logits"
            ", fake_logits, fake_weights=None) and weigh the mean over fakes with it."
        )
    return rule


def rounded(k: tf.Tensor) -> tf.Tensor:
    """Returns how many fakes are kept, int32: k rounded down, but at least 1."""
    return tf.maximum(tf.cast(tf.floor(k + ROUNDING), tf.int32), 1)


def realness(logits: tf.Tensor, larger_is_real: bool) -> tf.Tensor:
    """Returns how real each example looks, float `[batch]`; a patch's outputs are averaged."""
    flat = tf.reshape(tf.stop_gradient(logits), [tf.shape(logits)[0], -1])
    scores = tf.reduce_mean(flat, axis=1)
    return scores if larger_is_real else -scores


def weights(scores: tf.Tensor, num_kept: tf.Tensor) -> tf.Tensor:
    """Returns what each fake counts for: `batch / k` for the k most real, 0 for the others.

    Args:
        scores: float `[batch]`, larger for more real. Of equal ones the first are kept.
        num_kept: int32 scalar, k >= 1; more than the batch keeps all.

    Returns:
        float `[batch]` of the scores' type, with the mean 1.

    Example:
        >>> weights(tf.constant([0.1, 0.9, -3.0, 0.9]), tf.constant(2)).numpy().tolist()
        [0.0, 2.0, 0.0, 2.0]
    """
    count = scores.shape[0] or tf.shape(scores)[0]
    # Sorting all keeps shapes still while k shrinks. The rank is the place in the sorted order.
    order = tf.math.top_k(scores, k=count).indices
    ranks = tf.math.top_k(-order, k=count).indices
    num_kept = tf.maximum(tf.minimum(num_kept, count), 1)
    each = tf.cast(count, scores.dtype) / tf.cast(num_kept, scores.dtype)
    return tf.where(ranks < num_kept, each, tf.zeros([], scores.dtype))
