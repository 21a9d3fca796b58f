"""What a Keras user calls: `fit`, `evaluate`, `predict` and the like, with the GAN's care added."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab.training import fit
from tfgan_stab.training.averaging.swap import LIVE
from tfgan_stab.training.gradient_check import check_once
from tfgan_stab.training.saving import SavableGAN


class KerasWorkflows(SavableGAN):
    """Keras' own workflows on a pair of networks whose weights can be swapped."""

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """Returns the generator's examples for latents (and labels): the model's prediction."""
        return self.generator(inputs, training=training)

    def fit(self, x: Any = None, y: Any = None, **kwargs: Any) -> keras.callbacks.History:
        """Trains, as `keras.Model.fit` does; see there for all arguments.

        Args:
            x: A data set of `tgs.data`, a `tf.data.Dataset` of examples or `(examples, labels)`,
                or an array of examples. A data set of `tgs.data` is endless: an epoch is
                `steps_per_epoch` steps, and one pass over the examples unless given.
            y: Labels, if `x` is an array and the networks take labels.
            **kwargs: `epochs`, `steps_per_epoch`, `batch_size`, `callbacks`, `verbose`, ... A
                `tgs.callbacks.Checkpoint` among the callbacks is called last and, where its
                directory holds a checkpoint, resumes that run; `epochs` counts from its beginning.

        Returns:
            The history of the epochs trained now.
        """
        with self._live_again(), self.clock.running():
            return fit.fit(self, super().fit, x, y, **kwargs)

    def evaluate(
        self, x: Any = None, y: Any = None, scores: Sequence[Any] = (), **kwargs: Any
    ) -> Any:
        """Returns both players' losses on the data in inference mode, and the scores asked for.

        Args:
            x: Data as for `fit`; of an endless data set one pass, or `steps` batches.
            y: Labels as for `fit`.
            scores: Scores such as `tgs.FID(...)`, for the weights that the losses are of.
            **kwargs: `steps`, `batch_size`, `callbacks`, `return_dict`, ..., as in Keras.

        Returns:
            A list in the order losses, scores; a dictionary with `return_dict=True`.
        """
        as_dictionary = kwargs.pop("return_dict", False)
        if kwargs.get("steps") is None:
            kwargs.update(fit.evaluation_steps(x, "steps"))
        measured: dict[str, float] = {}
        if scores:
            # First of all callbacks, so that an average that another one swaps in is still there.
            scoring = keras.callbacks.LambdaCallback(
                on_test_end=lambda logs: measured.update(self._scored(scores))
            )
            kwargs["callbacks"] = [scoring, *fit.listed(kwargs.get("callbacks"))]
        with self._live_again():
            found = super().evaluate(x, y, return_dict=True, **kwargs)
        results = {name: found.pop(name) for name in (m.name for m in self.loss_means)}
        results.update(found, **measured)
        return results if as_dictionary else list(results.values())

    def _scored(self, scores: Sequence[Any]) -> dict[str, float]:
        """Returns the scores of the weights in use."""
        weights = self.weights_in_use.current
        return {
            score.name: score(
                self.sample_batches(score.samples, weights=weights, seed=getattr(score, "seed", 0))
            ).value
            for score in scores
        }

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Plays one step on a batch, as `keras.Model.train_on_batch`."""
        if self.weights_in_use.current != LIVE:
            raise RuntimeError(
                "Training needs the trained weights in the generator. Received: "
                f"{self.weights_in_use.current!r} in use. Leave the `using` block first."
            )
        if self.compiled and not self.steps:
            self.start_over()  # From weights that may have been set since `compile`.
            check_once(self)
        return super().train_on_batch(*args, **kwargs)

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """Returns the generator's examples for latents (and labels), as `keras.Model.predict`."""
        with self._live_again():
            return super().predict(x, **kwargs)

    @contextlib.contextmanager
    def _live_again(self) -> Iterator[None]:
        """Puts back the weights that were in use, should a callback have been kept from it."""
        before = self.weights_in_use.current
        try:
            yield
        finally:
            self.weights_in_use.switch(before)

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Builds nothing: all is built in the constructor and `compile`, and no batch is eaten."""
