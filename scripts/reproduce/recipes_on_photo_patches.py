"""Every recipe of 32 or 28 pixels a side, a few steps each on pieces of two photographs.

.venv/bin/python scripts/reproduce/recipes_on_photo_patches.py --output=runs/photo_patches

Each is trained by scripts/train.py in a process of its own, with the networks' widths and the size
of minibatches that the line `Try:` of its header has for a processor, or, with `--full`, with the
recipe's own. All else is the recipe's, but for this: `photo_patches` take the place of its data;
there are no scores, as most recipes want Inception's, which are downloaded; XLA is off; and
pictures are drawn with the trained weights, as averages of a whole run have hardly moved by then.

A recipe whose settings differ from an earlier one's in the data alone is not trained again. Each
run appends a line to `results.jsonl`, and leaves a grid of samples and what the run printed. The
same command goes on where it was stopped. In the end it prints a table, which also says how much
the pictures vary, in [-1, 1]: the standard deviation of all pixels, and of a pixel between them.
"""

import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

import tensorflow as tf
from absl import app, flags
from gin import config_str

from tfgan_stab.callbacks.sample_grid import GAP
from tfgan_stab.cli.config import gin
from tfgan_stab.cli.jobs.recipes import all_recipes

RECIPES = {
    recipe.name: recipe
    for recipe in all_recipes()
    if re.search(r"^image_size = (28|32)$", recipe.path.read_text(encoding="utf-8"), re.MULTILINE)
}
OUTPUT = flags.DEFINE_string("output", "runs/photo_patches", "Where everything is written.")
CHOSEN = flags.DEFINE_multi_enum("recipes", list(RECIPES), list(RECIPES), "All unless given.")
STEPS = flags.DEFINE_integer("steps", 200, "Steps of each run.", lower_bound=1)
LARGEST = flags.DEFINE_integer("batch_size", 16, "At most so many images in a minibatch.", 1)
FULL = flags.DEFINE_bool("full", False, "Use the recipe's own widths of networks.")

TRAIN = pathlib.Path(__file__).resolve().parent.parent / "train.py"
PHOTOS = "gin_configs/data/photo_patches.gin"
GRID = 8  # Pictures from top to bottom, and from left to right.
CHANGED = re.compile(r"--gin_param=(\w*width|num_classes) ?= ?(\d+)")  # In lines `Try:`.
OF_OTHER_DATA = ("tgs.data.tfds.", "dataset", "split", "score_", "tgs.FID.")


def settings_of(recipe):
    """Returns what this script changes in a recipe, by name."""
    own = re.search(r"^batch_size = (\d+)", recipe.path.read_text("utf-8"), re.MULTILINE)[1]
    tried = dict(CHANGED.findall(recipe.fields["Try"]))
    if FULL.value:
        tried = {name: value for name, value in tried.items() if "width" not in name}
    return {
        **tried,
        "batch_size": min(int(own), LARGEST.value),
        "epochs": 1,
        "steps_per_epoch": STEPS.value,
        "tgs.train.scores": [],
        "tgs.train.jit_compile": False,
        "tgs.train.weights": "'live'",
    }


def key_of(recipe):
    """Returns the settings of a recipe that decide its run on the photographs."""
    changed = [f"{name} = {value}" for name, value in settings_of(recipe).items()]
    gin.parse([str(recipe.path), PHOTOS], changed)
    found = gin.settings_of(config_str())
    return sorted(each for each in found.items() if not each[0].startswith(OF_OTHER_DATA))


def numbers_in(folder):
    """Returns the last value of each number that a run's TensorBoard log has, by name."""
    found = {}
    for path in folder.iterdir():
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    found[value.tag] = float(tf.make_ndarray(value.tensor))
    return found


def pictures_in(path):
    """Returns the pictures of a square grid, float `[count, height, width, channels]`, +-1."""
    sheet = tf.io.decode_png(path.read_bytes()).numpy()[GAP:, GAP:] / 127.5 - 1.0
    side = len(sheet) // GRID
    tiles = sheet.reshape(GRID, side, GRID, side, -1)[:, : side - GAP, :, : side - GAP]
    return tiles.swapaxes(1, 2).reshape(GRID**2, side - GAP, side - GAP, -1)


def run(recipe, output):
    """Trains once; returns the results."""
    settings = settings_of(recipe)
    widths = [str(value) for name, value in settings.items() if "width" in name]
    sizes = {"widths": " and ".join(widths) or "own", "batch_size": settings["batch_size"]}
    file = output / recipe.name.replace("/", "-")
    with tempfile.TemporaryDirectory(dir=output) as folder:
        workdir = pathlib.Path(folder) / "run"
        command = [f"--gin_file={recipe.path}", f"--gin_file={PHOTOS}", f"--workdir={workdir}"]
        command += [f"--gin_param={name} = {value}" for name, value in settings.items()]
        with file.with_suffix(".log").open("w", encoding="utf-8") as log:
            done = subprocess.run(
                [sys.executable, TRAIN, *command], stdout=log, stderr=log, check=False
            )
        if done.returncode:
            return {**sizes, "failed": done.returncode}
        numbers = numbers_in(workdir / "tensorboard")
        (grid,) = (workdir / "samples").iterdir()
        grid = grid.replace(file.with_suffix(".png"))
    losses = {name: numbers[f"epoch/{name}_loss"] for name in ("generator", "discriminator")}
    pictures = pictures_in(grid)
    return {
        **sizes,
        "milliseconds": round(1e3 * numbers["epoch/seconds_per_step"]),
        "losses": losses,
        "finite": all(map(math.isfinite, losses.values())),
        "std": round(float(pictures.std()), 3),
        "std_between": round(float(pictures.std(axis=0).mean()), 3),
        "grid": grid.name,
    }


def table(results):
    """Returns a line of Markdown for each result."""
    lines = [
        "| recipe | widths | batch | steps | ms a step | losses finite | std | between |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        start = [result[key] for key in ("recipe", "widths", "batch_size", "steps")]
        if "as" in result:
            cells = [*start, f"as {result['as']}", "", "", ""]
        elif "failed" in result:
            cells = [*start, f"failed with code {result['failed']}", "", "", ""]
        else:
            finite = "yes" if result["finite"] else "**no**"
            cells = [*start, result["milliseconds"], finite, result["std"], result["std_between"]]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main(argv):
    """Trains what is missing and prints the table."""
    del argv
    output = pathlib.Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    path = output / "results.jsonl"
    known = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    results = [json.loads(line) for line in known]
    done = {result["recipe"] for result in results}
    keys = {}
    for name in CHOSEN.value:
        recipe, key = RECIPES[name], key_of(RECIPES[name])
        twin = next((other for other, others in keys.items() if others == key), None)
        keys[name] = key
        if name in done:
            continue
        start = {"recipe": name, "steps": STEPS.value}
        if twin:
            same = next(result for result in results if result["recipe"] == twin)
            result = {**start, **{key: same[key] for key in ("widths", "batch_size")}, "as": twin}
        else:
            result = {**start, **run(recipe, output)}
        results.append(result)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
        print(json.dumps(result), flush=True)
    print(table(results))


if __name__ == "__main__":
    app.run(main)
