"""A copy in memory of everything a run needs to go on from a step."""

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab.callbacks.checkpoint_files import owned_variables
from tfgan_stab.training import distribution
from tfgan_stab.training.averaging.swap import LIVE
from tfgan_stab.training.gan import GAN
from tfgan_stab.training.optimizers import rate_scales, set_rate_scales
from tfgan_stab.training.resume import Progress


class GoodState:
    """What a checkpoint would hold of a step, and the means of the epoch so far.

    Args:
        gan: The model, between two steps.
        progress: How far the run is.
    """

    def __init__(self, gan: GAN, progress: Progress):
        self._gan = gan
        self._variables = [v for owned in owned_variables(gan).values() for v in owned]
        self._metrics = [v for metric in gan.metrics for v in metric.variables]
        self._rate_scales = rate_scales(gan.optimizers)
        self.progress = progress
        self.step = gan.steps
        self.rollbacks = gan.rollback_state.rollbacks
        with gan.using(LIVE):
            self._values = distribution.read(self._variables)
        self._means = distribution.read(self._metrics)

    @property
    def not_finite(self) -> keras.Variable | None:
        """The first variable that is not finite; `None` if all are."""
        places = [i for i, value in enumerate(self._values) if value.dtype.is_floating]
        finite = [tf.reduce_all(tf.math.is_finite(self._values[i])) for i in places]
        wrong = np.flatnonzero(~tf.stack(finite).numpy())
        return self._variables[places[wrong[0]]] if len(wrong) else None

    def restore(self) -> None:
        """Makes the model, its optimizers and its means what they were."""
        self._gan.weights_in_use.switch(LIVE)
        try:
            self._write()
        except KeyboardInterrupt:
            self._write()  # Half a state is no state: all of it first.
            raise

    def _write(self) -> None:
        distribution.write(self._variables, self._values)
        distribution.write(self._metrics, self._means)
        for optimizers in (self._gan.optimizers, self._gan.extrapolation_optimizers):
            set_rate_scales(optimizers, self._rate_scales)
