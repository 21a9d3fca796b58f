"""What each player minimises: pure functions of the discriminator's outputs.

Naming rule: `<name>_generator_loss` and `<name>_discriminator_loss` are functions
`(real_logits, fake_logits) -> scalar`; `<name>` itself is the pair, an `AdversarialLoss`.
Logits have any shape `[batch, ...]` and no unit; a larger one means "more real". Losses are means
over all logits, sums over the real and the fake term, and are minimised by their own player.

A generator's loss takes `fake_weights` too, float `[batch]` with the mean 1 or `None`: what each
fake counts for. With weights `batch / k` for k fakes and 0 for the others it is the mean over the k
(top-k training); with ones it is the plain mean bit for bit. Where replicas choose the k together,
it is over all of them that the weights have the mean 1.
"""

import dataclasses
import difflib
import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfgan_stab._utils.serialization import Serializable
from tfgan_stab.game.players import Players

__all__ = [
    "AdversarialLoss",
    "LOSSES",
    "get",
    "hinge",
    "hinge_discriminator_loss",
    "hinge_generator_loss",
    "least_squares",
    "least_squares_discriminator_loss",
    "least_squares_generator_loss",
    "minimax",
    "minimax_discriminator_loss",
    "minimax_generator_loss",
    "non_saturating",
    "non_saturating_discriminator_loss",
    "non_saturating_generator_loss",
    "relativistic",
    "relativistic_average",
    "relativistic_average_discriminator_loss",
    "relativistic_average_generator_loss",
    "relativistic_discriminator_loss",
    "relativistic_generator_loss",
    "wasserstein",
    "wasserstein_discriminator_loss",
    "wasserstein_generator_loss",
]

LossFunction = Callable[..., tf.Tensor]


