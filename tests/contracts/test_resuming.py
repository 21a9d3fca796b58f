"""Every scheme's memory survives a checkpoint, in the middle of a period too."""

import keras
import pytest
from schemes import SCHEMES

import tfgan_stab as tgs

ROUNDS = 7  # In the middle of every period of `SCHEMES`.


def make(tiny, name, averages=None):
    # Initial weights and layers' seeds come from here; a resume must not depend on them.
    gan = tgs.GAN(*tiny.image_networks(), latents=3)
    gan.compile(
        keras.optimizers.Adam(5e-3, beta_1=0.5),
        keras.optimizers.Adam(1e-2, beta_1=0.5),
        scheme=SCHEMES[name][0],
        averages=averages,
        jit_compile=False,
        seed=4,
    )
    return gan


def everything(tiny, gan, name):
    looks = gan.look_optimizers if name.endswith("separate") else []
    found = [*tiny.everything(gan), *(v.numpy() for o in looks for v in o.variables)]
    return found + [v.numpy() for m in gan._scheme_memory.values() for v in m.weights]


def fit(gan, directory, *callbacks, epochs=2):
    data = tgs.data.digits(batch_size=8)
    saving = tgs.callbacks.Checkpoint(directory, every=ROUNDS, keep=10)
    gan.fit(data, epochs=epochs, steps_per_epoch=10, verbose=0, callbacks=[saving, *callbacks])
    return gan


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMES)
def test_a_run_killed_in_mid_period_ends_as_if_it_had_not_been(tiny, name, tmp_path):
    synced = name.startswith("lookahead")
    averages = {"slow": tgs.ExponentialAverage(0.5, at="sync")} if synced else None
    keras.utils.set_random_seed(1)
    whole = everything(tiny, fit(make(tiny, name, averages), tmp_path / "whole"), name)
    keras.utils.set_random_seed(1)
    killed = make(tiny, name, averages)
    with pytest.raises(tiny.Stop, match="after round"):
        fit(killed, tmp_path / "killed", tiny.kill(killed, ROUNDS + 2))
    keras.utils.set_random_seed(2)
    again = make(tiny, name, averages)
    tiny.disturb(again)
    assert tiny.same(everything(tiny, fit(again, tmp_path / "killed"), name), whole)
