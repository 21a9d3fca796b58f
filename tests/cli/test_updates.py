"""Each gin file of `updates/` changes how the players are updated, and nothing else."""

import dataclasses
import pathlib
import re

import keras
import numpy as np
import pytest

import tfgan_stab as tgs
from tfgan_stab.cli import main
from tfgan_stab.cli.jobs.train import GAN
from tfgan_stab.game.penalties.consistency import FlipAndShift

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "gin_configs" / "updates"
RUNGE_KUTTA = tgs.RungeKutta(tgs.RK4)
LOOKAHEAD = tgs.Lookahead(tgs.Alternating(), 5, 0.5)
# What a file leaves a run with: scheme, penalties. Others change the optimizers only.
EXPECTED = {
    "alternating": (tgs.Alternating(), ()),
    "simultaneous": (tgs.Simultaneous(), ()),
    "euler": (tgs.RungeKutta(tgs.EULER), ()),
    "midpoint": (tgs.RungeKutta(tgs.MIDPOINT), ()),
    "heun": (tgs.RungeKutta(tgs.HEUN), ()),
    "ralston": (tgs.RungeKutta(tgs.RALSTON), ()),
    "rk4": (RUNGE_KUTTA, ()),
    "runge_kutta": (RUNGE_KUTTA, ()),
    "extragradient": (tgs.Extragradient(), ()),
    "optimistic": (tgs.OptimisticGradient(), ()),
    "lookahead": (LOOKAHEAD, ()),
    "nested_lookahead": (tgs.Lookahead(tgs.Alternating(), 5, 0.5, 5000), ()),
    "lookahead_extragradient": (tgs.Lookahead(tgs.Extragradient(state="separate"), 5, 0.5), ()),
    "generator_gradient_norm": (tgs.Alternating(), (tgs.GeneratorGradientNorm(0.02),)),
    "consensus": (tgs.Alternating(), (tgs.Consensus(0.1),)),
    "ode_gan": (
        tgs.RungeKutta(tgs.RK4, batches="fresh"),
        (tgs.GeneratorGradientNorm(0.02),),
    ),
    "r1": (tgs.Alternating(), (tgs.R1(10.0, interval=16),)),
    "r2": (tgs.Alternating(), (tgs.R2(10.0, interval=16),)),
    "relativistic": (tgs.Alternating(), (tgs.R1(0.05), tgs.R2(0.05))),
    "zero_centered_gradient_penalty": (
        tgs.Alternating(),
        (tgs.ZeroCenteredGradientPenalty(10.0),),
    ),
    "dragan": (tgs.Alternating(), (tgs.Dragan(10.0, spread=0.5),)),
    "consistency_regularization": (
        tgs.Alternating(),
        (tgs.ConsistencyRegularization(10.0, 10.0, augment=FlipAndShift(flip=False)),),
    ),
    "wgan_gp": (tgs.Alternating(), (tgs.GradientPenalty(10.0),)),
    "top_k": (tgs.Alternating(), ()),
    "augment": (tgs.Alternating(), ()),
    "sgd": (tgs.Alternating(), ()),
    "ttur": (tgs.Alternating(), ()),
    "linear_decay": (tgs.Alternating(), ()),
    "uniform_average": (tgs.Alternating(), ()),
    "several_averages": (tgs.Alternating(), ()),
    "recalibrated_average": (tgs.Alternating(), ()),
    "guard": (tgs.Alternating(), ()),
    "diagnostics": (tgs.Alternating(), ()),
}
EMA = tgs.ExponentialAverage(0.995)
UNBIASED = {"unit": "images", "warmup": "unbiased"}
# Those that swap the averages, and what they are then.
AVERAGES = {
    "uniform_average": {"mean": tgs.UniformAverage(start=400)},
    "several_averages": {
        "ema": tgs.ExponentialAverage(half_life=10_000, **UNBIASED),
        "ema_slow": tgs.ExponentialAverage(half_life=100_000, **UNBIASED),
        "mean": tgs.UniformAverage(start=400),
    },
    "recalibrated_average": {"ema": dataclasses.replace(EMA, batch_statistics="recalibrate")},
}


