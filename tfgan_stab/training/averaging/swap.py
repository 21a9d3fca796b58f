"""Which weights a network holds: the trained ones, or one of their averages.

Swapping copies. Nothing is computed on the way in or out, so the trained weights come back bit for
bit, whatever the averages hold.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import keras
import tensorflow as tf

from tfgan_stab.training import distribution
from tfgan_stab.training.averaging.averaged_weights import AveragedWeights

LIVE = "live"
"""The name of the trained weights."""


class WeightsInUse:
    """Puts averages into networks and the trained weights back.

    Args:
        networks: The generator and the discriminator. The latter's weights are swapped too where
            there are averages of them.
        averages: The averages by name, each of the generator's variables or of both networks'.
    """

    def __init__(self, networks: Sequence[keras.Model], averages: Mapping[str, AveragedWeights]):
        self._networks = networks
        self._averages = averages
        self._live: list[tf.Tensor] = []
        self.current = LIVE

    def check(self, name: str) -> str:
        """Returns `name` if there are such weights.

        Raises:
            ValueError: If there are not; the message lists those there are.
        """
        known = [LIVE, *self._averages]
        if name not in known:
            raise ValueError(
                f"Weights must be one of {known}. Received: {name!r}. Add an average under that "
                f"name: compile(..., averages={{{name!r}: tgs.ExponentialAverage(0.999)}})."
            )
        return name

    def values(self, name: str) -> list[tf.Tensor]:
        """Returns the values of the weights called `name`, in the order of the networks' variables.

        They are the generator's, followed by the discriminator's where there are averages of them;
        an average of the generator alone leaves the discriminator its trained weights.
        """
        self.check(name)
        live = self._live if self.current != LIVE else distribution.read(self._variables)
        if name == LIVE:
            return live
        average = self._averages[name]
        values = distribution.read(average.averages)
        if not average.has_started:  # The weights may have been loaded since it was made.
            values = live[: len(values)]
        if average.finish is not None:
            values = average.finish(values)
        return [*values, *live[len(values) :]]

    def use_classes(self, count: int | None, shares: tuple[int, ...] = ()) -> None:
        """Tells averages the number of classes, if it is known, and how often each comes.

        Raises:
            ValueError: If one of them could not be used without.
        """
        self.use_shares(shares)
        for average in self._averages.values():
            if average.finish is not None:
                average.finish.num_classes = count
                average.finish.check_classes()

    def use_shares(self, shares: tuple[int, ...]) -> None:
        """Tells averages how often each class comes; `()` for as often as the others."""
        for average in self._averages.values():
            if average.finish is not None:
                average.finish.class_shares = shares

    @property
    def _variables(self) -> list[keras.Variable]:
        """All variables that are ever swapped."""
        variables = self._networks[0].variables
        largest = max((len(a.averages) for a in self._averages.values()), default=0)
        return (
            variables if largest <= len(variables) else [*variables, *self._networks[1].variables]
        )

    def switch(self, name: str) -> None:
        """Makes the network hold the weights called `name` until told otherwise."""
        if self.check(name) == self.current:
            return
        values = self.values(name)
        if name == LIVE:
            distribution.write(self._variables, values)
            self.current, self._live = LIVE, []
            return
        # Noted before the first write: should Ctrl-C come between two writes, switching back to the
        # trained weights still writes all of them.
        if self.current == LIVE:
            self._live = self.values(LIVE)
        self.current = name
        distribution.write(self._variables, values)

    @contextlib.contextmanager
    def using(self, name: str) -> Iterator[None]:
        """Holds the weights called `name` inside the `with`; on every way out, those before."""
        before = self.current
        try:
            self.switch(name)
            yield
        finally:
            self.switch(before)
