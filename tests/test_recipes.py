"""Every recipe that we ship: its header, its commands, and a dry run of it on this machine."""

import pathlib
import re
import shlex
import textwrap

import numpy as np
import pytest

import tfgan_stab as tgs
from tfgan_stab.cli.config import gin as configuring
from tfgan_stab.cli.config.recipes import read_recipe
from tfgan_stab.cli.flags.train import TrainSettings
from tfgan_stab.cli.jobs import dry_run, recipes
from tfgan_stab.cli.jobs.train import train
from tfgan_stab.cli.workdir import Workdir

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATHS = [path for pattern in recipes.PATTERNS for path in configuring.shipped_files(pattern)]
PLAIN = "tgs.train.jit_compile = False"


def name_of(path):
    return f"{path.parent.name}/{path.stem}"


@pytest.fixture
def planned(tmp_path):
    """A function of a recipe's file that returns the plan of its dry run, in small batches."""

    def planned(path, *more):
        # Some mixtures give each mode its share of a batch; they are small anyway.
        settings = [PLAIN] if "mixture" in path.stem else [PLAIN, "batch_size = 4"]
        settings += more
        configuring.parse([str(path)], settings)
        return dry_run.plan(Workdir(tmp_path / "run"), settings)

    return planned


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_recipe_costs_what_its_header_says(path):
    recipe = read_recipe(path)
    configuring.parse([str(path)])
    settings = configuring.arguments(train, ["epochs", "steps_per_epoch", "scheme"])
    steps = settings["epochs"] * settings["steps_per_epoch"]
    evaluations = steps * settings.get("scheme", tgs.Alternating()).evaluations
    assert (recipe.steps, recipe.evaluations) == (steps, evaluations)


@pytest.mark.cases(full=12)
@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_recipe_fits_together(path, planned):
    plan = planned(path)
    assert plan.evaluations == read_recipe(path).evaluations


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_recipe_takes_steps(path, planned):
    # Of R3GAN's 96 groups a CPU makes 96 convolutions: its steps are tried with fewer channels.
    narrow = re.findall(r"network_width=\d+", read_recipe(path).fields["Try"])
    measured = dry_run.measure(planned(path, *narrow), seconds=0.0)
    assert all(map(np.isfinite, measured.losses.values())), measured.losses


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_hours_of_a_header_are_its_steps_times_the_step_it_names(path):
    recipe = read_recipe(path)
    text = recipe.fields["GPU hours"]
    found = re.match(r"(?:about|at most) ([\d.]+), from ([\d.]+) ms a step", text)
    assert found or text.startswith("not measured"), text
    if found:
        hours, step = map(float, found.groups())
        assert hours == pytest.approx(max(recipe.steps * step / 3.6e6, 0.1), abs=0.0501)


@pytest.mark.cases(fast=11)
@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_commands_of_a_header_are_sound(path):
    for field in ("Try", "Run"):
        command = re.sub(r"^\S*python ", "", read_recipe(path).fields[field])
        if not command.startswith("scripts/train.py"):
            continue  # A comparison, which test_experiments.py looks at.
        settings = TrainSettings.parse(shlex.split(command))
        assert path in [ROOT / name for name in settings.gin_file]
        configuring.parse(settings.gin_file, settings.gin_settings)


def test_documented_header_is_a_header(tmp_path):
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    shown = re.search(r"(?:^    #.*\n)+", page, re.MULTILINE)[0]
    path = tmp_path / "recipe.gin"
    path.write_text(textwrap.dedent(shown))
    recipe = read_recipe(path)
    assert (recipe.steps, recipe.expected, recipe.gpu_hours) == (225_000, "FID 12.5", "about 1.5")


def test_page_lists_all_recipes_as_they_are():
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    table = recipes.as_markdown(recipes.all_recipes())
    assert recipes.with_table(page, table) == page, (
        "run .venv/bin/python scripts/recipes.py --update=docs/recipes.md"
    )
