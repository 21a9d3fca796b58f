"""Networks + losses + one batch -> the vector field.

The sign is fixed here, once: the field points *downhill* for each player's own loss, so that
schemes only ever add it. The field is a pure function of tensors: it reads no variable and writes
none, so that trial points leave no trace.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfgan_stab.game import top_k
from tfgan_stab.game.batch import Batch
from tfgan_stab.game.functional import NetworksAt
from tfgan_stab.game.losses import AdversarialLoss
from tfgan_stab.game.penalties.base import (
    LossPenalty,
    Scene,
    input_gradients_of,
    terms_of,
    with_penalties,
)
from tfgan_stab.game.players import BOTH, Players


class Outputs(NamedTuple):
    """What the networks said on the way to the losses.

    Attributes:
        fakes: float `[batch, ...]`, the generator's examples.
        fake_logits: What the discriminator says to them.
        real_logits: What it says to the reals; `None` where no loss needed it.
    """

    fakes: tf.Tensor
    fake_logits: tf.Tensor
    real_logits: tf.Tensor | None


class Evaluation(NamedTuple):
    """What one evaluation of the field gives.

    Attributes:
        slopes: `Players` of lists of tensors shaped as the trainable weights; `None` for a player
            that was left out.
        losses: `Players` of scalars without penalties; `None` for a player that was left out.
        state: `Players` of lists: the networks' non-trainable variables (batch statistics,
            spectral-norm vectors, seeds) after this evaluation.
        paid: What each loss penalty came to, in order, scalars; `None` for one whose payers were
            left out.
        outputs: The networks' outputs.
    """

    slopes: Players
    losses: Players
    state: Players
    paid: tuple
    outputs: Outputs


class AdversarialField:
    """The vector field of two networks that play a GAN's game.

    `v = -(d loss_G / d weights_G, d loss_D / d weights_D)`, each player's own loss, penalties on
    losses included.

    Args:
        networks: `Players` of built Keras models.
        loss: What they minimise.
        penalties: Terms added to their losses.

    Source: Qin et al. 2020 (ODE-GAN), arXiv 2010.15040: the field of their flow.
    Departures: regularization losses that layers declare are added to their own player's loss.
    """

    def __init__(
        self,
        networks: Players,
        loss: AdversarialLoss,
        penalties: Sequence[LossPenalty] = (),
    ):
        self._networks = networks
        self._loss = loss
        self._penalties = penalties

    def __call__(
        self, params: Players, state: Players, batch: Batch, players: Sequence[str] = BOTH
    ) -> Evaluation:
        """Evaluates the field at `params`.

        Args:
            params: `Players` of lists of tensors, the trainable weights.
            state: `Players` of lists of tensors, the non-trainable variables.
            batch: The data and noise.
            players: Whose slopes are wanted; another player costs no backward pass, and the reals
                are not looked at unless a wanted loss needs them.

        Returns:
            An `Evaluation`.
        """
        watched = [w if name in players else [] for name, w in zip(BOTH, params, strict=True)]
        networks = NetworksAt(self._networks, params, state, batch.labels)
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(watched)
            scene, state, extra = self._seen(networks, batch, players)
            losses = self._losses(scene, batch, players, extra)
            totals, paid = with_penalties(losses, self._penalties, scene, batch, players)
        slopes = [
            None if total is None else _downhill(tape, total, weights)
            for total, weights in zip(totals, params, strict=True)
        ]
        outputs = Outputs(scene.fakes, scene.fake_logits, scene.real_logits)
        return Evaluation(_bound(slopes, losses), losses, state, paid, outputs)

    def pulled_back(
        self, params: Players, state: Players, batch: Batch, cotangents: Players, payers: Sequence
    ) -> Players:
        """Pulls cotangents c back through the field: the derivative of `<v(w), c>` along w.

        Args:
            params: `Players` of lists of tensors, the trainable weights w.
            state: `Players` of lists of tensors, the non-trainable variables.
            batch: The data and noise.
            cotangents: `Players` of lists of tensors c shaped as the slopes, held constant; `None`
                for a player whose slopes do not matter.
            payers: Names of the players along whose weights to differentiate.

        Returns:
            `Players` of lists of tensors shaped as the weights; `None` for the other players.
        """
        measured = [name for name, c in zip(BOTH, cotangents, strict=True) if c is not None]
        wanted = [w if name in payers else [] for name, w in zip(BOTH, params, strict=True)]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(wanted)
            slopes = self(params, state, batch, measured).slopes
            pairs = zip(tf.nest.flatten(slopes), tf.nest.flatten(cotangents), strict=True)
            terms = [tf.reduce_sum(v * tf.cast(c, v.dtype)) for v, c in pairs if v is not None]
            product = tf.add_n([tf.cast(term, tf.float64) for term in terms])
        pulled = _dense(tape.gradient(product, wanted, unconnected_gradients="zero"))
        return Players(
            *(p if name in payers else None for name, p in zip(BOTH, pulled, strict=True))
        )

    def owed(self, params: Players, state: Players, batch: Batch, number: int, payer: str) -> Any:
        """Returns what one loss penalty costs one player where it is due, a scalar."""
        networks = NetworksAt(self._networks, params, state, batch.labels)
        scene, _, _ = self._seen(networks, batch, BOTH)
        terms = terms_of(self._penalties[number], scene, batch.draws[number], True, [payer])
        return terms[0]

    def losses(self, params: Players, state: Players, batch: Batch) -> Players:
        """Returns both players' losses in inference mode, scalars, without penalties."""
        networks = NetworksAt(self._networks, params, state, batch.labels, training=False)
        fakes = networks.generate(batch.latents).values
        logits = [networks.discriminate(examples).values for examples in (batch.reals, fakes)]
        return self._loss(*logits)

    def realness(self, params: Players, state: Players, batch: Batch) -> tf.Tensor:
        """Returns how real the batch's fakes look, float `[batch]`, larger for more real."""
        networks = NetworksAt(self._networks, params, state, batch.labels)
        fakes = networks.generate(batch.latents).values
        logits = networks.discriminate(fakes).values
        return top_k.realness(logits, self._loss.larger_is_real)

    def _seen(
        self, networks: NetworksAt, batch: Batch, players: Sequence[str]
    ) -> tuple[Scene, Players, Players]:
        """Returns the scene, both networks' states after it, and their layers' own losses."""
        looks = input_gradients_of(self._penalties, players, batch.due)
        made = networks.generate(batch.latents)
        # Both losses share the fakes' logits: one pass through the discriminator serves both.
        seen, slopes = _looked_at(networks, made.values, "fakes" in looks)
        logits, known = {"fakes": seen.values}, {"fakes": slopes}
        state = seen.state
        if "discriminator" in players or self._loss.generator_sees_reals:
            real, known["reals"] = _looked_at(networks, batch.reals, "reals" in looks)
            logits["reals"] = real.values
            # Both calls start from the same state, so a power iteration is taken once and both
            # see the same spectral norm; batch statistics advance by the mean of the two.
            state = [_middle(*pair) for pair in zip(real.state, seen.state, strict=True)]
        known = {which: own for which, own in known.items() if own is not None}
        scene = Scene(networks, batch, made.values, logits, known)
        return scene, Players(made.state, state), Players(made.regularization, seen.regularization)

    def _losses(
        self, scene: Scene, batch: Batch, players: Sequence[str], extra: Players
    ) -> Players:
        """Returns the players' losses, those that layers declare included."""
        generator = discriminator = None
        if "generator" in players:
            chosen = {}
            if batch.kept is not None:
                chosen["fake_weights"] = self._weights(scene, batch)
            loss = self._loss.generator(scene.real_logits, scene.fake_logits, **chosen)
            generator = _scalar("generator", loss) + extra.generator
        if "discriminator" in players:
            loss = self._loss.discriminator(scene.real_logits, scene.fake_logits)
            discriminator = _scalar("discriminator", loss) + extra.discriminator
        return Players(generator, discriminator)

    def _weights(self, scene: Scene, batch: Batch) -> tf.Tensor:
        if batch.fake_weights is not None:
            return batch.fake_weights
        scores = top_k.realness(scene.fake_logits, self._loss.larger_is_real)
        return top_k.weights(scores, batch.kept)


