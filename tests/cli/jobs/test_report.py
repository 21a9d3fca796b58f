"""The last lines of a run."""

import json
import re

import pytest

pytestmark = pytest.mark.slow  # A run is trained first.


@pytest.mark.exhaustive
def test_report_names_the_best_checkpoints(finished):
    workdir, printed = finished
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    for weights in ("live", "ema"):
        best = min((each for each in lines if each["weights"] == weights), key=lambda e: e["value"])
        best_line = f"{best['value']:.3f} after {best['step']} steps, {workdir}/best/"
        assert re.search(rf"best fid {weights}: +{re.escape(best_line)}\S+generator.keras", printed)


def test_report_shows_scores_baseline_and_paths(finished):
    workdir, printed = finished
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    closing = printed[printed.index("6 steps, 48 images.") :]
    for line in lines[-2:]:
        assert f"fid {line['weights']:<8}{line['value']:10.3f}  from " in closing
    assert re.search(r"fid live +[\d.]+  from [\d.]+ after 0 steps", closing)
    assert re.search(r"fid baseline +[\d.]+  100 real images against 1697 others", closing)
    for name in ("samples/step-00000006.png", "generator.keras", "metrics.jsonl", "config.gin"):
        assert str(workdir / name) in closing
