"""The best checkpoint may be of a step that a guard undoes later, in resumed runs too."""

import json

import numpy as np
import pytest
from poisons import renewed, train

import tfgan_stab as tgs
from tfgan_stab.callbacks.best_checkpoint import best_of
from tfgan_stab.callbacks.checkpoint_files import read_json
from tfgan_stab.evaluation.results import ScoreResult

BestCheckpoint, Checkpoint = tgs.callbacks.BestCheckpoint, tgs.callbacks.Checkpoint


class Scripted:
    """A score with given values by the steps taken; 5 elsewhere."""

    name, samples, seed = "fid", 2, 0

    def __init__(self, gan, values):
        self.gan, self.values, self.seen = gan, values, {}

    def __call__(self, images):
        taken = self.gan.steps_taken
        self.seen[taken] = self.gan.generator.get_weights()
        return ScoreResult(self.name, self.values.get(taken, 5.0), "fid/a@1")


def guarded(directory, gan, values, *callbacks, **settings):
    """Trains with a guard that goes back to step 3; returns the score."""
    score = Scripted(gan, values)
    train(
        gan,
        tgs.callbacks.DivergenceGuard("rollback", every=3),
        tgs.callbacks.Evaluate(score, every=1, weights="live"),
        BestCheckpoint(directory),
        *callbacks,
        **settings,
    )
    return score


@pytest.mark.slow
@pytest.mark.parametrize(
    ("again", "best"), [(5.0, (1.0, 5, 5)), (0.5, (0.5, 5, 8))], ids=["worse", "better"]
)
def test_best_of_an_undone_step_stays_until_there_is_a_better_one(tiny, tmp_path, again, best):
    gan = renewed("simultaneous", 6)
    # Taken are steps 1 to 6, then 4 to 7 again. The seventh scores as well as the fifth.
    values = {5: 1.0, 7: 1.0, 8: again}
    score = guarded(tmp_path, gan, values, epochs=1, steps=10)
    assert (gan.steps, gan.steps_taken, gan.rollback_state.rollbacks) == (7, 10, 1)
    (kept,) = best_of(tmp_path)
    assert (kept.result.value, kept.step, kept.steps_taken) == best
    assert [path.name for path in kept.path.parent.iterdir()] == ["step-0000000005"]
    # Who trains on from it has the weights, the rates and the rollbacks of then.
    tiny.resume(Checkpoint(kept.path.parent), gan)
    for mine, theirs in zip(gan.generator.get_weights(), score.seen[kept.steps_taken], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    slower = 1.0 if kept.steps_taken == 5 else 0.5
    assert float(gan.discriminator_optimizer.learning_rate) == pytest.approx(0.02 * slower)
    assert (gan.steps, gan.rollback_state.rollbacks) == (5, int(kept.steps_taken > 5))


@pytest.mark.slow
def test_run_killed_after_the_rollback_still_has_it(tiny, tmp_path):
    gan = renewed("simultaneous", 5)
    best, checkpoints = tmp_path / "best", tmp_path / "checkpoints"
    # The first epoch ends with step 3 once more: step 4, the best, has been undone.
    with pytest.raises(tiny.Stop, match="after step 5"):
        guarded(best, gan, {4: 1.0}, Checkpoint(checkpoints), tiny.kill(gan, 5))
    assert (gan.steps, gan.steps_taken) == (5, 7)
    gan = renewed("simultaneous")
    guarded(best, gan, {6: 3.0}, Checkpoint(checkpoints))
    assert (gan.steps, gan.steps_taken) == (8, 10)
    (kept,) = best_of(best)
    assert (kept.result.value, kept.step, kept.steps_taken) == (1.0, 4, 4)


@pytest.mark.slow
def test_files_without_the_steps_taken_had_no_rollbacks(tmp_path):
    gan = renewed("simultaneous")
    guarded(tmp_path, gan, {2: 1.0}, epochs=1, steps=2)
    (kept,) = best_of(tmp_path)
    path = kept.path / "score.json"
    content = read_json(path)
    assert content.pop("steps_taken") == 2
    path.write_text(json.dumps(content), encoding="utf-8")
    assert best_of(tmp_path) == [kept]
