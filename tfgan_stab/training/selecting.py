"""Which fakes the generator learns from in one step, where its slope is not of all at once."""

import tensorflow as tf

from tfgan_stab.game import top_k
from tfgan_stab.game.batch import Batch
from tfgan_stab.game.gradients import Evaluation
from tfgan_stab.game.players import Players
from tfgan_stab.training import distribution
from tfgan_stab.training.compile import FieldFunctions


class StepSelection:
    """Applies top-k where a single evaluation of the field cannot do it.

    Args:
        rule: What `compile` got; `None` without top-k.
        larger_is_real: Whether larger outputs of the discriminator mean "more real".
        functions: The field's functions.
        state: `Players` of the networks' states, from which every evaluation starts.
    """

    def __init__(
        self,
        rule: top_k.TopK | None,
        larger_is_real: bool,
        functions: FieldFunctions,
        state: Players,
    ):
        self._functions = functions
        self._state = state
        self._larger_is_real = larger_is_real
        self._together = (
            rule is not None and rule.scope == "global" and distribution.num_replicas() > 1
        )
        self.alone = rule is not None and rule.compute == "selected"
        # With the tensor itself, so that no other one can get its identity.
        self._scores: dict[int, tuple[tf.Tensor, tf.Tensor]] = {}

    def note(self, batch: Batch, evaluation: Evaluation) -> None:
        """Remembers how real the discriminator found a minibatch's fakes when it first saw them."""
        if self.alone:
            logits = evaluation.outputs.fake_logits
            self._remember(batch, top_k.realness(logits, self._larger_is_real))

    def weighed(self, params: Players, batch: Batch) -> Batch:
        """Returns the batch with what each fake counts for, where replicas choose together."""
        if not self._together:
            return batch
        own = self._functions.realness(params, self._state, batch)
        scores, first = distribution.gathered(own)
        chosen = top_k.weights(scores, batch.kept)
        return batch._replace(fake_weights=chosen[first : first + tf.shape(own)[0]])

    def kept(self, params: Players, batch: Batch) -> Batch:
        """Returns the batch with the latents (and labels) of the kept fakes alone."""
        if id(batch.latents) not in self._scores:
            self._remember(batch, self._functions.realness(params, self._state, batch))
        _, scores = self._scores[id(batch.latents)]
        rows = top_k.most_real(scores, batch.kept)
        labels = None if batch.labels is None else tf.gather(batch.labels, rows)
        return batch._replace(latents=tf.gather(batch.latents, rows), labels=labels, kept=None)

    def _remember(self, batch: Batch, scores: tf.Tensor) -> None:
        self._scores.setdefault(id(batch.latents), (batch.latents, scores))
