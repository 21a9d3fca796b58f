"""Networks + losses + one minibatch -> the gradient of each player's own loss.

Pure functions of tensors: no variable is read or written, so that trial points leave no trace.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfgan_stab.game import half_precision, top_k
from tfgan_stab.game.augmentation import Augmentation
from tfgan_stab.game.functional import Minibatch, NetworksAt, only
from tfgan_stab.game.losses import AdversarialLoss
from tfgan_stab.game.penalties.base import LossPenalty, PenaltyContext
from tfgan_stab.game.players import BOTH, Players


class NetworkOutputs(NamedTuple):
    """What the networks returned on the way to the losses.

    Attributes:
        fake_images: float `[batch, ...]`, the generator's images.
        fake_logits: The discriminator's outputs for them.
        real_logits: Its outputs for the real images; `None` where no loss needed them.
    """

    fake_images: tf.Tensor
    fake_logits: tf.Tensor
    real_logits: tf.Tensor | None


class Evaluation(NamedTuple):
    """What one evaluation gives.

    Attributes:
        gradients: `Players` of lists of tensors shaped as the trainable weights; `None` for a
            player that was left out.
        losses: `Players` of scalars without penalties; `None` for a player that was left out.
        state: `Players` of lists: the networks' non-trainable variables (batch statistics,
            spectral-norm vectors, seeds) after this evaluation.
        penalty_values: Each loss penalty's value, in order, scalars; `None` for one whose players
            were left out.
        outputs: The networks' outputs.
    """

    gradients: Players
    losses: Players
    state: Players
    penalty_values: tuple
    outputs: NetworkOutputs


class GameFunctions(NamedTuple):
    """The game's functions, each traced once and called at every evaluation.

    Attributes:
        gradients: Function `(params, state, minibatch, players) -> Evaluation`.
        vjp: Function `(params, state, minibatch, cotangents, players) -> Players`.
        realness: Function `(params, state, minibatch) -> scores`.
    """

    gradients: Callable[..., Any]
    vjp: Callable[..., Any]
    realness: Callable[..., Any]


class GameGradients:
    """The gradients of two networks that play a GAN's game.

    `g = (d loss_G / d weights_G, d loss_D / d weights_D)`, each player's own loss, loss penalties
    included. The vector field that schemes integrate is `-g`.

    Args:
        networks: `Players` of built Keras models.
        loss: What they minimise.
        penalties: Terms added to their losses.
        augment: Changes the images that the discriminator sees; `None` for no changes.

    With layers that compute in float16, derivatives are scaled on their way back, so that small
    ones are not rounded to 0, and scaled back in float32: see `half_precision`.

    Source: Qin et al. 2020 (ODE-GAN), arXiv 2010.15040: minus the field of their flow.
    Departures: regularization losses that layers declare are added to their own player's loss.
    """

    def __init__(
        self,
        networks: Players,
        loss: AdversarialLoss,
        penalties: Sequence[LossPenalty] = (),
        augment: Augmentation | None = None,
    ):
        self._networks = networks
        self._loss = loss
        self._penalties = penalties
        self._augment = augment
        self._scaled = half_precision.is_used(networks)

    def __call__(
        self,
        params: Players,
        state: Players,
        minibatch: Minibatch,
        players: Sequence[str] = BOTH,
        factor: float | None = None,
    ) -> Evaluation:
        """Evaluates the gradients at `params`.

        Args:
            params: `Players` of lists of tensors, the trainable weights.
            state: `Players` of lists of tensors, the non-trainable variables.
            minibatch: The data and noise.
            players: Whose gradients are wanted; another player costs no backward pass, and the real
                images are not passed through unless a wanted loss needs them.
            factor: What derivatives are scaled by in float16; one that fits unless given.

        Returns:
            An `Evaluation`.
        """
        watched = [w if name in players else [] for name, w in zip(BOTH, params, strict=True)]
        networks = self._at(params, state, minibatch)
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(watched)
            passed = self._forward(networks, minibatch, players)
            losses = self._losses(passed, minibatch, players)
            totals, values = losses, ()
            if self._penalties:
                context = passed.context(networks, minibatch)
                totals, values = _with_penalties(
                    losses, self._penalties, context, minibatch, players
                )

        gradients = [
            None if total is None else self._derivatives(tape, total, weights, factor)
            for total, weights in zip(totals, params, strict=True)
        ]
        logits = passed.logits
        outputs = NetworkOutputs(passed.fake_images, logits["fake"], logits.get("real"))
        return Evaluation(_bound(gradients, losses), losses, passed.state, values, outputs)

    def vjp(
        self,
        params: Players,
        state: Players,
        minibatch: Minibatch,
        cotangents: Players,
        players: Sequence[str],
    ) -> Players:
        """Returns the vector-Jacobian product: the derivative of `<g(w), c>` along w.

        Args:
            params: `Players` of lists of tensors, the trainable weights w.
            state: `Players` of lists of tensors, the non-trainable variables.
            minibatch: The data and noise.
            cotangents: `Players` of lists of tensors c shaped as the gradients, held constant;
                `None` for a player whose gradients do not matter.
            players: Names of the players along whose weights to differentiate.

        Returns:
            `Players` of lists of tensors shaped as the weights; `None` for the other players.
        """
        measured = [name for name, c in zip(BOTH, cotangents, strict=True) if c is not None]
        wanted = [w if name in players else [] for name, w in zip(BOTH, params, strict=True)]
        with tf.GradientTape(self._scaled, watch_accessed_variables=False) as tape:
            tape.watch(wanted)
            factor = half_precision.FIXED  # No loop, whose derivative would be expensive.
            gradients = self(params, state, minibatch, measured, factor).gradients
            pairs = zip(tf.nest.flatten(gradients), tf.nest.flatten(cotangents), strict=True)
            terms = [tf.reduce_sum(g * tf.cast(c, g.dtype)) for g, c in pairs if g is not None]
            product = tf.add_n([tf.cast(term, tf.float64) for term in terms])
        return only(Players(*self._derivatives(tape, product, wanted)), players)

    def _derivatives(
        self, tape: tf.GradientTape, target: tf.Tensor, weights: Any, factor: float | None = None
    ) -> Any:
        """Returns a scalar's derivatives along weights, scaled on their way back in float16."""
        if not self._scaled:
            return _dense(tape.gradient(target, weights, **ZERO))

        def times(scale: tf.Tensor) -> Any:
            start = tf.cast(scale, target.dtype)
            return _dense(tape.gradient(target, weights, output_gradients=start, **ZERO))

        return half_precision.scaled(times, factor)

    def penalty_value(
        self, params: Players, state: Players, minibatch: Minibatch, number: int, player: str
    ) -> tf.Tensor:
        """Returns one loss penalty's term for one player in a step in which it is active."""
        networks = self._at(params, state, minibatch)
        context = self._forward(networks, minibatch, BOTH).context(networks, minibatch)
        noise = minibatch.noise[number]
        return _terms_of(self._penalties[number], context, noise, True, [player])[0]

    def losses(self, params: Players, state: Players, minibatch: Minibatch) -> Players:
        """Returns both players' losses in inference mode, scalars, without penalties."""
        networks = self._at(params, state, minibatch, training=False)
        fake = networks.discriminate(networks.generate(minibatch.latents).values, "fake")
        return self._loss(networks.discriminate(minibatch.real_images).values, fake.values)

    def realness(self, params: Players, state: Players, minibatch: Minibatch) -> tf.Tensor:
        """Returns how real the fake images look, float `[batch]`, larger for more real."""
        networks = self._at(params, state, minibatch)
        fake_images = networks.generate(minibatch.latents).values
        logits = networks.discriminate(fake_images, "fake").values
        return top_k.realness(logits, self._loss.larger_is_real)

    def _at(
        self, params: Players, state: Players, minibatch: Minibatch, training: bool = True
    ) -> NetworksAt:
        augment = None
        if self._augment is not None and training:
            augment = functools.partial(self._augment.apply, minibatch.augmentation)
        given = minibatch.labels, training, minibatch.number, augment, minibatch.fake_labels
        return NetworksAt(self._networks, params, state, *given)

    def _forward(
        self, networks: NetworksAt, minibatch: Minibatch, players: Sequence[str]
    ) -> "_ForwardPass":
        """Passes the images that these players' losses and penalties need through the networks."""
        needed = _input_gradients_needed(self._penalties, players, minibatch.active)
        generated = networks.generate(minibatch.latents)
        # Both losses share the fake logits: one pass through the discriminator serves both.
        fake, gradient = _discriminate(networks, generated.values, "fake", "fake" in needed)
        logits, input_gradients = {"fake": fake.values}, {"fake": gradient}
        state = fake.state
        if "discriminator" in players or self._loss.generator_uses_real_logits:
            images = minibatch.real_images
            real, gradient = _discriminate(networks, images, "real", "real" in needed)
            logits["real"], input_gradients["real"] = real.values, gradient
            # Both calls start from the same state, so a power iteration is taken once and both
            # see the same spectral norm; batch statistics advance by the mean of the two.
            state = [_middle(*pair) for pair in zip(real.state, fake.state, strict=True)]
        return _ForwardPass(
            generated.values,
            logits,
            {which: own for which, own in input_gradients.items() if own is not None},
            Players(generated.state, state),
            Players(generated.regularization, fake.regularization),
        )

    def _losses(
        self, passed: "_ForwardPass", minibatch: Minibatch, players: Sequence[str]
    ) -> Players:
        """Returns the players' losses, those that layers declare included."""
        generator = discriminator = None
        real_logits, fake_logits = passed.logits.get("real"), passed.logits["fake"]
        if "generator" in players:
            weighting = {}
            if minibatch.num_kept is not None:
                weighting["fake_weights"] = self._fake_weights(fake_logits, minibatch)
            loss = self._loss.generator(real_logits, fake_logits, **weighting)
            generator = _scalar("generator", loss) + passed.declared.generator
        if "discriminator" in players:
            loss = self._loss.discriminator(real_logits, fake_logits)
            discriminator = _scalar("discriminator", loss) + passed.declared.discriminator
        return Players(generator, discriminator)

    def _fake_weights(self, fake_logits: tf.Tensor, minibatch: Minibatch) -> tf.Tensor:
        if minibatch.fake_weights is not None:
            return minibatch.fake_weights
        scores = top_k.realness(fake_logits, self._loss.larger_is_real)
        return top_k.weights(scores, minibatch.num_kept)