@dataclasses.dataclass(frozen=True)
class AdversarialLoss(Serializable):
    """A pair of losses, one for each player.

    Args:
        name: The name it is chosen by and reported under.
        generator: Function `(real_logits, fake_logits) -> scalar` that the generator minimises.
        discriminator: The same for the discriminator.
        generator_uses_real_logits: Whether the generator's loss depends on `real_logits`. Where it
            does not, they are not computed for a generator's update alone and `None` is passed.
        larger_is_real: Whether a larger logit means "more real", as for all losses here. Only top-k
            needs to know.
        boundary: The logit above which the discriminator takes an example for real, for its
            accuracy; `None` if the loss draws no such line.

    Example:
        >>> import tensorflow as tf
        >>> losses = wasserstein(tf.constant([1.0, 3.0]), tf.constant([0.5, 0.5]))
        >>> float(losses.generator), float(losses.discriminator)
        (-0.5, -1.5)
    """

    RENAMED: ClassVar[dict[str, str]] = {"generator_sees_reals": "generator_uses_real_logits"}

    name: str
    generator: LossFunction
    discriminator: LossFunction
    generator_uses_real_logits: bool = False
    larger_is_real: bool = True
    boundary: float | None = None

    def __call__(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> Players:
        """Returns both players' losses, each a scalar."""
        return Players(
            self.generator(real_logits, fake_logits), self.discriminator(real_logits, fake_logits)
        )

    def accuracies(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Returns the shares of real and of fake images that the discriminator takes for such.

        Returns:
            Two float32 scalars; none for a loss without a boundary.
        """
        if self.boundary is None:
            return ()
        sign = 1.0 if self.larger_is_real else -1.0
        right = (
            sign * real_logits > sign * self.boundary,
            sign * fake_logits < sign * self.boundary,
        )
        return tuple(tf.reduce_mean(tf.cast(each, tf.float32)) for each in right)

    @property
    def takes_weights(self) -> bool:
        """Whether the generator's loss can be told what each fake counts for."""
        parameters = inspect.signature(self.generator).parameters.values()
        return any(p.name == "fake_weights" or p.kind == p.VAR_KEYWORD for p in parameters)


def _mean(values: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    if weights is None:
        return tf.reduce_mean(values)
    shape = [-1] + [1] * (values.shape.rank - 1)
    return tf.reduce_mean(tf.reshape(tf.cast(weights, values.dtype), shape) * values)


def _mean_softplus(logits: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    return _mean(tf.nn.softplus(logits), weights)


def non_saturating_generator_loss(
    real_logits: tf.Tensor | None, fake_logits: tf.Tensor, fake_weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Returns `E softplus(-D(G(z)))`, that is `-E log sigmoid(D(G(z)))`.

    Source: Goodfellow et al. 2014, arXiv 1406.2661, section 3; ODE-GAN uses the same.
    """
    del real_logits
    return _mean_softplus(-fake_logits, fake_weights)


def non_saturating_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns `E softplus(-D(x)) + E softplus(D(G(z)))`; `2 ln 2` when D cannot tell."""
    return _mean_softplus(-real_logits) + _mean_softplus(fake_logits)


def minimax_generator_loss(
    real_logits: tf.Tensor | None, fake_logits: tf.Tensor, fake_weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Returns `-E softplus(D(G(z)))`, that is `E log(1 - sigmoid(D(G(z))))`: zero-sum with D's.

    Source: Goodfellow et al. 2014, arXiv 1406.2661, equation 1.
    """
    del real_logits
    return -_mean_softplus(fake_logits, fake_weights)


minimax_discriminator_loss = non_saturating_discriminator_loss


def hinge_generator_loss(
    real_logits: tf.Tensor | None, fake_logits: tf.Tensor, fake_weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Returns `-E D(G(z))`.

    Source: Miyato et al. 2018, arXiv 1802.05957, equation 17.
    """
    del real_logits
    return -_mean(fake_logits, fake_weights)


def hinge_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns `E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))`.

    Source: Miyato et al. 2018, arXiv 1802.05957, equation 16 (there maximised).
    """
    return tf.reduce_mean(tf.nn.relu(1.0 - real_logits)) + tf.reduce_mean(
        tf.nn.relu(1.0 + fake_logits)
    )


wasserstein_generator_loss = hinge_generator_loss


def wasserstein_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns `E D(G(z)) - E D(x)`; it needs a penalty or a constraint on D to mean anything.

    Source: Arjovsky et al. 2017, arXiv 1701.07875, equation 3 (there maximised).
    """
    return tf.reduce_mean(fake_logits) - tf.reduce_mean(real_logits)


def least_squares_generator_loss(
    real_logits: tf.Tensor | None, fake_logits: tf.Tensor, fake_weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Returns `1/2 E (D(G(z)) - 1)^2`.

    Source: Mao et al. 2017, arXiv 1611.04076, equation 9 (labels 0 and 1).
    """
    del real_logits
    return 0.5 * _mean(tf.square(fake_logits - 1.0), fake_weights)


def least_squares_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns `1/2 E (D(x) - 1)^2 + 1/2 E D(G(z))^2`."""
    return 0.5 * tf.reduce_mean(tf.square(real_logits - 1.0)) + 0.5 * tf.reduce_mean(
        tf.square(fake_logits)
    )


def _margins(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns `D(x) - D(G(z))` for each pair of a real and a fake one."""
    if not real_logits.shape.is_compatible_with(fake_logits.shape):
        raise ValueError(
            "The loss 'relativistic' compares each fake with a real one of its own, and expects as "
            f"many of both. Received: logits {real_logits.shape} of real ones, {fake_logits.shape} "
            "of fakes. Use 'relativistic_average', which compares with means."
        )
    return real_logits - fake_logits


def relativistic_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns `E softplus(D(G(z)) - D(x))` over pairs: one real for each fake, by their places.

    Only differences count, so D has no level of its own: `ln 2` when D cannot tell a pair apart.
    With `R1` and `R2` together training is locally stable, which the loss alone is not.

    Source: Jolicoeur-Martineau 2018, arXiv 1807.00734, its RSGAN; with R1 and R2: Huang et al.
        2024, "The GAN is dead; long live the GAN!", arXiv 2501.05441, section 2 (from memory).
    Departures: none. A class-conditional pair is of one class: `compile` refuses `fake_labels`.
    """
    return _mean_softplus(-_margins(real_logits, fake_logits))


def relativistic_generator_loss(
    real_logits: tf.Tensor, fake_logits: tf.Tensor, fake_weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Returns `E softplus(D(x) - D(G(z)))` over the same pairs; a fake's weight is its pair's."""
    return _mean_softplus(_margins(real_logits, fake_logits), fake_weights)


def relativistic_average_discriminator_loss(
    real_logits: tf.Tensor, fake_logits: tf.Tensor
) -> tf.Tensor:
    """Returns `E softplus(-(D(x) - E D(G(z)))) + E softplus(D(G(z)) - E D(x))`.

    Source: Jolicoeur-Martineau 2018, arXiv 1807.00734, equations 17-18 (number from memory).
    Departures: the inner means are over a replica's share of the batch, not the whole batch.
    """
    return _mean_softplus(tf.reduce_mean(fake_logits) - real_logits) + _mean_softplus(
        fake_logits - tf.reduce_mean(real_logits)
    )


def relativistic_average_generator_loss(
    real_logits: tf.Tensor, fake_logits: tf.Tensor, fake_weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Returns the discriminator's loss with reals and fakes exchanged; both means are weighted.

    Departures: as the discriminator's. A replica that keeps no fake compares its reals with 0.
    """
    fake_mean = _mean(fake_logits, fake_weights)
    if fake_weights is not None:  # Their mean is 1 over all replicas; the inner mean is of one.
        own = tf.cast(tf.reduce_mean(fake_weights), fake_mean.dtype)
        fake_mean = tf.math.divide_no_nan(fake_mean, own)
    return _mean_softplus(tf.reduce_mean(real_logits) - fake_logits, fake_weights) + _mean_softplus(
        real_logits - fake_mean
    )


non_saturating = AdversarialLoss(
    "non_saturating",
    non_saturating_generator_loss,
    non_saturating_discriminator_loss,
    boundary=0.0,
)
minimax = AdversarialLoss(
    "minimax", minimax_generator_loss, minimax_discriminator_loss, boundary=0.0
)
hinge = AdversarialLoss("hinge", hinge_generator_loss, hinge_discriminator_loss, boundary=0.0)
wasserstein = AdversarialLoss(
    "wasserstein", wasserstein_generator_loss, wasserstein_discriminator_loss
)
least_squares = AdversarialLoss(
    "least_squares",
    least_squares_generator_loss,
    least_squares_discriminator_loss,
    boundary=0.5,  # Half-way between its targets, 0 and 1.
)
relativistic = AdversarialLoss(
    "relativistic",
    relativistic_generator_loss,
    relativistic_discriminator_loss,
    generator_uses_real_logits=True,
)
relativistic_average = AdversarialLoss(
    "relativistic_average",
    relativistic_average_generator_loss,
    relativistic_average_discriminator_loss,
    generator_uses_real_logits=True,
)

LOSSES = {
    loss.name: loss
    for loss in (
        non_saturating,
        minimax,
        hinge,
        wasserstein,
        least_squares,
        relativistic,
        relativistic_average,
    )
}

# So that saved models find the functions of a loss that was made from one of these.
for _loss in LOSSES.values():
    for _function in (_loss.generator, _loss.discriminator):
        keras.saving.register_keras_serializable("tfgan_stab")(_function)


def get(loss: Any) -> AdversarialLoss:
    """Returns the loss that a name, an `AdversarialLoss` or a pair of functions stands for.

    Args:
        loss: One of the names in `LOSSES`; an `AdversarialLoss`; or your own pair
            `(generator_loss, discriminator_loss)` of functions `(real_logits, fake_logits) ->
            scalar`. For top-k the first one takes `fake_weights` too.

    Returns:
        The `AdversarialLoss`; your own pair's generator loss is given the real logits too.

    Raises:
        ValueError: If the name is not known.
        TypeError: If it is none of these.

    Example:
        >>> get("hinge").name
        'hinge'
    """
    if isinstance(loss, AdversarialLoss):
        return loss
    if isinstance(loss, str):
        if loss in LOSSES:
            return LOSSES[loss]
        near = difflib.get_close_matches(loss, LOSSES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"`loss` must be one of {sorted(LOSSES)}, a `tgs.game.losses.AdversarialLoss` or a "
            f"pair of functions. Received: {loss!r}.{hint}"
        )
    if isinstance(loss, (tuple, list)) and len(loss) == 2 and all(map(callable, loss)):
        generator, discriminator = loss
        return AdversarialLoss("custom", generator, discriminator, generator_uses_real_logits=True)
    raise TypeError(
        f"`loss` must be one of the names {sorted(LOSSES)}, a `tgs.game.losses.AdversarialLoss`, "
        "or a pair (generator_loss, discriminator_loss) of functions (real_logits, fake_logits) -> "
        f"scalar. Received: {loss!r}."
    )


def name_or_pair(loss: Any) -> Any:
    """Returns the name of a loss of ours, for files; what `get` takes as it is where it has none.

    Example:
        >>> name_or_pair(hinge)
        'hinge'
    """
    pair = get(loss)
    return pair.name if LOSSES.get(pair.name) is pair else loss


def __dir__() -> list[str]:
    return sorted(__all__)
