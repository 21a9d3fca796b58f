"""Plays update schemes on a small game, prints a table and draws a picture."""

from collections.abc import Callable, Iterator

from tfgan_stab.cli.flags.play_game import LOOKAHEAD, GameSettings, Numbers
from tfgan_stab.toy_games import plotting
from tfgan_stab.toy_games.base import KnownGame
from tfgan_stab.toy_games.bilinear import Bilinear
from tfgan_stab.toy_games.linear import DampedRotation, RandomLinear
from tfgan_stab.toy_games.nonlinear import DiracGAN, Saddle
from tfgan_stab.toy_games.play import play
from tfgan_stab.toy_games.trajectory import Trajectory
from tfgan_stab.updates.alternating import Alternating
from tfgan_stab.updates.extragradient import Extragradient
from tfgan_stab.updates.lookahead import Lookahead
from tfgan_stab.updates.optimistic import OptimisticGradient
from tfgan_stab.updates.runge_kutta import EULER, HEUN, MIDPOINT, RALSTON, RK4, RungeKutta
from tfgan_stab.updates.scheme import Scheme
from tfgan_stab.updates.simultaneous import Simultaneous

_GAMES: dict[str, Callable[[int], KnownGame]] = {
    "bilinear": lambda seed: Bilinear(),
    "damped_rotation": lambda seed: DampedRotation(damping=0.1),
    "dirac_gan": lambda seed: DiracGAN(),
    "full_batch_problem": lambda seed: Bilinear.full_batch_problem(range(5)),
    "random_linear": lambda seed: RandomLinear(seed=seed),
    "saddle": lambda seed: Saddle(),
    "stochastic_problem": lambda seed: Bilinear.stochastic_problem(64, seed),
}
_SCHEMES: dict[str, Callable[[], Scheme]] = {
    "simultaneous": Simultaneous,
    "alternating": Alternating,
    "euler": lambda: RungeKutta(EULER),
    "midpoint": lambda: RungeKutta(MIDPOINT),
    "heun": lambda: RungeKutta(HEUN),
    "ralston": lambda: RungeKutta(RALSTON),
    "rk4": lambda: RungeKutta(RK4),
    "extragradient": Extragradient,
    "optimistic": OptimisticGradient,
}
_HEADINGS = ("scheme", "distance at end", "factor per step", "evaluations")


def play_all(settings: GameSettings) -> Iterator[str]:
    """Plays every scheme, draws them, and yields the lines to print.

    Args:
        settings: What to play.

    Raises:
        OSError: If a picture cannot be written.
    """
    numbers = settings.numbers
    generator, discriminator = numbers.step_sizes
    title = (
        f"{settings.game}: {numbers.steps} steps, step sizes {generator:g} and {discriminator:g}"
    )
    table, runs = played(settings)
    yield from (title, "", *table, "")
    plotting.draw(runs, settings.picture, title)
    yield f"Drawn: {settings.picture}"
    if settings.animate:
        animation = settings.picture.with_suffix(".gif")
        plotting.animate(runs, animation, title)
        yield f"Drawn: {animation}"


def played(settings: GameSettings) -> tuple[list[str], dict[str, Trajectory]]:
    """Plays every scheme.

    Args:
        settings: What to play.

    Returns:
        The table's lines, and the trajectories by the schemes' names.
    """
    numbers = settings.numbers
    game = _GAMES[settings.game](settings.seed)
    table, runs = [_row(*_HEADINGS)], {}
    for name in settings.schemes:
        scheme = scheme_named(name, numbers)
        run = play(game, scheme, numbers.step_sizes, numbers.steps, seed=settings.seed)
        distance = f"{run.distances[-1].mean():.4g}"
        table.append(_row(name, distance, f"{run.factor:.6f}", str(run.evaluations)))
        runs[name] = run
    return table, runs


def scheme_named(name: str, numbers: Numbers) -> Scheme:
    """Returns the scheme that a name on the command line stands for.

    Args:
        name: A name as `GameSettings.schemes` holds it.
        numbers: Those of lookahead are used.
    """
    if not name.startswith(LOOKAHEAD):
        return _SCHEMES[name]()
    inner = name.removeprefix(LOOKAHEAD).removeprefix("-") or "simultaneous"
    return Lookahead(_SCHEMES[inner](), numbers.sync_period, numbers.slow_step_size)


def _row(scheme: str, *cells: str) -> str:
    return f"{scheme:<24}" + "".join(f"{cell:>17}" for cell in cells)