class _ForwardPass(NamedTuple):
    """What the networks returned, under "real" and "fake".

    Attributes:
        fake_images: The generator's images.
        logits: The discriminator's outputs; none for the real images where no loss needs them.
        input_gradients: Their gradients along the images, where penalties need them.
        state: `Players` of the non-trainable variables after the pass.
        declared: `Players` of the losses that layers declare.
    """

    fake_images: tf.Tensor
    logits: dict[str, tf.Tensor]
    input_gradients: dict[str, tf.Tensor]
    state: Players
    declared: Players

    def context(self, networks: NetworksAt, minibatch: Minibatch) -> PenaltyContext:
        """Returns what loss penalties may use."""
        return PenaltyContext(
            networks, minibatch, self.fake_images, self.logits, self.input_gradients
        )


ZERO: dict[str, Any] = {"unconnected_gradients": "zero"}


def _discriminate(
    networks: NetworksAt, images: tf.Tensor, which: str, with_input_gradient: bool
) -> tuple:
    """Returns the discriminator's output, and its input gradient if that is needed."""
    if not with_input_gradient:
        return networks.discriminate(images, which), None
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        output = networks.discriminate(images, which)
    return output, tape.gradient(output.values, images, **ZERO)


def _bound(gradients: Sequence, losses: Players) -> Players:
    """Returns gradients that are computed together with the losses.

    A loss that nobody uses is left out of a graph, and then TensorFlow rounds the rest of it
    otherwise. Bound, gradients are the same to the last bit whether losses are monitored or not.
    """
    with tf.control_dependencies([loss for loss in losses if loss is not None]):
        return Players(*(None if g is None else list(map(tf.identity, g)) for g in gradients))


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


