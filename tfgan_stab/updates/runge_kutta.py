"""The one integrator: any explicit Runge-Kutta method, both players jointly."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfgan_stab._utils.serialization import Serializable
from tfgan_stab.game.players import Players
from tfgan_stab.updates.scheme import Game, Scheme, check_batches

TOLERANCE = 1e-12
HIGHEST = 4  # The order up to which claims are checked.


@dataclasses.dataclass(frozen=True)
class Tableau(Serializable):
    """An explicit Runge-Kutta method.

    Stage i is evaluated at `w + h sum_j a[i][j] k_j`, which gives the slope k_i; the step is
    `w + h sum_i b[i] k_i`.

    Args:
        name: What the method is called.
        a: Row i holds i numbers: where stage i is evaluated. The first row is empty.
        b: One weight per stage; they sum to 1.
        order: The power of h by which the error of many steps falls, an integer from 1 to 4. A
            method of higher order claims 4.

    Raises:
        ValueError: If the rows do not have these lengths, a coefficient is not finite, the weights
            do not sum to 1, or the coefficients cannot have the order they claim.

    Example:
        >>> Tableau("heun", a=((), (1.0,)), b=(0.5, 0.5), order=2).stages
        2

    Source: Hairer, Norsett and Wanner 1993, "Solving Ordinary Differential Equations I",
        section II.1: definition 1.1, and theorem 2.1's conditions up to order 4.
    """

    name: str
    a: tuple[tuple[float, ...], ...]
    b: tuple[float, ...]
    order: int

    def __post_init__(self) -> None:
        # Lists, as a configuration file has them, become tuples.
        try:
            object.__setattr__(self, "a", tuple(tuple(map(float, row)) for row in self.a))
            object.__setattr__(self, "b", tuple(map(float, self.b)))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"Tableau {self.name!r}: `a` must be rows of numbers and `b` numbers. Received: "
                f"a={self.a!r}, b={self.b!r}. Heun's are a=((), (1.0,)), b=(0.5, 0.5)."
            ) from error
        lengths = [len(row) for row in self.a]
        if not self.b or lengths != list(range(len(self.b))):
            raise ValueError(
                f"Tableau {self.name!r}: `a` must have one row per weight in `b`, row i with i "
                f"numbers (an explicit method). Received: rows of {lengths} numbers, "
                f"{len(self.b)} weights. The first row is empty: a=((), (0.5,))."
            )
        if not all(map(math.isfinite, [*self.b, *(x for row in self.a for x in row)])):
            raise ValueError(
                f"Tableau {self.name!r}: coefficients must be finite numbers. Received: "
                f"a={self.a}, b={self.b}."
            )
        if abs(sum(self.b) - 1.0) > TOLERANCE:
            raise ValueError(
                f"Tableau {self.name!r}: the weights `b` must sum to 1, or a step would not go "
                f"along the field. Received: {self.b}, which sum to {sum(self.b)}."
            )
        self._check_order()

    def _check_order(self) -> None:
        number = isinstance(self.order, int) and not isinstance(self.order, bool)
        if not number or not 1 <= self.order <= HIGHEST:
            raise ValueError(
                f"Tableau {self.name!r}: `order` must be an integer from 1 to {HIGHEST}, up to "
                f"which it is checked. Received: {self.order!r}. Claim order={HIGHEST} for more."
            )
        for order, sums in self._conditions().items():
            if order <= self.order and any(abs(got - want) > TOLERANCE for got, want in sums):
                raise ValueError(
                    f"Tableau {self.name!r}: the coefficients must satisfy the conditions of "
                    f"order {order}. Received: {[got for got, _ in sums]} instead of "
                    f"{[want for _, want in sums]}. Correct them, or claim order={order - 1}."
                )

    def _conditions(self) -> dict[int, list[tuple[float, float]]]:
        """Returns, for each order up to 4, the sums over rooted trees and what they must be."""
        b, c = self.b, [sum(row) for row in self.a]

        def through(values: list[float]) -> list[float]:
            return [sum(x * v for x, v in zip(row, values, strict=False)) for row in self.a]

        def weighted(values: list[float]) -> float:
            return sum(x * v for x, v in zip(b, values, strict=True))

        squares = [x * x for x in c]
        inner = through(c)
        return {
            2: [(weighted(c), 1 / 2)],
            3: [(weighted(squares), 1 / 3), (weighted(inner), 1 / 6)],
            4: [
                (weighted([x**3 for x in c]), 1 / 4),
                (weighted([x * y for x, y in zip(c, inner, strict=True)]), 1 / 8),
                (weighted(through(squares)), 1 / 12),
                (weighted(through(inner)), 1 / 24),
            ],
        }

    @property
    def stages(self) -> int:
        """Evaluations of the field in one step."""
        return len(self.b)


EULER = Tableau("euler", a=((),), b=(1.0,), order=1)
MIDPOINT = Tableau("midpoint", a=((), (1 / 2,)), b=(0.0, 1.0), order=2)
HEUN = Tableau("heun", a=((), (1.0,)), b=(1 / 2, 1 / 2), order=2)
RALSTON = Tableau("ralston", a=((), (2 / 3,)), b=(1 / 4, 3 / 4), order=2)
RK4 = Tableau(
    "rk4",
    a=((), (1 / 2,), (0.0, 1 / 2), (0.0, 0.0, 1.0)),
    b=(1 / 6, 1 / 3, 1 / 3, 1 / 6),
    order=4,
)
TABLEAUS = {tableau.name: tableau for tableau in (EULER, MIDPOINT, HEUN, RALSTON, RK4)}


def as_tableau(tableau: Tableau | str) -> Tableau:
    """Returns a tableau by its name, or as it is.

    Raises:
        TypeError: If it is neither a tableau nor a name.
        ValueError: If no tableau has this name.
    """
    if isinstance(tableau, Tableau):
        return tableau
    if not isinstance(tableau, str):
        raise TypeError(
            "`tableau` must be a Tableau such as tgs.HEUN or tgs.RK4, or its name. Received: "
            f"{tableau!r}."
        )
    if tableau not in TABLEAUS:
        raise ValueError(
            f"`tableau` must be one of {sorted(TABLEAUS)}, or a Tableau of your own. Received: "
            f"{tableau!r}."
        )
    return TABLEAUS[tableau]


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


def combined(weights: Sequence[float], slopes: Sequence[Players]) -> Players:
    """Returns `sum_i weights[i] slopes[i]`; a weight of 0 costs nothing.

    Args:
        weights: One number per evaluation, not all 0.
        slopes: Slopes of both players.
    """
    used = [(w, s) for w, s in zip(weights, slopes, strict=True) if w != 0.0]
    factors = [w for w, _ in used]
    return tf.nest.map_structure(lambda *ks: _sum(factors, ks), *(s for _, s in used))


def displaced(
    params: Players, step_sizes: Players, weights: Sequence[float], slopes: Sequence[Players]
) -> Players:
    """Returns `params + h sum_i weights[i] slopes[i]` with one h per player.

    Args:
        params: Both players' weights.
        step_sizes: Both players' h.
        weights: One number per evaluation; none, or all 0, gives `params` itself.
        slopes: Slopes of both players.
    """
    if not any(weights):
        return params
    total = combined(weights, slopes)
    return Players(
        *(
            tf.nest.map_structure(lambda w, k, h=h: w + _as(h, w.dtype) * k, own, slope)
            for own, slope, h in zip(params, total, step_sizes, strict=True)
        )
    )


def _as(step_size: Any, dtype: tf.DType) -> tf.Tensor:
    # tf.cast would round a Python number to float32 on its way to float64.
    cast = tf.cast if tf.is_tensor(step_size) else tf.constant
    return cast(step_size, dtype)


def _sum(factors: Sequence[float], values: Sequence[tf.Tensor]) -> tf.Tensor:
    # TensorFlow sorts the terms of a sum in a graph by their names. In a scope of their own their
    # order, and so the rounding, does not depend on how many names were taken before.
    with tf.name_scope("weighted_sum"):
        terms = [v if f == 1.0 else f * v for f, v in zip(factors, values, strict=True)]
        return terms[0] if len(terms) == 1 else tf.add_n(terms)
