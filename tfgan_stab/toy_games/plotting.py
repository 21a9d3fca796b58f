"""Plots runs of a game: the players' path, and their distance to the solution by cost.

The only module of this package that needs matplotlib.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.animation import PillowWriter
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tfgan_stab.toy_games.trajectory import Trajectory

__all__ = [
    "animate",
    "draw",
]

# Okabe and Ito's palette, safe for colour-blind readers, without its yellow, which white hides.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES = ("-", "--", ":")
_FRAMES, _FRAMES_PER_SECOND, _FRAMES_DPI = 36, 12, 64
# Multiples of the start's distance: what goes beyond has diverged and leaves the picture.
_WIDEST, _FURTHEST = 2.0, 30.0
_NEAREST = 1e-10


def draw(runs: Mapping[str, Trajectory], path: pathlib.Path, title: str = "") -> None:
    """Writes a PNG: trajectories on the left, distance by cost on the right.

    The left panel shows the first number of each player, for the first of several runs played at
    once. The right panel shows the distance of both players together, the mean of all runs, over
    field evaluations, so that schemes are compared at equal cost. Diverging runs leave the picture.

    Args:
        runs: Trajectories of one game, by the name to show.
        path: Where to write; ends in `.png`.
        title: The title above both panels.

    Raises:
        ValueError: If there are no runs.
    """
    figure, _ = _figure(runs, title)
    figure.savefig(path, dpi=150)


def animate(runs: Mapping[str, Trajectory], path: pathlib.Path, title: str = "") -> None:
    """Writes a GIF that draws the same picture step by step, at equal cost for all schemes.

    Args:
        runs: Trajectories of one game, by the name to show.
        path: Where to write; ends in `.gif`.
        title: The title above both panels.

    Raises:
        ValueError: If there are no runs.
    """
    figure, lines = _figure(runs, title)
    most = max(run.evaluations for run in runs.values())
    # The layout is computed once: repeating it for every frame would take most of the time.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    writer = PillowWriter(fps=_FRAMES_PER_SECOND)
    with writer.saving(figure, str(path), dpi=_FRAMES_DPI):
        for frame in range(_FRAMES + 1):
            spent = most * frame / _FRAMES
            for name, run in runs.items():
                end = 1 + int(run.steps * min(1.0, spent / run.evaluations))
                for line, (xs, ys) in zip(lines[name], _curves(run), strict=True):
                    line.set_data(xs[:end], ys[:end])
            writer.grab_frame()


def _figure(
    runs: Mapping[str, Trajectory], title: str
) -> tuple[Figure, dict[str, tuple[Line2D, Line2D]]]:
    """Returns the figure, and both lines of each run."""
    if not runs:
        raise ValueError("`runs` must hold at least one trajectory. Received none.")
    figure = Figure(figsize=(11.0, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    plane, costs = figure.subplots(1, 2, width_ratios=(1.0, 1.15))
    lines: dict[str, tuple[Line2D, Line2D]] = {}
    for number, (name, run) in enumerate(runs.items()):
        style: dict[str, Any] = {
            "color": _COLOURS[number % len(_COLOURS)],
            "linestyle": _STYLES[number // len(_COLOURS) % len(_STYLES)],
            # Each line is thinner than those below it.
            "linewidth": 2.4 - 1.0 * number / max(1, len(runs) - 1),
            "alpha": 0.9,
        }
        path, by_cost = _curves(run)
        lines[name] = (
            plane.plot(*path, label=name, **style)[0],
            costs.plot(*by_cost, **style)[0],
        )
    _finish_plane(plane, list(runs.values()))
    _finish_costs(costs, list(runs.values()))
    figure.suptitle(title)
    figure.legend(loc="outside lower center", ncols=min(len(runs) + 2, 6), frameon=False)
    return figure, lines


def _curves(run: Trajectory) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Returns the data of both lines, up to where numbers overflow."""
    x, y = (own.reshape(len(own), -1)[:, 0] for own in run.points)
    distances = _mean_distances(run)
    cost = np.linspace(0, run.evaluations, run.steps + 1)
    end = len(x) if np.isfinite(distances).all() else int(np.argmin(np.isfinite(distances)))
    return (x[:end], y[:end]), (cost[:end], distances[:end])


def _finish_plane(axes: Axes, runs: list[Trajectory]) -> None:
    x, y = (float(own.reshape(len(own), -1)[0, 0]) for own in runs[0].points)
    solution = tuple(float(own.reshape(-1)[0]) for own in runs[0].solution)
    mark: dict[str, Any] = {"linestyle": "none", "color": "black", "zorder": 5, "clip_on": False}
    axes.plot([x], [y], marker="o", markersize=8, markerfacecolor="white", label="start", **mark)
    axes.plot([solution[0]], [solution[1]], marker="*", markersize=13, label="solution", **mark)
    start = float(np.hypot(x - solution[0], y - solution[1]))
    reach = max(_reach(run, solution, start) for run in runs)
    axes.set_xlim(solution[0] - reach, solution[0] + reach)
    axes.set_ylim(solution[1] - reach, solution[1] + reach)
    axes.set_aspect("equal")
    several = runs[0].points.generator.shape[-1] > 1
    axes.set_xlabel("generator" + (", first of its numbers" if several else ""))
    axes.set_ylabel("discriminator" + (", first of its numbers" if several else ""))
    axes.grid(alpha=0.25)


def _reach(run: Trajectory, solution: tuple[float, ...], start: float) -> float:
    """Returns how far around the solution the picture must reach to show a run that stays near."""
    (x, y), _ = _curves(run)
    furthest = float(np.hypot(x - solution[0], y - solution[1]).max(initial=0.0))
    start = start or 1.0
    return 1.12 * min(max(furthest, start), _WIDEST * start)


def _finish_costs(axes: Axes, runs: list[Trajectory]) -> None:
    start = float(_mean_distances(runs[0])[0]) or 1.0
    seen = np.concatenate([[start], *(_curves(run)[1][1] for run in runs)])
    axes.set_yscale("log")
    axes.set_ylim(max(_NEAREST * start, 0.5 * seen.min()), min(_FURTHEST * start, 2.0 * seen.max()))
    axes.set_xlim(0, max(run.evaluations for run in runs))
    axes.axhline(start, color="grey", linewidth=0.8, linestyle=(0, (2, 3)), zorder=0)
    axes.set_xlabel("field evaluations (equal cost)")
    axes.set_ylabel("distance to the solution")
    axes.grid(alpha=0.25)


def _mean_distances(run: Trajectory) -> np.ndarray:
    return run.distances.reshape(run.steps + 1, -1).mean(axis=1)


def __dir__() -> list[str]:
    return sorted(__all__)
