"""FID of images that are disturbed more and more, as in the study that came with FID.

.venv/bin/python scripts/reproduce/fid_disturbances.py --directory=runs/fid_disturbances

The disturbances and levels of Heusel et al. 2017, appendix A1: Gaussian noise, Gaussian blur, black
rectangles, swirl, salt and pepper, and contamination with images of another kind. The paper
disturbs 50,000 photographs of faces and takes the features of Inception.

Departures: 2,000 drawn faces of 32x32, held against 2,000 others, with the features of a small
random network, so that nothing is downloaded and numbers compare with one another only; the swirl
has a radius of 35, and no border is put back after it; what contaminates is stripes.

Prints each level's FID and KID and whether they rise at each, beside the baseline of real images,
and writes `results.jsonl` and a picture, `fid_disturbances.png`.
"""

import functools
import itertools
import json
import math
import pathlib
import textwrap
from collections.abc import Callable
from typing import NamedTuple

import aligned_faces
import disturbances
import matplotlib
import numpy as np
from absl import app, flags

import tfgan_stab as tgs
from tfgan_stab.evaluation import FunctionExtractor, measure

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

DIRECTORY = flags.DEFINE_string("directory", "runs/fid_disturbances", "Where results are written.")
IMAGES = flags.DEFINE_integer("images", 2000, "Images on either side.", lower_bound=4)
SEED = flags.DEFINE_integer("seed", 0, "Draws images and disturbances.", lower_bound=0)
FEATURES = flags.DEFINE_enum(
    "features", "spatial", ["spatial", "pooled"], "Whether features know where, or only what."
)
NETWORK_SEED = flags.DEFINE_integer("network_seed", 0, "Draws the network.", lower_bound=0)
RADIUS = flags.DEFINE_float(
    "swirl_radius", 35.0, "How far out swirl reaches, in pixels.", lower_bound=1.0
)


class Study(NamedTuple):
    """One disturbance: its name, the paper's levels, what a level is, how many images show it."""

    name: str
    levels: tuple[float, ...]
    unit: str
    disturb: Callable[..., np.ndarray]
    shown: int = 1


class Finding(NamedTuple):
    """What one disturbance did at its levels: some images, and a score of each kind."""

    study: Study
    pictures: list[np.ndarray]
    fids: list[tgs.evaluation.ScoreResult]
    kids: list[tgs.evaluation.ScoreResult]


def studies(others):
    """Returns the paper's six disturbances, which contaminate with others."""
    shares = (0, 0.25, 0.5, 0.75)
    swirl = functools.partial(disturbances.swirl, radius=RADIUS.value)
    contamination = functools.partial(disturbances.contamination, others=others)
    return [
        Study("Gaussian noise", shares, "weight of the noise", disturbances.gaussian_noise),
        Study("Gaussian blur", (0, 1, 2, 4), "deviation in pixels", disturbances.gaussian_blur),
        Study("Black rectangles", shares, "side / image side", disturbances.black_rectangles),
        Study("Swirl", (0, 1, 2, 4), "radians at the center", swirl),
        Study(
            "Salt and pepper", (0, 0.1, 0.2, 0.3), "share of pixels", disturbances.salt_and_pepper
        ),
        Study("Contamination", shares, "share of images", contamination, shown=4),
    ]


def extractor():
    """Returns the random network, or its features' means over all places."""
    if FEATURES.value == "spatial":
        return tgs.evaluation.RandomFeatures(NETWORK_SEED.value)
    network = tgs.evaluation.RandomFeatures(NETWORK_SEED.value, channels=64)
    return FunctionExtractor(
        lambda images: network(images).reshape([len(images), 16, 64]).mean(axis=1),
        name="random-features-pooled",
        content_hash=network.content_hash,
    )


def find(study, images, shown, scores):
    """Returns what a disturbance does to images and to scores."""
    pictures, fids, kids = [], [], []
    note = f"disturbed-seed={SEED.value}"
    for level in study.levels:
        # The same stream for each level, so that what differs is the level alone.
        disturbed = study.disturb(images, level, stream())
        pictures.append(mosaic(disturbed[shown[: study.shown]]))
        [fid], [kid] = measure(scores, lambda sample, batch=disturbed: [batch], note)
        fids.append(fid)
        kids.append(kid)
    return Finding(study, pictures, fids, kids)


def stream():
    """Returns what disturbances are drawn from."""
    return np.random.RandomState(part_seed(3))


def part_seed(part):
    """Returns the seed of one of four things that are drawn: no two runs share any."""
    return 4 * SEED.value + part


def mosaic(images):
    """Returns a square number of images as one, with values in [0, 1]."""
    side = math.isqrt(len(images))
    _, height, width, channels = images.shape
    grid = images.reshape([side, side, height, width, channels]).transpose(0, 2, 1, 3, 4)
    return ((grid.reshape([side * height, side * width, channels]) + 1) / 2).clip(0, 1)


def to_show(study, images):
    """Returns four images that are changed at none, one, two and three of the levels."""
    times = sum(
        (study.disturb(images, level, stream()) != images).any(axis=(1, 2, 3)).astype(int)
        for level in study.levels
    )
    return [int(np.argmax(times == number)) for number in range(4)]


def rises(results):
    """Whether a score rises at each level; scores of other protocols refuse to be compared."""
    return [before < after for before, after in itertools.pairwise(results)]


