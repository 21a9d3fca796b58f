"""Recipes of the papers set what the papers state, and can be tried without a download."""

import fnmatch
import functools
import pathlib
import re
import shlex

import keras
import pytest

import tfgan_stab as tgs
from tfgan_stab.cli.config import gin as configuring
from tfgan_stab.cli.config.recipes import read_recipe
from tfgan_stab.cli.flags.train import TrainSettings
from tfgan_stab.cli.jobs.train import train
from tfgan_stab.data.photo_patches import PHOTOGRAPHS

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "gin_configs" / "papers"
RECIPES = sorted(p.relative_to(FOLDER).with_suffix("").as_posix() for p in FOLDER.glob("*/*.gin"))
PICTURES = [name for name in RECIPES if "mixture" not in name and "lm1b" not in name]

MACROS = {
    "tfds.gin": "dataset split image_size channels labels batch_size seed".split(),
    "mixture.gin": "modes batch_size seed".split(),
    "text.gin": "text_length vocabulary_size batch_size seed".split(),
}
SETTINGS = (
    "generator discriminator latents seed epochs steps_per_epoch loss scheme penalties top_k "
    "averages weights scores generator_optimizer discriminator_optimizer fake_labels"
).split()


def path_of(name):
    return f"gin_configs/papers/{name}.gin"


def text_of(name):
    return (ROOT / path_of(name)).read_text(encoding="utf-8")


def header_of(name):
    return read_recipe(ROOT / path_of(name)).fields


@functools.cache
def settings_of(name, *more):
    """What a recipe sets for `tgs.train`, data aside."""
    configuring.parse([path_of(name)], more)
    return configuring.arguments(train, SETTINGS)


def test_all_five_papers_have_recipes():
    assert len(RECIPES) >= 45
    papers = {name.split("/")[0] for name in RECIPES}
    assert papers == {"ttur", "ode_gan", "lookahead", "top_k", "averaging"}


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_tried_needs_no_download(name):
    command = TrainSettings.parse(shlex.split(header_of(name)["Try"]))
    files = [path_of(name)]
    if "mixture" not in name:
        data = "photo_patches" if name in PICTURES else "text"
        files.append(f"gin_configs/data/{data}.gin")
    assert list(command.gin_file) == files
    assert ('score_extractor="random"' in command.gin_param) == (name in PICTURES)


@pytest.mark.parametrize("name", RECIPES)
def test_seed_reaches_the_run(name):
    assert settings_of(name, "seed = 7")["seed"] == 7


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_itself_defines_what_its_data_file_uses(name):
    text = text_of(name)
    (data,) = re.findall(r'include "gin_configs/data/(\w+\.gin)"', text)
    assert [m for m in MACROS[data] if not re.search(rf"^{m} = ", text, re.MULTILINE)] == []


# Of each kind of networks, one recipe; the others have the same with other sizes.
NETWORKS = {
    "ttur/cifar10_dcgan": (8, 100, None),
    "ttur/lsun_bedroom_wgan_gp": (4, 128, None),
    "ode_gan/cifar10_dcgan_rk4": (4, 128, None),
    "lookahead/mnist_dcgan_altgan": (4, 128, None),
    "lookahead/cifar10_resnet_altgan": (4, 128, None),
    "top_k/cifar10_wgan": (4, 100, None),
    "top_k/cifar10_biggan": (4, 128, 10),
    "averaging/stl10_conventional_wgan_gp": (8, 512, None),
}


def network_parameters():
    rest = [name for name in PICTURES if name not in NETWORKS]
    return [*NETWORKS, *(pytest.param(name, marks=pytest.mark.exhaustive) for name in rest)]


