"""Every scheme, once, and a small GAN to hold each to the same promises.

A new scheme takes one line in `SCHEMES`: its name, itself, and what makes a plain NumPy program
that plays it, a function `(game, params, minibatches) -> params` (`naive_gan.py` has the game).
"""

import pytest

from tfgan_stab.updates.alternating import Alternating
from tfgan_stab.updates.extragradient import Extragradient
from tfgan_stab.updates.lookahead import Lookahead
from tfgan_stab.updates.optimistic import OptimisticGradient
from tfgan_stab.updates.runge_kutta import EULER, HEUN, MIDPOINT, RALSTON, RK4, RungeKutta
from tfgan_stab.updates.simultaneous import Simultaneous


def simultaneous(game, params, minibatches):
    slopes = [game.slope(player, params, minibatches[0]) for player in (0, 1)]
    return [game.update(player, params[player], slopes[player]) for player in (0, 1)]


def alternating(game, params, minibatches):
    generator, discriminator = params
    for minibatch in minibatches:
        slope = game.slope(1, (generator, discriminator), minibatch)
        discriminator = game.update(1, discriminator, slope)
    slope = game.slope(0, (generator, discriminator), minibatches[-1])
    return [game.update(0, generator, slope), discriminator]


def alternating_reused(game, params, minibatches):
    """The generator has noise of its own, on the same data."""
    generator, discriminator = params
    for minibatch in minibatches[:-1]:
        slope = game.slope(1, (generator, discriminator), minibatch)
        discriminator = game.update(1, discriminator, slope)
    slope = game.slope(0, (generator, discriminator), minibatches[-1])
    return [game.update(0, generator, slope), discriminator]


def runge_kutta(a, b):
    """Coefficients written out again, so that a slip in the package's is seen."""

    def mean(factors, slopes, player, i):
        return sum(f * s[player][i] for f, s in zip(factors, slopes, strict=True))

    def play(game, params, minibatches):
        slopes = []
        for stage, row in enumerate(a):
            trial = [
                [
                    w + game.optimizers[player].rate * mean(row, slopes, player, i)
                    for i, w in enumerate(params[player])
                ]
                for player in (0, 1)
            ]
            minibatch = minibatches[stage % len(minibatches)]
            slopes.append([game.slope(player, trial, minibatch) for player in (0, 1)])
        means = [
            [mean(b, slopes, player, i) for i in range(len(params[player]))] for player in (0, 1)
        ]
        return [game.update(player, params[player], means[player]) for player in (0, 1)]

    return play


def extragradient(game, params, minibatches):
    slopes = [game.slope(player, params, minibatches[0]) for player in (0, 1)]
    trial = [game.extrapolate(player, params[player], slopes[player]) for player in (0, 1)]
    slopes = [game.slope(player, trial, minibatches[-1]) for player in (0, 1)]
    return [game.update(player, params[player], slopes[player]) for player in (0, 1)]


def optimistic():
    memory = []

    def play(game, params, minibatches):
        moved = simultaneous(game, params, minibatches)
        steps = [
            [m - w for m, w in zip(*pair, strict=True)] for pair in zip(moved, params, strict=True)
        ]
        previous = memory.pop() if memory else steps
        memory.append(steps)
        return [
            [w + 2 * d - e for w, d, e in zip(*own, strict=True)]
            for own in zip(params, steps, previous, strict=True)
        ]

    return play


def lookahead(inner, period, alpha, super_period=None):
    snapshots = {}
    steps = [0]

    def synchronized(name, params):
        slow = snapshots[name]
        snapshots[name] = [
            [s + alpha * (w - s) for s, w in zip(*own, strict=True)]
            for own in zip(slow, params, strict=True)
        ]
        return snapshots[name]

    def play(game, params, minibatches):
        if not snapshots:
            snapshots.update(slow=params, super_slow=params)
        params = inner(game, params, minibatches)
        steps[0] += 1
        if steps[0] % period == 0:
            params = synchronized("slow", params)
            overwrite_inner(params)
        if super_period and steps[0] % super_period == 0:
            params = snapshots["slow"] = synchronized("super_slow", params)
            overwrite_inner(params)
        return params

    def overwrite_inner(params):
        if hasattr(inner, "overwrite"):
            inner.overwrite(params)

    def overwrite(params):
        snapshots.update(slow=params, super_slow=params)
        overwrite_inner(params)

    play.overwrite = overwrite
    return play


HALF, THIRD, SIXTH = 1 / 2, 1 / 3, 1 / 6
AS_RK4 = runge_kutta([[], [HALF], [0, HALF], [0, 0, 1]], [SIXTH, THIRD, THIRD, SIXTH])

SCHEMES = {
    "simultaneous": (Simultaneous(), lambda: simultaneous),
    "alternating": (Alternating(), lambda: alternating),
    "alternating_3": (Alternating(3), lambda: alternating),
    "alternating_reused": (Alternating(2, reuse_batch=True), lambda: alternating_reused),
    "euler": (RungeKutta(EULER), lambda: simultaneous),
    "midpoint": (RungeKutta(MIDPOINT), lambda: runge_kutta([[], [HALF]], [0, 1])),
    "heun": (RungeKutta(HEUN), lambda: runge_kutta([[], [1]], [HALF, HALF])),
    "ralston": (RungeKutta(RALSTON), lambda: runge_kutta([[], [2 / 3]], [1 / 4, 3 / 4])),
    "rk4": (RungeKutta(RK4), lambda: AS_RK4),
    "rk4_fresh": (RungeKutta(RK4, batches="fresh"), lambda: AS_RK4),
    "extragradient": (Extragradient(), lambda: extragradient),
    "extragradient_fresh": (Extragradient(batches="fresh"), lambda: extragradient),
    "extragradient_separate": (Extragradient(state="separate"), lambda: extragradient),
    "optimistic": (OptimisticGradient(), optimistic),
    "lookahead": (
        Lookahead(Alternating(), sync_period=2, slow_step_size=0.3),
        lambda: lookahead(alternating, 2, 0.3),
    ),
    "lookahead_of_extragradient": (
        Lookahead(Extragradient(), sync_period=1, slow_step_size=0.5, super_slow_period=2),
        lambda: lookahead(extragradient, 1, 0.5, 2),
    ),
    "lookahead_of_lookahead": (
        Lookahead(Lookahead(Simultaneous(), 1, 0.5), sync_period=2, slow_step_size=0.25),
        lambda: lookahead(lookahead(simultaneous, 1, 0.5), 2, 0.25),
    ),
}

# Relatives of these are left to the exhaustive run, where a test is about something else than the
# scheme itself.
USUAL = {
    "simultaneous",
    "alternating",
    "alternating_3",
    "midpoint",
    "rk4",
    "rk4_fresh",
    "extragradient_separate",
    "optimistic",
    "lookahead",
    "lookahead_of_extragradient",
}

# In every run, where a test takes a second for each scheme.
QUICK = {"simultaneous", "alternating_3", "rk4", "lookahead", "extragradient_separate"}

# Of these, one for each way to go through a step, for tests that take seconds for each scheme.
FEW = {"alternating_3", "rk4_fresh", "extragradient_separate", "lookahead_of_extragradient"}


def chosen(quick, usual=USUAL):
    """Marks a test's schemes: quick ones for every run, usual ones slow, relatives exhaustive."""

    def marks(name):
        more = [] if name in usual else [pytest.mark.exhaustive]
        return [] if name in quick else [pytest.mark.slow, *more]

    return pytest.mark.parametrize("name", [pytest.param(n, marks=marks(n)) for n in SCHEMES])
