"""Trains in two workers with all that runs around a training; run by `test_replicas.py`.

The last line has what a worker has seen, as JSON: the same on both.
"""

import itertools
import json
import pathlib
import sys

import numpy as np
from devices import STRATEGIES

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

import helpers as tiny  # noqa: E402

import tfgan_stab as tgs  # noqa: E402
from tfgan_stab.callbacks.base import ScoreEvent  # noqa: E402
from tfgan_stab.callbacks.best_checkpoint import best_of  # noqa: E402
from tfgan_stab.training.workers import is_chief  # noqa: E402

STRATEGY = STRATEGIES[2]
CHIEF = is_chief(STRATEGY)
FOLDER = pathlib.Path(sys.argv[1])
AVERAGES = {
    "ema": tgs.ExponentialAverage(0.5),
    "anew": tgs.UniformAverage(
        batch_statistics="recalibrate", recalibration_batches=2, recalibration_batch_size=8
    ),
}
WRITTEN = []


def note_writes(event, arguments):
    """Notes what Python opens for writing in the run's folder, renames there or removes."""
    if event in ("open", "os.rename", "shutil.rmtree"):
        path = str(arguments[0])
        writing = event != "open" or any(letter in str(arguments[1]) for letter in "wax+")
        if writing and path.startswith(str(FOLDER)):
            WRITTEN.append(path)


def trained(*callbacks):
    """A GAN after a run of ten steps, and the scores that were published."""
    with STRATEGY.scope():
        tiny.keras.utils.set_random_seed(1)
        gan = tiny.image_gan(AVERAGES, top_k=tgs.TopK(decay=0.8, every=2, floor=0.3))
    events = []
    gan.listeners = [events.append]
    data = tgs.data.digits(batch_size=8)
    history = gan.fit(
        data, epochs=2, steps_per_epoch=5, verbose=0, callbacks=list(callbacks)
    ).history
    scores = [(e.step, e.label, e.result.value) for e in events if isinstance(e, ScoreEvent)]
    assert all(np.isfinite(values).all() for values in history.values()), history
    return gan, scores


def watched():
    """All callbacks that write: the chief alone does, and both see the same scores."""
    run = FOLDER / "run"
    callbacks = [
        tgs.callbacks.RunLog(run),
        tgs.callbacks.SampleGrid(run / "samples", rows=2, columns=2, weights="anew"),
        tgs.callbacks.Evaluate(tiny.MeanScore(samples=20), every=2, at_start=True),
        tgs.callbacks.BestCheckpoint(run / "best"),
        tgs.callbacks.Checkpoint(run / "checkpoints", every=3),
        tgs.callbacks.SwapWeights("anew"),
    ]
    gan, scores = trained(*callbacks)
    assert {label for _, label, _ in scores} == {"mean", "mean_ema", "mean_anew"}, scores
    assert [step for step, label, _ in scores if label == "mean"] == [0, 2, 4, 6, 8, 10], scores
    if CHIEF:
        check_files(run, scores)
    else:
        assert not WRITTEN, WRITTEN
    return scores


def check_files(run, scores):
    """The chief's files hold what was scored, the averages' measured statistics included."""
    steps = [int(path.name[5:]) for path in sorted((run / "checkpoints").glob("step-*"))]
    assert steps == [6, 9, 10], steps
    assert len(list((run / "samples").glob("*.png"))) == 2
    lines = tiny.lines(run / "metrics.jsonl")
    for best in best_of(run / "best"):
        label = "mean" if best.weights == "live" else f"mean_{best.weights}"
        assert best.result.value == min(v for _, name, v in scores if name == label)
        logged = [line["value"] for line in lines if line["weights"] == best.weights]
        assert best.result.value in logged, (label, logged)
        generator = tiny.keras.models.load_model(best.generator, compile=False)
        gan = tgs.GAN(generator, tiny.image_networks()[1], latents=3)
        batches = gan.sample_batches(20, seed=tiny.MeanScore().seed)
        np.testing.assert_allclose(
            tiny.MeanScore(samples=20)(batches).value, best.result.value, 1e-5
        )


def postponed():
    """Scores wait by the chief's clock; the other's stands still and has always room."""
    score = tiny.MeanScore(samples=20)
    evaluate = tgs.callbacks.Evaluate(score, every=1, weights="live", max_share=0.25)
    clock = itertools.count() if CHIEF else itertools.repeat(0)
    evaluate.share._now = lambda: float(next(clock))
    _, scores = trained(evaluate)
    assert 1 < len(scores) < 10 and evaluate.postponed > 0, scores
    return [*scores, evaluate.postponed]


sys.addaudithook(note_writes)
seen = {"watched": watched(), "postponed": postponed()}
print(json.dumps(seen))