def draw(findings, caption, path):
    """Writes a picture: for each disturbance what each level looks like, over its FID."""
    figure = pyplot.figure(figsize=(11, 7.6))
    panels = figure.add_gridspec(
        2, 3, left=0.07, right=0.99, top=0.95, bottom=0.21, hspace=0.4, wspace=0.24
    )
    for finding, place in zip(findings, panels, strict=True):
        above, below = place.subgridspec(2, 1, hspace=0.06, height_ratios=[1, 1.9]).subplots()
        for position, picture in enumerate(finding.pictures):
            edges = (position - 0.47, position + 0.47, -0.47, 0.47)
            above.imshow(picture, extent=edges, interpolation="nearest")
        above.set(xlim=(-0.5, 3.5), ylim=(-0.5, 0.5), title=finding.study.name)
        above.axis("off")
        draw_bars(below, finding)
    figure.text(0.5, 0.02, caption, ha="center", va="bottom", fontsize=9)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def draw_bars(axes, finding):
    """Draws a bar for each level, orange where it is no higher than the one before."""
    values = [result.value for result in finding.fids]
    colors = ["tab:blue" if rise else "tab:orange" for rise in [True, *rises(finding.fids)]]
    bars = axes.bar(range(4), values, width=0.6, color=colors)
    axes.bar_label(bars, [f"{value:.3g}" for value in values], padding=2)
    axes.set(xlim=(-0.5, 3.5), ylim=(0, 1.2 * max(values)), ylabel="FID")
    axes.set_xticks(range(4), [f"{level:g}" for level in finding.study.levels])
    axes.set_xlabel(f"level: {finding.study.unit}")
    axes.spines[["top", "right"]].set_visible(False)


def caption_of(findings, baseline):
    """Returns how the numbers were measured, for below the picture."""
    results = [result for finding in findings for result in finding.fids]
    all_rise = all(all(rises(finding.fids)) for finding in findings)
    sentences = [
        f"FID of {IMAGES.value} disturbed drawn faces against {IMAGES.value} others; lower is "
        "better; each panel has its own scale.",
        f"At level 0 nothing is disturbed: {results[0].value:.3g} is what other faces get.",
        f"The baseline, one half of the real images against the other, is {baseline.value:.3g}: "
        "the fewer the images, the higher is FID.",
        "FID rises at every level of every disturbance."
        if all_rise
        else "An orange bar is no higher than the one before.",
    ]
    protocol = tgs.evaluation.same_protocol(*results)
    return "\n".join([*textwrap.wrap(" ".join(sentences), 165), "", f"Protocol: {protocol}"])


def table(findings):
    """Returns each level's scores, and whether they are higher than the level before's."""
    lines = [f"{'disturbance':18}{'level':>6}{'FID':>10}{'rises':>7}{'KID':>11}{'rises':>7}"]
    for study, _, fids, kids in findings:
        rows = zip(study.levels, fids, marks(fids), kids, marks(kids), strict=True)
        lines += [
            f"{study.name:18}{level:6g}{fid.value:10.4f}{fid_rises:>7}{kid.value:11.5f}{kid_rises:>7}"
            for level, fid, fid_rises, kid, kid_rises in rows
        ]
    return "\n".join(line.rstrip() for line in lines)


def marks(results):
    """Returns a word for each level; the first has none before it."""
    return ["", *("yes" if rise else "NO" for rise in rises(results))]


def verdict(finding):
    """Returns a sentence on whether the scores of a disturbance rise at every level."""
    words = []
    for name, results in (("FID", finding.fids), ("KID", finding.kids)):
        steps = zip(finding.study.levels[1:], rises(results), strict=True)
        failing = ", ".join(f"{level:g}" for level, rise in steps if not rise)
        words.append(
            f"{name} " + (f"does not rise at {failing}" if failing else "rises at every level")
        )
    return f"{finding.study.name}: {'; '.join(words)}"


def lines_of(finding):
    """Yields what was found at each level, for `results.jsonl`."""
    for level, fid, kid in zip(finding.study.levels, finding.fids, finding.kids, strict=True):
        yield {
            "disturbance": finding.study.name,
            "level": level,
            "swirl_radius": RADIUS.value,
            "fid": fid.value,
            "kid": kid.value,
            "kid_standard_error": kid.standard_error,
            "fid_protocol": str(fid.protocol),
            "kid_protocol": str(kid.protocol),
        }


def main(argv):
    """Measures everything, prints the table and draws the picture."""
    del argv
    directory = pathlib.Path(DIRECTORY.value)
    directory.mkdir(parents=True, exist_ok=True)
    count, seed = IMAGES.value, SEED.value
    real, images = (aligned_faces.faces(count, part_seed(part)) for part in (0, 1))
    six = studies(aligned_faces.stripes(count, part_seed(2)))
    network = extractor()
    fid, kid = (score(network, real, count, seed) for score in (tgs.FID, tgs.KID))
    shown = to_show(six[-1], images)

    findings = [find(study, images, shown, [fid, kid]) for study in six]
    baselines = [fid.baseline(), kid.baseline()]
    with (directory / "results.jsonl").open("w", encoding="utf-8") as file:
        for finding in findings:
            file.writelines(json.dumps(line) + "\n" for line in lines_of(finding))
    draw(findings, caption_of(findings, baselines[0]), directory / "fid_disturbances.png")
    print(table(findings))
    print(*map(verdict, findings), sep="\n")
    for measured in (findings[0].fids[0], findings[0].kids[0]):
        print(f"protocol: {measured.protocol}")
    for baseline in baselines:
        print(f"baseline of real images: {baseline.name} {baseline.value:.5f}, {baseline.protocol}")


if __name__ == "__main__":
    app.run(main)