@pytest.mark.slow
@pytest.mark.parametrize("name", network_parameters())
def test_networks_make_the_images_that_the_recipe_asks_for(name):
    width, latents, classes = NETWORKS.get(name, (8, None, None))
    narrow = [f"{player}_width = {width}" for player in ("generator", "discriminator")]
    settings = settings_of(name, *narrow)
    text = text_of(name)
    size, channels = (
        int(re.search(rf"^{m} = (\d+)", text, re.MULTILINE)[1]) for m in ("image_size", "channels")
    )
    pair = settings["generator"](), settings["discriminator"]()
    assert pair[0].output_shape == (None, size, size, channels)
    assert pair[1].output_shape == (None, 1)
    labelled = "\nlabels = True\n" in text
    assert [len(network.inputs) for network in pair] == [1 + labelled] * 2
    sampler = tgs.data.latents.as_sampler(settings["latents"])
    assert pair[0].inputs[0].shape[1:] == sampler.shape
    if name in NETWORKS:
        assert sampler.shape == (latents,)
        assert tgs.GAN(*pair, latents=sampler, num_classes=classes).pair.conditional == labelled


# What papers and their code state: learning rates (generator's, discriminator's), Adam's two betas,
# the loss, and the updates of the discriminator in a step.
STATED = {
    "ttur/celeba_dcgan": ((5e-4, 1e-5), (0.5, 0.999), "non_saturating", 1),
    "ttur/celeba_dcgan_orig": ((5e-4, 5e-4), (0.5, 0.999), "non_saturating", 1),
    "ttur/cifar10_dcgan": ((5e-4, 1e-4), (0.5, 0.999), "non_saturating", 1),
    "ttur/cifar10_dcgan_orig": ((1e-4, 1e-4), (0.5, 0.999), "non_saturating", 1),
    "ttur/svhn_dcgan": ((1e-4, 1e-5), (0.5, 0.999), "non_saturating", 1),
    "ttur/svhn_dcgan_orig": ((5e-5, 5e-5), (0.5, 0.999), "non_saturating", 1),
    "ttur/lsun_bedroom_dcgan": ((1e-4, 1e-5), (0.5, 0.999), "non_saturating", 1),
    "ttur/lsun_bedroom_dcgan_orig": ((5e-5, 5e-5), (0.5, 0.999), "non_saturating", 1),
    "ttur/cifar10_wgan_gp": ((1e-4, 3e-4), (0.0, 0.9), "wasserstein", 1),
    "ttur/cifar10_wgan_gp_orig": ((1e-4, 1e-4), (0.0, 0.9), "wasserstein", 5),
    "ttur/lsun_bedroom_wgan_gp": ((1e-4, 3e-4), (0.0, 0.9), "wasserstein", 1),
    "ttur/lsun_bedroom_wgan_gp_orig": ((5e-4, 5e-4), (0.0, 0.9), "wasserstein", 5),
    "ttur/lm1b_wgan_gp": ((1e-4, 3e-4), (0.5, 0.9), "wasserstein", 1),
    "ttur/lm1b_wgan_gp_orig": ((1e-4, 1e-4), (0.5, 0.9), "wasserstein", 10),
    "lookahead/mnist_dcgan_altgan": ((1e-3, 1e-3), (0.05, 0.999), "non_saturating", 1),
    "lookahead/cifar10_resnet_altgan": ((2e-4, 2e-4), (0.0, 0.9), "hinge", 5),
    "top_k/mixture64_mlp": ((1e-4, 1e-4), (0.9, 0.999), "non_saturating", 1),
    "averaging/cifar10_conventional": ((2e-4, 2e-4), (0.0, 0.9), "non_saturating", 1),
    "averaging/cifar10_resnet_hinge": ((2e-4, 2e-4), (0.0, 0.9), "hinge", 1),
    "averaging/celeba_conventional_wgan_gp": ((2e-4, 2e-4), (0.0, 0.9), "wasserstein", 1),
}


@pytest.mark.parametrize("name", STATED)
def test_optimizers_loss_and_discriminator_steps_are_the_papers(name):
    rates, betas, loss, steps = STATED[name]
    settings = settings_of(name)
    optimizers = settings["generator_optimizer"], settings["discriminator_optimizer"]
    for optimizer, rate in zip(optimizers, rates, strict=True):
        assert isinstance(optimizer, keras.optimizers.Adam)
        assert float(optimizer.learning_rate) == pytest.approx(rate)
        assert (optimizer.beta_1, optimizer.beta_2) == betas
    assert settings["loss"] == loss
    assert settings["scheme"] == tgs.Alternating(steps)


