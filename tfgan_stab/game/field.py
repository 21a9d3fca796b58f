"""Networks + losses + one batch -> the vector field.

The sign is fixed here, once: the field points *downhill* for each player's own loss, so that
schemes only ever add it. The field is a pure function of tensors: it reads no variable and writes
none, so that trial points leave no trace.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfgan_stab.game.losses import AdversarialLoss
from tfgan_stab.game.players import BOTH, Players


class Batch(NamedTuple):
    """What one evaluation of the field is computed on.

    Attributes:
        reals: float `[batch, ...]`, the data.
        labels: int32 `[batch]`, the classes, or `None` for an unconditional pair. The fakes are
            made for the same classes.
        latents: float `[batch, latents]`, the generator's noise.
    """

    reals: tf.Tensor
    labels: tf.Tensor | None
    latents: tf.Tensor


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
        losses: `Players` of scalars; `None` for a player that was left out.
        state: `Players` of lists: the networks' non-trainable variables (batch statistics,
            spectral-norm vectors, seeds) after this evaluation.
        outputs: The networks' outputs.
    """

    slopes: Players
    losses: Players
    state: Players
    outputs: Outputs


class AdversarialField:
    """The vector field of two networks that play a GAN's game.

    `v = -(d loss_G / d weights_G, d loss_D / d weights_D)`, each player's own loss.

    Args:
        networks: `Players` of built Keras models.
        loss: What they minimise.

    Source: Qin et al. 2020 (ODE-GAN), arXiv 2010.15040: the field of their flow.
    Departures: regularization losses that layers declare are added to their own player's loss.
    """

    def __init__(self, networks: Players, loss: AdversarialLoss):
        self._networks = networks
        self._loss = loss

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
        move_generator, move_discriminator = (name in players for name in BOTH)
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch([params.generator if move_generator else []])
            tape.watch([params.discriminator if move_discriminator else []])
            losses, state, outputs = self._losses(
                params, state, batch, move_generator, move_discriminator
            )
        slopes = Players(
            *(
                None if loss is None else _downhill(tape, loss, weights)
                for loss, weights in zip(losses, params, strict=True)
            )
        )
        return Evaluation(_bound(slopes, losses), losses, state, outputs)

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

    def losses(self, params: Players, state: Players, batch: Batch) -> Players:
        """Returns both players' losses in inference mode, scalars."""
        fakes, _, _ = self._call("generator", params, state, batch.latents, batch.labels, False)
        logits = [
            self._call("discriminator", params, state, examples, batch.labels, False)[0]
            for examples in (batch.reals, fakes)
        ]
        return self._loss(*map(_at_least_float32, logits))

    def _losses(
        self,
        params: Players,
        state: Players,
        batch: Batch,
        move_generator: bool,
        move_discriminator: bool,
    ) -> tuple[Players, Players, Outputs]:
        # Both losses share the fakes' logits: one pass through the discriminator serves both.
        fakes, generator_state, generator_extra = self._call(
            "generator", params, state, batch.latents, batch.labels, True
        )
        fake_logits, discriminator_state, extra = self._call(
            "discriminator", params, state, fakes, batch.labels, True
        )
        fake_logits = _at_least_float32(fake_logits)
        real_logits = None
        if move_discriminator or self._loss.generator_sees_reals:
            real_logits, after_reals, _ = self._call(
                "discriminator", params, state, batch.reals, batch.labels, True
            )
            real_logits = _at_least_float32(real_logits)
            # Both calls start from the same state, so a power iteration is taken once and both
            # see the same spectral norm; batch statistics advance by the mean of the two.
            discriminator_state = [
                _middle(one, other)
                for one, other in zip(after_reals, discriminator_state, strict=True)
            ]
        losses = Players(
            _scalar("generator", self._loss.generator(real_logits, fake_logits)) + generator_extra
            if move_generator
            else None,
            _scalar("discriminator", self._loss.discriminator(real_logits, fake_logits)) + extra
            if move_discriminator
            else None,
        )
        outputs = Outputs(fakes, fake_logits, real_logits)
        return losses, Players(generator_state, discriminator_state), outputs

    def _call(
        self,
        player: str,
        params: Players,
        state: Players,
        examples: tf.Tensor,
        labels: tf.Tensor | None,
        training: bool,
    ) -> tuple[tf.Tensor, list[tf.Tensor], Any]:
        """Returns the network's output, its state afterwards, and its regularization loss."""
        network = getattr(self._networks, player)
        values = [
            *zip(network.trainable_variables, getattr(params, player), strict=True),
            *zip(network.non_trainable_variables, getattr(state, player), strict=True),
        ]
        # A call inside a scope of substituted values; `stateless_call` would bypass `__call__`,
        # which hands `training` down to the layers of a subclassed model.
        with keras.StatelessScope(values, collect_losses=True) as scope:
            outputs = network(examples if labels is None else [examples, labels], training=training)
            regularization = sum(network.losses)
        state_after = [scope.get_current_value(v) for v in network.non_trainable_variables]
        return outputs, state_after, regularization


def _bound(slopes: Players, losses: Players) -> Players:
    """Returns slopes that are computed together with the losses.

    A loss that nobody looks at is left out of a graph, and then TensorFlow rounds the rest of it
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


def _at_least_float32(logits: tf.Tensor) -> tf.Tensor:
    """Returns half-precision logits as float32: losses are not summed in half precision."""
    return tf.cast(logits, tf.float32) if logits.dtype.size < 4 else logits


def _middle(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Returns the mean of two states, exactly `one` where they are equal; counters as `one`."""
    return one + (other - one) / 2 if one.dtype.is_floating else one