def _looked_at(networks: NetworksAt, examples: tf.Tensor, with_slopes: bool) -> tuple:
    """Returns the discriminator's output, and its slopes along the examples if they are wanted."""
    if not with_slopes:
        return networks.discriminate(examples), None
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(examples)
        seen = networks.discriminate(examples)
    return seen, tape.gradient(seen.values, examples, unconnected_gradients="zero")


def _bound(slopes: Sequence, losses: Players) -> Players:
    """Returns slopes that are computed together with the losses.

    A loss that nobody looks at is left out of a graph, and then TensorFlow steps the rest of it
    otherwise. Bound, slopes are the same to the last bit whether a monitor looks at losses or not.
    """
    with tf.control_dependencies([loss for loss in losses if loss is not None]):
        return Players(*(None if own is None else list(map(tf.identity, own)) for own in slopes))


def _downhill(tape: tf.GradientTape, loss: tf.Tensor, weights: list) -> list[tf.Tensor]:
    gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
    return [-gradient for gradient in _dense(gradients)]


def _dense(gradients: Any) -> Any:
    """Returns plain tensors: those of embeddings come as slices, which schemes cannot add."""
    return tf.nest.map_structure(tf.convert_to_tensor, gradients)


def _scalar(player: str, loss: Any) -> tf.Tensor:
    """Returns a loss if it is one number; a gradient would silently sum one per example."""
    loss = tf.convert_to_tensor(loss)
    if loss.shape.rank != 0:
        raise ValueError(
            f"The {player}'s loss must be a scalar. Received: shape {loss.shape}. Wrap what your "
            "loss function returns in tf.reduce_mean(...)."
        )
    return loss


def _middle(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Returns the mean of two states, exactly `one` where they are equal; counters as `one`."""
    return one + (other - one) / 2 if one.dtype.is_floating else one
