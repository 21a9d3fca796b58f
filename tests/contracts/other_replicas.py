"""Trains a run, or what is left of it, on some number of replicas.

On two devices of its own; where TF_CONFIG names two workers, on one of each. `FOLDER REPLICAS STOP`
trains to the step STOP, 0 for the end, and writes the weights there; without arguments it compares
runs that go on with other replicas with one that nothing disturbed.
"""

import contextlib
import io
import json
import pathlib
import sys
import tempfile

import keras
import numpy as np
from devices import STRATEGIES

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

import helpers as tiny  # noqa: E402

import tfgan_stab as tgs  # noqa: E402

layers = keras.layers
SAVED, STEPS, EPOCHS = 5, 4, 2  # Inside an epoch, and inside a period of the scheme.
PICTURES = np.random.RandomState(0).uniform(-1, 1, [64, 2, 1, 1]).astype("float32")


def run(folder, replicas, stop):
    """Trains on so many replicas from where the folder's run stands; returns weights and text."""
    with STRATEGIES[replicas].scope():
        keras.utils.set_random_seed(1)
        hidden = tgs.networks.SpectralNormalization(layers.Dense(5, "tanh"))
        gan = tgs.GAN(
            keras.Sequential(
                [
                    keras.Input((3,)),
                    layers.Dense(5, "tanh"),
                    layers.Dense(2),
                    layers.Reshape((2, 1, 1)),
                ]
            ),
            keras.Sequential(
                [keras.Input((2, 1, 1)), layers.Reshape((2,)), hidden, layers.Dense(1)]
            ),
            latents=3,
        )
        gan.compile(
            keras.optimizers.Adam(0.02, beta_1=0.5),
            keras.optimizers.Adam(0.05, beta_1=0.5),
            scheme=tgs.Lookahead(tgs.Extragradient(), sync_period=3),
            penalties=[tgs.R1(0.5)],
            averages={"ema": tgs.ExponentialAverage(0.5)},
            jit_compile=False,
            seed=2,
        )
    callbacks = [tgs.callbacks.RunLog(folder), tgs.callbacks.Checkpoint(folder / "saved", SAVED)]
    callbacks += [tiny.kill(gan, stop)] if stop else []
    said = io.StringIO()
    with contextlib.suppress(tiny.Stop), contextlib.redirect_stdout(said):
        data = tgs.data.arrays(PICTURES, batch_size=8, seed=3)
        gan.fit(data, epochs=EPOCHS, steps_per_epoch=STEPS, verbose=2, callbacks=callbacks)
    metrics = {id(v) for m in gan.metrics for v in m.variables}
    owned = [v for v in gan.variables if id(v) not in metrics]
    owned += [v for optimizer in gan.optimizers for v in optimizer.variables]
    assert gan.images_seen == 8 * (stop or EPOCHS * STEPS)
    return [variable.numpy() for variable in owned], said.getvalue()


def check_told(folder, said, before, now):
    """The change of replicas is printed and logged; other resumes are not told so."""
    plural = "s" if before > 1 else ""
    text = f"The run was on {before} replica{plural} and goes on with {now}: each batch of 8 is sha"
    assert (text in said) == (before != now), said
    file = folder / "events.jsonl"
    events = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    told = [(each["before"], each["now"]) for each in events if each["event"] == "replicas"]
    assert told == ([(before, now)] if before != now else []), told


def compare(folder):
    whole, _ = run(folder / "whole", 2, 0)
    for before, now in ((2, 1), (1, 2), (2, 2)):
        place = folder / f"{before} to {now}"
        run(place, before, SAVED + 1)
        found, said = run(place, now, 0)
        assert f"step-{SAVED:010d}: {SAVED} steps done" in said, said
        check_told(place, said, before, now)
        for one, other in zip(found, whole, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        print(f"{before} to {now} agrees")


if len(sys.argv) == 1:
    with tempfile.TemporaryDirectory() as temporary:
        compare(pathlib.Path(temporary))
else:
    place, replicas, stop = sys.argv[1:]
    weights, said = run(pathlib.Path(place), int(replicas), int(stop))
    print(said)
    np.savez(f"{place}-{replicas}-{stop}.npz", *weights)
