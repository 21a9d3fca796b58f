"""Every scheme's state survives a checkpoint, in the middle of a period too."""

import keras
import pytest
from schemes import SCHEMES, chosen

import tfgan_stab as tgs

STEPS = 7  # In the middle of every period of `SCHEMES`.


def make(tiny, name, averages=None, augment=None):
    gan = tgs.GAN(*tiny.image_networks(), latents=3)
    gan.compile(
        keras.optimizers.Adam(5e-3, beta_1=0.5),
        keras.optimizers.Adam(1e-2, beta_1=0.5),
        scheme=SCHEMES[name][0],
        averages=averages,
        augment=augment,
        jit_compile=False,
        seed=4,
    )
    return gan


def variables(tiny, gan, name):
    others = gan.optimizers_for_extrapolation if name.endswith("separate") else []
    found = [*tiny.variables(gan), *(v for optimizer in others for v in optimizer.variables)]
    return found + [v for memory in gan._scheme_memory.values() for v in memory.weights]


def numbers(owned):
    return [variable.numpy() for variable in owned]


def fit(gan, directory, *callbacks):
    data = tgs.data.digits(batch_size=8)
    saving = tgs.callbacks.Checkpoint(directory, every=STEPS, keep=10)
    gan.fit(data, epochs=2, steps_per_epoch=10, verbose=0, callbacks=[saving, *callbacks])


def check(tiny, gan, name, folder):
    """Ends a run, and ends it again after it was killed and all its numbers were made wrong."""
    owned = variables(tiny, gan, name)
    new = numbers(owned)
    fit(gan, folder / "whole")
    whole = numbers(owned)
    # The same model again, since tracing another one takes seconds: first new, then all wrong.
    for variable, value in zip(owned, new, strict=True):
        variable.assign(value)
    with pytest.raises(tiny.Stop, match="after step"):
        fit(gan, folder / "killed", tiny.kill(gan, STEPS + 2))
    for variable in owned:
        variable.assign(variable.numpy() + (variable.numpy() * 0 + 3))
    assert not tiny.same(numbers(owned), whole)
    fit(gan, folder / "killed")
    assert tiny.same(numbers(owned), whole)


@pytest.mark.cases(full=5)
@chosen(quick=(), usual={"alternating_3", "lookahead_of_extragradient", "optimistic"})
def test_run_killed_in_mid_period_ends_as_the_uninterrupted_one(tiny, name, tmp_path):
    synced = name.startswith("lookahead")
    averages = {"slow": tgs.ExponentialAverage(0.5, at="sync")} if synced else None
    check(tiny, make(tiny, name, averages), name, tmp_path)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_adaptive_augmentation_goes_on_as_in_the_uninterrupted_run(tiny, tmp_path):
    rule = tgs.augment.Adaptive(probability=0.5, target=0.0, interval=3, images=1000)
    gan = make(tiny, "simultaneous", augment=rule)
    check(tiny, gan, "simultaneous", tmp_path)
    probability, _, images = gan._scheme_memory["augmentation"].weights[0].numpy()
    assert probability not in (0.0, 0.5, 1.0) and images == 20 % 3 * 8
