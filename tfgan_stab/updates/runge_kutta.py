"""The one integrator: any explicit Runge-Kutta method, both players jointly."""

import dataclasses
from typing import Any

from tfgan_stab.game.players import Players
from tfgan_stab.updates.arithmetic import check_batches, combined, displaced
from tfgan_stab.updates.scheme import Game, Scheme
from tfgan_stab.updates.tableaus import Tableau, as_tableau


@dataclasses.dataclass(frozen=True)
class RungeKutta(Scheme):
    """Follows the field through several trial points, then takes one step along a mean slope.

    With step sizes h (one per player), field v and tableau (a, b)::

        k_i = v(w + h sum_j a_ij k_j)        both players at the same trial point
        w  <- update(w, sum_i b_i k_i)

    With plain `SGD` (no momentum, clipping or decay) as both optimizers the update is
    `w + h sum_i b_i k_i`: exactly Runge-Kutta, with the learning rates as step sizes, schedules
    followed. Another optimizer applies its own rule, once a step, to the mean slope: its momentum
    and its scaling never see a trial point, but trial points are still a learning rate times a
    slope away, not one of its own steps.

    Args:
        tableau: The coefficients: `tgs.EULER`, `MIDPOINT`, `HEUN`, `RALSTON`, `RK4`, your own, or a
            name such as "rk4".
        batches: "shared" to use the same minibatch in all stages, as their notebook does; "fresh"
            for a minibatch and noise of its own per stage, as their CIFAR-10 code does.

    Raises:
        TypeError: If `tableau` is no `Tableau`.
        ValueError: If there is no tableau of that name, or `batches` is neither of its values.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.RungeKutta(tgs.RK4).evaluations
        4

    Source: Qin et al. 2020 (ODE-GAN), arXiv 2010.15040, algorithm 1 (number from memory); the
        tableaus as in their released CIFAR-10 code.
    Departures: none. (Their notebook integrates each player with the other one frozen, and its
        second-order method is of first order; the released CIFAR-10 code and this do neither.)
    """

    tableau: Tableau | str
    batches: str = "shared"

    def __post_init__(self) -> None:
        object.__setattr__(self, "tableau", as_tableau(self.tableau))
        check_batches(self.batches)

    @property
    def _coefficients(self) -> Tableau:
        return as_tableau(self.tableau)

    @property
    def minibatches(self) -> int:
        """One minibatch, or one for each stage."""
        return self._coefficients.stages if self.batches == "fresh" else 1

    @property
    def evaluations(self) -> int:
        """One evaluation of both players' slopes per stage."""
        return self._coefficients.stages

    @property
    def first_weight(self) -> float:
        """The tableau's first weight."""
        return self._coefficients.b[0]

    def step(self, game: Game, params: Players, state: Any) -> tuple[Players, Any]:
        """Takes one step."""
        slopes: list[Players] = []
        for stage, row in enumerate(self._coefficients.a):
            trial = displaced(params, game.step_sizes, row, slopes)
            slopes.append(game.field(trial, stage % self.minibatches))
        return game.update(params, combined(self._coefficients.b, slopes)), state