def _input_gradients_needed(
    penalties: Sequence[LossPenalty], players: Sequence[str], active: Sequence[bool]
) -> set[str]:
    """Returns which images' input gradients are used when these players' gradients are wanted."""
    return {
        which
        for penalty, now in zip(penalties, active, strict=True)
        if now and any(name in players for name in penalty.players)
        for which in penalty.input_gradients_of
    }


def _with_penalties(
    losses: Players,
    penalties: Sequence[LossPenalty],
    context: PenaltyContext,
    minibatch: Minibatch,
    players: Sequence[str],
) -> tuple[Players, tuple]:
    """Returns the losses with what the penalties add, and each penalty's value.

    Args:
        losses: `Players` of scalars, `None` for a player whose gradient is not wanted.
        penalties: Terms to add.
        context: The evaluation.
        minibatch: Whose `noise` and `active` belong to the penalties, in order.
        players: Names of the players whose gradients are wanted.
    """
    totals: list[Any] = list(losses)
    values: list[tf.Tensor | None] = []
    settings = zip(penalties, minibatch.noise, minibatch.active, strict=True)
    for penalty, noise, active in settings:
        concerned = [name for name in BOTH if name in penalty.players and name in players]
        terms = _terms_of(penalty, context, noise, active, concerned) if concerned else []
        for name, term in zip(concerned, terms, strict=True):
            place = BOTH.index(name)
            totals[place] = totals[place] + tf.cast(term, totals[place].dtype)
        # The discriminator's term is what a penalty is; the generator's may be a reward.
        values.append(terms[-1] if terms else None)
    return Players(*totals), tuple(values)


def _terms_of(
    penalty: LossPenalty, context: PenaltyContext, noise: Any, active: bool, players: Sequence[str]
) -> list[tf.Tensor]:
    """Returns the players' terms now: 0 in the steps in which a lazy penalty is not active.

    Args:
        penalty: Whose terms.
        context: The evaluation.
        noise: The penalty's noise.
        active: Whether it is added now.
        players: Names of players, each of whom gets a scalar.
    """
    dtype = context.fake_logits.dtype
    nothing = tf.zeros([], dtype)
    if not active:
        return [nothing for _ in players]
    found = penalty.terms(context, noise)._asdict()
    return [
        nothing if found[name] is None else tf.cast(penalty.interval * found[name], dtype)
        for name in players
    ]