@pytest.fixture
def untrained(monkeypatch):
    """Has `fit` do nothing: what is built is tested."""
    monkeypatch.setattr(GAN, "fit", lambda *_, **__: None)


@pytest.fixture
def swapped(command, train):
    """A function that trains the digits run with one of the files, and returns the GAN."""

    def swapped(workdir, name, *settings):
        files = [f"--gin_file=gin_configs/updates/{name}.gin"]
        return train(command(workdir, *settings, flags=files))

    return swapped


def test_every_file_is_tested():
    assert {path.stem for path in FOLDER.glob("*.gin")} == set(EXPECTED)


@pytest.mark.cases(full=7)
@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_scheme_penalties_and_averages(swapped, tmp_path, untrained, name):
    gan = swapped(tmp_path / "run", name)
    scheme, penalties = EXPECTED[name]
    assert (gan.scheme, gan.penalties) == (scheme, penalties)
    assert gan.averages == AVERAGES.get(name, {"ema": EMA})


def test_top_k_beside_a_scheme_and_penalties(command, train, tmp_path, untrained):
    files = [f"--gin_file=gin_configs/updates/{name}.gin" for name in ("ode_gan", "top_k")]
    gan = train(command(tmp_path / "run", "top_k_every = 2000", "top_k_floor = 8", flags=files))
    assert gan.top_k == tgs.TopK(decay=0.99, every=2000, floor=8)
    assert (gan.scheme, gan.penalties) == EXPECTED["ode_gan"]


@pytest.mark.slow
def test_augmentation_adaptive_or_fixed_as_the_header_says(swapped, tmp_path, untrained):
    gan = swapped(tmp_path / "run", "augment", "augment_target = 0.5")
    assert gan.augment == tgs.augment.Adaptive(target=0.5)
    header = (FOLDER / "augment.gin").read_text(encoding="utf-8")
    fixed = re.findall(r"--gin_param='(.+)'", header)
    gan = swapped(tmp_path / "fixed", "augment", *fixed)
    assert gan.augment == tgs.augment.Augmentation(probability=0.5)


def test_wgan_gp_sets_the_loss(swapped, tmp_path, untrained):
    gan = swapped(tmp_path / "run", "wgan_gp")
    assert gan.loss_pair is tgs.game.losses.wasserstein and gan.top_k is None


@pytest.mark.cases(fast=3)
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("top_k_floor = 1.5", "`floor` must be a part of the batch"),
        ("top_k_floor = 9", "`floor` must be at most the batch, 8 fakes.*Received: 9"),
        ("top_k_decay = 2.0", "`decay` must be a number in"),
        ("top_k_every = 'step'", '`every` must be "epoch" or a number of steps'),
        ("tgs.train.top_k = 0.5", "`top_k` must be a tgs.TopK"),
    ],
)
def test_wrong_settings_of_top_k(swapped, tmp_path, untrained, setting, message):
    with pytest.raises((ValueError, TypeError), match=message):
        swapped(tmp_path / "run", "top_k", setting)


# Files after one another, and what is left in force.
PAIRS = {
    ("rk4", "lookahead"): (tgs.Lookahead(RUNGE_KUTTA, 5, 0.5), ()),
    ("optimistic", "nested_lookahead"): (
        tgs.Lookahead(tgs.OptimisticGradient(), 5, 0.5, 5000),
        (),
    ),
    ("lookahead", "heun"): (tgs.RungeKutta(tgs.HEUN), ()),
    ("generator_gradient_norm", "consensus"): (tgs.Alternating(), (tgs.Consensus(0.1),)),
    ("ode_gan", "alternating"): (tgs.Alternating(), (tgs.GeneratorGradientNorm(0.02),)),
    ("ode_gan", "lookahead"): (
        tgs.Lookahead(tgs.RungeKutta(tgs.RK4, batches="fresh"), 5, 0.5),
        (tgs.GeneratorGradientNorm(0.02),),
    ),
}


