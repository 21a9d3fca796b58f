"""The modern baseline and the combined methods as gin files: what they leave a run with."""

import pathlib
import re

import pytest

import tfgan_stab as tgs
from tfgan_stab.cli.config import gin
from tfgan_stab.cli.jobs.train import build

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = [
    *("generator", "discriminator", "latents", "seed", "generator_optimizer", "penalties"),
    *("discriminator_optimizer", "loss", "scheme", "top_k", "averages", "augment", "jit_compile"),
]
LOOKAHEAD = tgs.Lookahead(tgs.Extragradient(state="separate"), sync_period=5, slow_step_size=0.5)
RK4 = tgs.RungeKutta(tgs.RK4, batches="fresh")
TOP_K = tgs.TopK(decay=0.98, every="epoch", floor=0.75)
# Of both data sets: the scheme, the penalties and top-k.
COMBINED = {
    "adam": lambda weight: (tgs.Alternating(), (), None),
    "lookahead_extragradient_top_k": lambda weight: (LOOKAHEAD, (), TOP_K),
    "rk4_top_k": lambda weight: (RK4, (tgs.GeneratorGradientNorm(weight),), TOP_K),
}


def built(folder, name):
    """The GAN that a recipe describes."""
    gin.parse([f"gin_configs/{folder}/{name}.gin"])
    return build(**gin.arguments(tgs.train, NAMES))


@pytest.mark.slow
def test_small_baseline_has_the_loss_the_penalties_and_the_networks():
    gan = built("baselines", "digits_relativistic")
    assert gan.loss_pair is tgs.game.losses.relativistic
    assert gan.penalties == (tgs.R1(1.0), tgs.R2(1.0))
    assert gan.augment == tgs.augment.Augmentation(probability=0.3)
    half_life = {"half_life": 10_000, "unit": "images", "warmup": "unbiased"}
    assert gan.averages == {"ema": tgs.ExponentialAverage(**half_life)}
    kinds = {type(layer) for network in gan.networks for layer in network.layers}
    assert tgs.networks.GroupedConv2D in kinds
    assert not [kind for kind in kinds if "Normalization" in kind.__name__]


@pytest.mark.slow
@pytest.mark.parametrize("name", COMBINED)
@pytest.mark.parametrize(("data", "weight"), [("digits", 0.02), ("mixture25", 0.07)])
def test_combined_methods(data, weight, name):
    gan = built("combined", f"{data}_{name}")
    assert (gan.scheme, gan.penalties, gan.top_k) == COMBINED[name](weight)
    (average,) = gan.averages.values()
    assert average.at == ("sync" if name.startswith("lookahead") else "step")


@pytest.mark.parametrize("folder", ["baselines", "combined"])
def test_cost_in_headers_is_what_the_files_say(folder):
    evaluations = {"Alternating": 2, "lookahead": 2, "rk4": 4}
    for path in (ROOT / "gin_configs" / folder).glob("*.gin"):
        text = path.read_text(encoding="utf-8")
        steps, cost = re.search(r"# Cost: +([\d,]+) steps, ([\d,]+) field", text).groups()
        steps, cost = int(steps.replace(",", "")), int(cost.replace(",", ""))
        epochs, per_epoch = (
            int(re.search(rf"^{name} = (\d+)", text, re.MULTILINE)[1])
            for name in ("epochs", "steps_per_epoch")
        )
        kinds = [each for each in evaluations if f"_{each}" in path.stem] or ["Alternating"]
        assert (epochs * per_epoch, steps * evaluations[kinds[0]]) == (steps, cost), path.name
