"""Steps from where it stands, with the slope found one trial step ahead."""

import dataclasses
from typing import Any

from tfgan_stab._utils import validation
from tfgan_stab.game.players import Players
from tfgan_stab.updates.scheme import Game, Scheme, check_batches


@dataclasses.dataclass(frozen=True)
class Extragradient(Scheme):
    """Takes a trial step with both players, and steps from the start with the trial point's slope.

    With field v and the players' optimizers as `extrapolate` (trial) and `update`::

        w' = extrapolate(w, v(w))
        w <- update(w, v(w'))

    With `SGD` this is the extragradient method; with `Adam` it is ExtraAdam.

    Args:
        state: "shared" if trial steps and updates share one optimizer state, which both advance
            (the ExtraAdam of Gidel et al.); "separate" if trial steps have optimizers of their own
            (as the authors of lookahead-minmax train).
        batches: "shared" to use the same minibatch in both evaluations; "fresh" for one each.

    Raises:
        ValueError: If an argument is neither of its two values.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.Extragradient(batches="fresh").minibatches
        2

    Source: Korpelevich 1976; Gidel et al. 2019, arXiv 1802.10551, algorithm 4 (ExtraAdam; number
        from memory).
    Departures: both players extrapolate at once, by one update each, as in the papers; the code of
        the authors of lookahead-minmax has several of the discriminator in each evaluation.
    """

    state: str = "shared"
    batches: str = "shared"

    def __post_init__(self) -> None:
        validation.choice(
            "state",
            self.state,
            ("shared", "separate"),
            'Use "shared": one optimizer state for trial steps and updates.',
        )
        check_batches(self.batches)

    @property
    def minibatches(self) -> int:
        """One minibatch, or one for each evaluation."""
        return 2 if self.batches == "fresh" else 1

    @property
    def evaluations(self) -> int:
        """Two evaluations of both players' slopes."""
        return 2

    @property
    def separate_extrapolation(self) -> bool:
        """Whether trial steps need optimizers of their own."""
        return self.state == "separate"

    @property
    def first_weight(self) -> float:
        """Nothing: the first slope only leads to the trial point."""
        return 0.0

    def step(self, game: Game, params: Players, state: Any) -> tuple[Players, Any]:
        """Takes one step."""
        trial = game.extrapolate(params, game.field(params))
        return game.update(params, game.field(trial, self.minibatches - 1)), state