@pytest.mark.cases(full=4, fast=2)
@pytest.mark.parametrize("names", PAIRS, ids="+".join)
def test_order_of_files(command, train, tmp_path, untrained, names):
    files = [f"--gin_file=gin_configs/updates/{name}.gin" for name in names]
    gan = train(command(tmp_path / "run", flags=files))
    scheme, penalties = PAIRS[names]
    assert (gan.scheme, gan.penalties) == (scheme, penalties)


def test_setting_in_header_gives_both_penalties(command, train, tmp_path, untrained):
    header = (FOLDER / "consensus.gin").read_text(encoding="utf-8")
    both = re.search(r"--gin_param='(.+)'", header).group(1)
    files = [
        f"--gin_file=gin_configs/updates/{name}.gin"
        for name in ("generator_gradient_norm", "consensus")
    ]
    gan = train(command(tmp_path / "run", both, flags=files))
    assert gan.penalties == (tgs.GeneratorGradientNorm(0.02), tgs.Consensus(0.1))


@pytest.mark.slow
def test_setting_in_header_of_lookahead_gives_ema_slow(swapped, tmp_path, untrained):
    header = (FOLDER / "lookahead.gin").read_text(encoding="utf-8")
    slow = re.search(r"--gin_param='(.+)'", header).group(1)
    gan = swapped(tmp_path / "run", "lookahead", slow)
    assert gan.average_periods == {"ema": 5}


def test_step_sizes_of_ode_gan(swapped, tmp_path, untrained):
    gan = swapped(tmp_path / "run", "ode_gan")
    for optimizer in gan.optimizers:
        assert isinstance(optimizer, keras.optimizers.SGD)
        rates = []
        for steps in (0, 500, 501, 400_000, 400_001):
            gan._counters.steps.assign(steps)
            rates.append(float(optimizer.learning_rate))
        np.testing.assert_allclose(rates, [0.01, 0.01, 0.04, 0.04, 0.02], rtol=1e-6)


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("consensus", "top_k"),
        *(
            pytest.param(n, marks=pytest.mark.exhaustive)
            for n in ("ode_gan", "r1", "wgan_gp", "lookahead_extragradient", *AVERAGES)
        ),
    ],
)
def test_file_trains(swapped, tmp_path, name):
    gan = swapped(tmp_path / "run", name)
    assert gan.steps > 0
    assert all(np.isfinite(values).all() for values in gan.generator.get_weights())


@pytest.mark.slow
def test_guard_saves_with_the_checkpoints(swapped, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(GAN, "fit", lambda *_, callbacks, **__: given.extend(callbacks))
    swapped(tmp_path / "run", "guard", "copy_every = 7")
    (guard,) = [each for each in given if isinstance(each, tgs.callbacks.DivergenceGuard)]
    assert (guard.policy, guard.every, guard.rate_factor) == ("rollback", 7, 0.5)
    assert guard.directory == tmp_path / "run" / "checkpoints"


def test_diagnostics_are_set_from_a_file(swapped, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(GAN, "fit", lambda *_, callbacks, **__: given.extend(callbacks))
    swapped(tmp_path / "run", "diagnostics", "collapse_steps = 7")
    (found,) = [each for each in given if isinstance(each, tgs.callbacks.Diagnostics)]
    assert found.diagnostics == (0.05, 7)


@pytest.mark.slow
def test_diverged_run_stops_at_its_last_good_state(command, tmp_path, capsys):
    settings = ['guard_policy = "stop"', "generator_learning_rate = 1e38"]
    arguments = command(
        tmp_path / "run", *settings, flags=["--gin_file=gin_configs/updates/guard.gin"]
    )
    assert main.run("train", arguments) == 1
    message = capsys.readouterr().err
    assert re.search(
        "^error: Expected losses.*Received: the (generator|discr.*)'s .*saved", message
    )
    assert list((tmp_path / "run" / "checkpoints").glob("step-*"))
    assert '"event": "stop"' in (tmp_path / "run" / "events.jsonl").read_text()