# Examples in a minibatch, by the first pattern of names that fits; others are stated nowhere.
BATCHES = {
    "ttur/*": 64,
    "ode_gan/mixture16_mlp": 512,
    "ode_gan/cifar10_*": 64,
    "lookahead/mnist_*": 50,
    "lookahead/imagenet32_*": 256,
    "lookahead/*": 128,
    "top_k/mixture*": 256,
    "top_k/cifar10_biggan": 50,
    "top_k/cifar10_*": 128,
    "averaging/*_conventional*": 64,
    "averaging/*_resnet*": 64,
}


def test_minibatches_are_the_papers():
    found, stated = {}, {}
    for name in RECIPES:
        pattern = next((each for each in BATCHES if fnmatch.fnmatch(name, each)), None)
        if pattern:
            stated[name] = BATCHES[pattern]
            found[name] = int(re.search(r"^batch_size = (\d+)", text_of(name), re.MULTILINE)[1])
    assert found == stated
    assert len(found) >= 70


# The noise, and how the score is computed: after how many steps each time, and of how many samples.
NORMAL, UNIFORM, SPHERE = (
    getattr(tgs.data.latents, name) for name in ("Normal", "Uniform", "Sphere")
)
PROTOCOLS = {
    "ttur/celeba_dcgan": (UNIFORM(100), 5000, 50_000),
    "ttur/lsun_bedroom_wgan_gp": (NORMAL(128), 1000, 50_000),
    "ttur/lm1b_wgan_gp": (NORMAL(128), 1000, 640),
    "ode_gan/cifar10_dcgan_rk4": (NORMAL(128), 10_000, 50_000),
    "lookahead/mnist_dcgan_la_altgan": (NORMAL(128), 1000, 10_000),
    "lookahead/svhn_resnet_la_extragrad": (NORMAL(128), 10_000, 50_000),
    "top_k/mixture64_mlp": (NORMAL(2), 5000, 10_000),
    "averaging/cifar10_conventional": (SPHERE(512), 20_000, 10_000),
    "averaging/celeba_resnet_hinge": (SPHERE(128), 20_000, 10_000),
}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_noise_and_protocol_are_the_papers(name):
    configuring.parse([path_of(name)])
    names = ["latents", "steps_per_epoch", "scores"]
    settings = configuring.arguments(train, names)
    (make,) = settings["scores"]
    sampler = tgs.data.latents.as_sampler(settings["latents"])
    samples = configuring.setting(make, "samples")
    assert (sampler, settings["steps_per_epoch"], samples) == PROTOCOLS[name]


def test_lookahead_is_scored_right_after_a_synchronization():
    names = [name for name in RECIPES if re.search(r"^lookahead/.*_n?la_", name)]
    assert len(names) == 11
    for name in names:
        scheme = settings_of(name)["scheme"]
        period = scheme.super_slow_period or scheme.sync_period
        assert settings_of(name)["steps_per_epoch"] % period == 0, name


EXTRAGRADIENT = tgs.Extragradient("separate", batches="fresh")
SCHEMES = {
    "ode_gan/mixture16_mlp": tgs.RungeKutta(tgs.RK4),
    "ode_gan/cifar10_dcgan_rk4": tgs.RungeKutta(tgs.RK4, batches="fresh"),
    "ode_gan/cifar10_dcgan_heun": tgs.RungeKutta(tgs.HEUN, batches="fresh"),
    "ode_gan/cifar10_dcgan_euler": tgs.RungeKutta(tgs.EULER, batches="fresh"),
    "lookahead/cifar10_resnet_la_altgan": tgs.Lookahead(tgs.Alternating(5), 5),
    "lookahead/svhn_resnet_nla_altgan": tgs.Lookahead(tgs.Alternating(5), 5, 0.5, 5000),
    "lookahead/imagenet32_resnet_extragrad": EXTRAGRADIENT,
    "lookahead/cifar10_resnet_la_extragrad": tgs.Lookahead(EXTRAGRADIENT, 5000),
    "lookahead/mnist_dcgan_la_altgan": tgs.Lookahead(tgs.Alternating(), 1000),
    "lookahead/mnist_dcgan_la_extragrad": tgs.Lookahead(EXTRAGRADIENT, 1000),
}


