"""The last lines of a run: its scores, beside what real images score, and where to look."""

import json
from collections.abc import Sequence
from typing import Any

from tfgan_stab.callbacks.best_checkpoint import best_of
from tfgan_stab.cli.workdir import Workdir
from tfgan_stab.evaluation.evaluate import baselines
from tfgan_stab.evaluation.results import Protocol, ScoreResult, all_of
from tfgan_stab.training.gan import GAN

__all__ = ["report"]


def report(workdir: Workdir, gan: GAN, scores: Sequence[Any], weights: str) -> str:
    """Returns the closing lines.

    Args:
        workdir: Where the run is.
        gan: The trained model.
        scores: The scores that were taken; each can tell its baseline.
        weights: The weights that were drawn and saved.
    """
    lines = [f"\n{gan.steps} steps, {gan.images_seen} images."]
    measured = _measurements(workdir)
    perfect = [baseline for score in scores for baseline in _baselines(score)]
    names = dict.fromkeys(each["score"] for each in measured)
    for name in names:
        own = [each for each in measured if each["score"] == name]
        lines += _table(name, own, [each for each in perfect if each.name == name])
    return "\n".join([*lines, *_places(workdir, weights)])


def _baselines(score: Any) -> list[ScoreResult]:
    """What real images score, by a score that can tell."""
    if hasattr(score, "components"):
        return baselines([score])[0]
    return all_of(score.baseline()) if hasattr(score, "baseline") else []


def _measurements(workdir: Workdir) -> list[dict[str, Any]]:
    if not workdir.metrics.exists():
        return []
    lines = workdir.metrics.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _table(
    name: str, measured: Sequence[dict[str, Any]], perfect: Sequence[ScoreResult]
) -> list[str]:
    """The last value of each weights' score, with the first one beside it, and the baseline."""
    last = max(each["step"] for each in measured)
    first = {each["weights"]: each for each in reversed(measured)}
    ends = [each for each in measured if each["step"] == last]
    rows = [(each["weights"], each["value"], _since(first[each["weights"]])) for each in ends]
    rows += [("baseline", each.value, _standing_in(each.protocol)) for each in perfect]
    lines = [f"  {name} {which:<8}{value:10.3f}  {note}" for which, value, note in rows]
    return [*lines, *(f"  measured as {each}" for each in {e["protocol"] for e in ends})]


def _standing_in(protocol: Protocol) -> str:
    """Says how many real images stood for generated ones."""
    others = protocol.real_samples
    against = "" if others is None else f" against {others} others"
    return f"{'+'.join(map(str, protocol.samples))} real images{against}"


def _since(measurement: dict[str, Any]) -> str:
    return f"from {measurement['value']:.3f} after {measurement['step']} steps"


def _places(workdir: Workdir, weights: str) -> list[str]:
    drawn = sorted([*workdir.samples.glob("*.png"), *workdir.samples.glob("*.txt")])
    places = [("samples", drawn[-1])] if drawn else []
    places += [
        (f"generator ({weights} weights)", workdir.generator),
        ("scores", workdir.metrics),
        ("settings", workdir.config),
    ]
    lines = [f"  {what + ':':<30}{path}" for what, path in places if path.exists()]
    for best in best_of(workdir.best):
        what = f"best {best.result.name} {best.weights}:"
        value = f"{best.result.value:.3f} after {best.step} steps"
        lines.append(f"  {what:<30}{value}, {best.generator}")
    return ["Look at:", *lines, f"  curves: tensorboard --logdir={workdir.path}"]
