"""Swaps averaged weights in for `evaluate` and `predict`, and the trained weights back."""

from typing import Any

from tfgan_stab.callbacks.base import GANCallback
from tfgan_stab.training.averaging.swap import LIVE


class SwapWeights(GANCallback):
    """Evaluates and predicts with an average of the generator's weights instead of the live ones.

    The average is in use throughout `evaluate` (validation inside `fit` included) and `predict`.
    Afterwards the trained weights are back bit for bit, also after an exception. If the average is
    of the discriminator's weights too, both networks are swapped.

    Args:
        average: Name of the average, as given to `compile(averages={...})`.
        swap_on_epoch: Whether to use the average also from each epoch's end until the next one
            begins, for callbacks later in the list that write files to sample from, such as one
            that calls `gan.generator.save(...)`. What `keras.callbacks.ModelCheckpoint` writes then
            holds the average instead of the trained weights: it is for sampling, and training must
            not be resumed from it. For that there is `tgs.callbacks.Checkpoint`.

    Raises:
        TypeError: At the start, if the model is no GAN.
        ValueError: At the start, if it has no such average; the message lists those it has.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.callbacks.SwapWeights("ema").average
        'ema'

        At each epoch's end, the averaged generator in a file of its own:

        >>> import keras
        >>> def save(epoch, logs):
        ...     gan.generator.save("generator.keras")
        >>> callbacks = [
        ...     tgs.callbacks.SwapWeights("ema", swap_on_epoch=True),
        ...     keras.callbacks.LambdaCallback(on_epoch_end=save),
        ... ]

    Source: Yazici et al. 2019, arXiv 1806.04498: training never sees the averages.
    Departures: none.
    """

    counterpart = "keras.callbacks.SwapEMAWeights"

    def __init__(self, average: str = "ema", swap_on_epoch: bool = False):
        super().__init__()
        self.average = average
        self.swap_on_epoch = swap_on_epoch
        self._previous: list[str] = []

    def set_model(self, model: Any) -> None:
        """Checks that the model has the average."""
        super().set_model(model)
        model.weights_in_use.check(self.average)

    def _swap_in(self) -> None:
        self._previous.append(self.gan.weights_in_use.current)
        self.gan.weights_in_use.switch(self.average)

    def _swap_back(self) -> None:
        self.gan.weights_in_use.switch(self._previous.pop())

    def on_test_begin(self, logs: Any = None) -> None:
        """Puts the average in."""
        self._swap_in()

    def on_test_end(self, logs: Any = None) -> None:
        """Puts back what was in use."""
        self._swap_back()

    def on_predict_begin(self, logs: Any = None) -> None:
        """Puts the average in."""
        self._swap_in()

    def on_predict_end(self, logs: Any = None) -> None:
        """Puts back what was in use."""
        self._swap_back()

    def on_train_begin(self, logs: Any = None) -> None:
        """Forgets what an exception may have left behind."""
        self._previous.clear()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Puts the trained weights back before they are trained on."""
        if self.swap_on_epoch:
            self.gan.weights_in_use.switch(LIVE)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Puts the average in, for the callbacks that follow."""
        if self.swap_on_epoch:
            self.gan.weights_in_use.switch(self.average)

    def on_train_end(self, logs: Any = None) -> None:
        """Leaves the model with the trained weights."""
        if self.swap_on_epoch:
            self.gan.weights_in_use.switch(LIVE)