@pytest.mark.parametrize("name", SCHEMES)
def test_scheme_is_the_papers(name):
    assert settings_of(name)["scheme"] == SCHEMES[name]


PENALTIES = {
    "ttur/cifar10_wgan_gp": tgs.GradientPenalty(10.0),
    "ode_gan/mixture16_mlp": tgs.GeneratorGradientNorm(0.07),
    "ode_gan/cifar10_dcgan_rk4": tgs.GeneratorGradientNorm(0.02, "first_stage"),
    # A weight of 10 beside sums over 64 images.
    "averaging/cifar10_resnet_wgan_gp": tgs.GradientPenalty(10 / 64),
}


@pytest.mark.parametrize("name", PENALTIES)
def test_penalty_is_the_papers(name):
    assert settings_of(name)["penalties"] == [PENALTIES[name]]


def test_step_sizes_of_ode_gan():
    schedule = settings_of("ode_gan/cifar10_dcgan_rk4")["generator_optimizer"]._learning_rate
    assert [float(schedule(s)) for s in (500, 501, 400_001)] == pytest.approx([0.01, 0.04, 0.02])


TOP_K = {
    "top_k/mixture100_mlp": (256, 2000, 192, 29),
    "top_k/cifar10_sagan": (128, 390, 64, 69),
}


@pytest.mark.parametrize("name", TOP_K)
def test_top_k_reaches_its_floor_when_the_paper_does(name):
    batch, every, floor, decays = TOP_K[name]
    rule = settings_of(name)["top_k"]
    assert rule.every == every
    assert float(rule.k(batch, decays - 1.0)) > floor == float(rule.k(batch, float(decays)))


@pytest.mark.parametrize("name", RECIPES)
def test_fake_labels_are_drawn_where_the_networks_take_some(name):
    """SAGAN's, BigGAN's and SN-GAN's code, which these follow, draws them from all classes."""
    by_class = re.search(r"^labels = True$", text_of(name), re.MULTILINE)
    assert settings_of(name).get("fake_labels") == ("uniform" if by_class else None)
    # Tried on photographs, they are drawn from the photographs' classes.
    tried = TrainSettings.parse(shlex.split(header_of(name)["Try"])).gin_param
    assert (f"num_classes={len(PHOTOGRAPHS)}" in tried) == bool(by_class)


def test_top_k_is_switched_off_as_headers_say():
    setting = re.search(r"--gin_param='(.+)'", header_of("top_k/cifar10_dcgan")["Often changed"])[1]
    assert settings_of("top_k/cifar10_dcgan", setting)["top_k"] is None


def test_clipped_critic_of_wgan():
    narrow = "discriminator_width = 4"
    critic = settings_of("top_k/cifar10_wgan", narrow, "weight_limit = 0.02")["discriminator"]()
    assert {weight.constraint.limit for weight in critic.trainable_variables} == {0.02}


AVERAGES = {
    "lookahead/cifar10_resnet_la_altgan": {
        "ema": tgs.ExponentialAverage(0.9999),
        "ema_slow": tgs.ExponentialAverage(0.9999, at="sync"),
    },
    "lookahead/cifar10_resnet_altgan": {"ema": tgs.ExponentialAverage(0.9999)},
    "averaging/imagenet64_conventional": {
        "ema": tgs.ExponentialAverage(0.9999),
        "mean": tgs.UniformAverage(start=50_000),
    },
}


@pytest.mark.parametrize("name", AVERAGES)
def test_averages_are_the_papers(name):
    assert settings_of(name)["averages"] == AVERAGES[name]


def test_inception_score_is_added_to_what_a_recipe_scores():
    files = [path_of("averaging/cifar10_resnet"), "gin_configs/scores/inception_score.gin"]
    configuring.parse(files)
    makers = configuring.arguments(train, ["scores"])["scores"]
    names = [configuring.setting(make, "samples") for make in makers]
    assert names == [10_000, 50_000]
    assert [make.__name__ for make in makers] == ["FID", "InceptionScore"]
