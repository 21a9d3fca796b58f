"""Ends a run by an exception in the midst of all periods, and starts it again on new models.

Run by `test_replicas.py` with a folder and the number of replicas, 1 or 2, in a process of its own
or in two workers.
"""

import pathlib
import sys

import numpy as np
import tensorflow as tf
from devices import STRATEGIES
from two_replicas import ROWS, changed, check_copies, keras, networks

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

import helpers as tiny  # noqa: E402

import tfgan_stab as tgs  # noqa: E402

FOLDER, STRATEGY = pathlib.Path(sys.argv[1]), STRATEGIES[int(sys.argv[2])]
EPOCHS, EPOCH = 2, 6
# A row of the last replica is spoiled in this step: the guard goes back by one, to the checkpoint.
SPOILED, SAVED, KILLED, ENDS = 4, 6, 8, 11


def made():
    with STRATEGY.scope():
        keras.utils.set_random_seed(1)
        gan = tgs.GAN(*networks(True), latents=3)
        schedule = keras.optimizers.schedules.PolynomialDecay(0.05, 100, 0.01)
        gan.compile(
            keras.optimizers.Adam(schedule, beta_1=0.5),
            keras.optimizers.Adam(0.02, beta_1=0.5),
            scheme=tgs.Lookahead(tgs.Extragradient(state="separate"), sync_period=5),
            penalties=[tgs.R1(0.5), tgs.GeneratorGradientNorm(0.3)],
            top_k=tgs.TopK(decay=0.8, every=2, floor=0.3, scope="global"),
            averages={
                "ema": tgs.ExponentialAverage(0.5),
                "slow": tgs.UniformAverage(at="sync"),
                "anew": tgs.ExponentialAverage(0.7, batch_statistics="recalibrate"),
            },
            jit_compile=False,
            check_derivatives=False,
            seed=2,
        )
    return gan


def trained(folder, *callbacks, data):
    """Returns the model after a run, and the scores that were logged."""
    gan = made()
    rollback = tgs.callbacks.DivergenceGuard("rollback", every=2)
    saving = tgs.callbacks.Checkpoint(FOLDER / folder, every=3, keep=10)
    scoring = tgs.callbacks.Evaluate(tiny.MeanScore(samples=10), every=4)
    found = [saving, scoring, rollback, *(each(gan) for each in callbacks)]
    arguments = {"epochs": EPOCHS, "steps_per_epoch": EPOCH, "verbose": 0}
    logs = gan.fit(data, callbacks=found, **arguments).history
    return gan, {name: values for name, values in logs.items() if name.startswith("mean")}


def kill(gan):
    """Ends the run once so many steps are done."""
    return tiny.kill(gan, KILLED)


def batches():
    rows = np.random.RandomState(0).normal(size=[EPOCHS * EPOCH, ROWS, 2]).astype("float32")
    rows[SPOILED - 1, -1, 0] = np.nan
    return tf.data.Dataset.from_tensor_slices(rows)


def state(gan):
    """All numbers of a run: what a step changes, its rates, the guard's counts."""
    numbers = [variable.numpy() for variable in changed(gan).values()]
    rates = [float(tf.convert_to_tensor(each.learning_rate)) for each in gan.optimizers]
    backs = gan.rollback_state
    return numbers, rates, (gan.steps, gan.steps_taken, gan.epochs, backs.rollbacks)


whole, logs = trained("whole", data=batches())
assert state(whole)[2] == (ENDS, EPOCHS * EPOCH, EPOCHS, 1), state(whole)[2]
try:
    trained("killed", kill, data=batches())
except tiny.Stop:
    newest = max((FOLDER / "killed").glob("step-*")).name
    assert newest == f"step-{SAVED:010d}", newest
else:
    sys.exit("not killed")
resumed, later = trained("killed", data=batches())
for one, other in zip(state(whole), state(resumed), strict=True):
    np.testing.assert_equal(one, other)
for name, values in later.items():
    assert values[-1] == logs[name][-1], name
check_copies(resumed)
print("resumed exactly")
