"""Experiments and benchmarks run; docs/experiments.md holds their results."""

import importlib
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs

ROOT = pathlib.Path(__file__).resolve().parent.parent

DISTURBANCES = {
    "gaussian_noise": (0.25, 0.5, 0.75),
    "gaussian_blur": (1, 2, 4),
    "black_rectangles": (0.25, 0.5, 0.75),
    "swirl": (1, 2, 4),
    "salt_and_pepper": (0.1, 0.2, 0.3),
    "contamination": (0.25, 0.5, 0.75),
}


def run(script, *arguments):
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture
def reproduced(monkeypatch):
    """Imports a module from the folder of the experiments."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "reproduce"))
    return importlib.import_module


def some_images(count=20, size=32):
    drawn = np.random.RandomState(7).uniform(-0.9, 0.9, [count, size, size, 3])
    return drawn.astype(np.float32)


def disturbed(module, name, images, level, seed=0):
    """Images disturbed by name; contamination is with grey ones."""
    others = {"others": np.zeros_like(images)} if name == "contamination" else {}
    return getattr(module, name)(images, level, np.random.RandomState(seed), **others)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_ode_gan_mixture_writes_a_line_and_a_picture_per_run(tmp_path):
    printed = run(
        "reproduce/ode_gan_mixture.py",
        f"--output={tmp_path}",
        "--solvers=heun",
        "--weights=0.07",
        "--seeds=2",
        "--steps=1000",
    )
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [(line["seed"], line["steps"], line["field_evaluations"]) for line in lines] == [
        (0, 1000, 2000),
        (1, 1000, 2000),
    ]
    assert all(line["finite"] and 0 <= line["modes"] <= 16 for line in lines)
    assert len(printed.splitlines()) == 3
    picture = tf.io.decode_png((tmp_path / "heun-0.07-1.png").read_bytes(), 3).numpy()
    assert picture.std() > 1


@pytest.mark.exhaustive
@pytest.mark.slow
def test_top_k_mixture_compares_with_a_baseline_over_seeds(tmp_path):
    printed = run(
        "reproduce/top_k_mixture.py",
        f"--output={tmp_path}",
        "--modes=4",
        "--seeds=2",
        "--steps=40",
        "--decay_every=5",
        "--width=8",
        "--evaluations=2",
    )
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [(line["method"], line["seed"], line["steps"]) for line in lines] == [
        ("baseline", 0, 40),
        ("top_k", 0, 40),
        ("baseline", 1, 40),
        ("top_k", 1, 40),
    ]
    for line in lines:
        assert 0 <= line["high_quality"] <= 1 and 0 <= line["modes"] <= 1
        assert [found["steps"] for found in line["measured"]] == [20, 40]
    assert "top_k" not in lines[0]["measured"][0]
    means = [np.mean([256 * 0.99 ** (r // 5) for r in own]) for own in (range(20), range(20, 40))]
    found = [each["top_k"] for each in lines[1]["measured"]]
    np.testing.assert_allclose(found, means, rtol=1e-5)
    *_, baseline, top_k, note = printed.splitlines()
    qualities = [100 * line["high_quality"] for line in lines[1::2]]
    assert top_k.split()[:3] == ["4", "top_k", "2"] and baseline.split()[1] == "baseline"
    assert f"{np.mean(qualities):.1f} +-" in top_k and note.startswith("Percent")
    picture = tf.io.decode_png((tmp_path / "top_k-4-1.png").read_bytes(), 3).numpy()
    assert picture.std() > 1


@pytest.mark.exhaustive
@pytest.mark.slow
def test_combined_methods_go_on_where_they_were_stopped(tmp_path):
    settings = ["--data=mixture25", "--recipes=adam", "--evaluations=40", f"--output={tmp_path}"]
    run("reproduce/combined_methods.py", *settings, "--seeds=1")
    (first,) = (tmp_path / "results.jsonl").read_text().splitlines()
    printed = run("reproduce/combined_methods.py", *settings, "--seeds=2")
    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    assert lines[0] == first and len(lines) == 2
    found = [json.loads(line) for line in lines]
    assert [(each["seed"], each["field_evaluations"]) for each in found] == [(0, 40), (1, 40)]
    values = [each["high_quality_live"] for each in found]
    expected = f"{np.mean(values):.2f} +- {np.std(values, ddof=1):.2f}"
    (line,) = [each for each in printed.splitlines() if "high_quality_live " in each]
    assert line.endswith(expected)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_recipes_on_photo_patches_are_trained_once_per_setting(tmp_path):
    names = [f"lookahead/{name}" for name in ("mnist_dcgan_altgan", "svhn_resnet_altgan")]
    chosen = [*names, "lookahead/imagenet32_resnet_altgan"]
    arguments = [f"--output={tmp_path}", "--steps=2", "--batch_size=2"]
    arguments += [f"--recipes={name}" for name in chosen]
    printed = run("reproduce/recipes_on_photo_patches.py", *arguments)
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [(line["recipe"], line["batch_size"]) for line in lines] == [(n, 2) for n in chosen]
    assert lines[2]["as"] == names[1] and all(line["finite"] for line in lines[:2])
    assert [line["widths"] for line in lines] == ["own", "16 and 16", "16 and 16"]
    pictures = [tf.io.decode_png((tmp_path / line["grid"]).read_bytes()) for line in lines[:2]]
    assert [picture.shape for picture in pictures] == [(242, 242, 1), (274, 274, 3)]
    again = run("reproduce/recipes_on_photo_patches.py", *arguments)
    assert again.splitlines()[-5:] == printed.splitlines()[-5:] and not again.startswith("{")


@pytest.mark.slow
def test_high_quality_samples_and_recovered_modes(reproduced):
    centers = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    samples = np.array([[0.0, 0.19], [0.1, 0.1], [0.21, 0.0], [1.0, 0.81], [0.5, 0.5], [np.nan, 0]])
    found = reproduced("top_k_mixture").measured(samples, centers)
    assert found == {"high_quality": 3 / 6, "modes": 2 / 4}


@pytest.mark.parametrize("name", DISTURBANCES)
def test_level_0_changes_nothing(reproduced, name):
    images = some_images()
    unchanged = disturbed(reproduced("disturbances"), name, images, 0)
    assert unchanged.dtype == np.float32
    np.testing.assert_array_equal(unchanged, images)


@pytest.mark.parametrize("name", DISTURBANCES)
def test_higher_levels_change_images_more(reproduced, name):
    module, images = reproduced("disturbances"), some_images()
    before = images.copy()
    changes = []
    for level in DISTURBANCES[name]:
        changed = disturbed(module, name, images, level)
        assert changed.dtype == np.float32 and changed.shape == images.shape
        assert np.abs(changed).max() <= 1
        np.testing.assert_array_equal(changed, disturbed(module, name, images, level))
        changes.append(np.mean((changed - images) ** 2))
    np.testing.assert_array_equal(images, before)
    if name not in ("gaussian_blur", "swirl"):  # The pixels here are independent.
        assert 0 < changes[0] < changes[1] < changes[2]


def test_noise_is_rescaled_over_all_images(reproduced):
    images = some_images()
    normals = np.random.RandomState(3).standard_normal(images.shape)
    noise = np.interp(normals, [normals.min(), normals.max()], [-1, 1])
    noisy = disturbed(reproduced("disturbances"), "gaussian_noise", images, 0.25, seed=3)
    np.testing.assert_allclose(noisy, 0.75 * images.astype(float) + 0.25 * noise, atol=1e-6)


@pytest.mark.parametrize("std", [1, 2, 4])
def test_blur_keeps_a_constant_image(reproduced, std):
    images = np.full([2, 32, 24, 3], 0.3, np.float32)
    blurred = disturbed(reproduced("disturbances"), "gaussian_blur", images, std)
    np.testing.assert_allclose(blurred, images, rtol=1e-6)


@pytest.mark.parametrize("std", [1, 2])
def test_blur_of_one_pixel_is_the_gaussian(reproduced, std):
    images = np.zeros([1, 32, 40, 3], np.float32)
    images[0, 15, 17, 1] = 1
    blurred = disturbed(reproduced("disturbances"), "gaussian_blur", images, std)
    rows, columns = np.indices([32, 40])
    square = (rows - 15) ** 2 + (columns - 17) ** 2
    gaussian = np.exp(-square / (2 * std**2)) / (2 * np.pi * std**2)
    # It is truncated at four standard deviations, which leaves 6e-5 of it out.
    np.testing.assert_allclose(blurred[0, :, :, 1], gaussian, atol=1e-4 * gaussian.max())
    assert not blurred[..., [0, 2]].any()


def test_blur_mirrors_images_at_their_edges(reproduced):
    module, images = reproduced("disturbances"), some_images(count=2, size=12)
    wide = np.pad(images, [(0, 0), (12, 12), (12, 12), (0, 0)], "symmetric")
    inner = disturbed(module, "gaussian_blur", wide, 2)[:, 12:-12, 12:-12]
    np.testing.assert_allclose(
        disturbed(module, "gaussian_blur", images, 2), inner, rtol=0, atol=1e-6
    )


@pytest.mark.slow
def test_a_rectangle_is_one_black_square_anywhere(reproduced):
    images = some_images(count=2000)
    drawn = reproduced("disturbances").black_rectangles(
        images, 0.25, np.random.RandomState(0), rectangles=1
    )
    black = (drawn == -1).all(axis=3)
    np.testing.assert_array_equal(drawn[~black], images[~black])
    firsts = []
    for along in (black.any(axis=2), black.any(axis=1)):
        assert (along.sum(axis=1) == 8).all()
        firsts.append(along.argmax(axis=1))
        assert set(firsts[-1]) == set(range(32 - 8 + 1))
        deviation = np.sqrt((25**2 - 1) / 12 / len(images))
        assert abs(firsts[-1].mean() - 12) < 5 * deviation
    # As many pixels as rows times columns: nothing but the square.
    assert (black.sum(axis=(1, 2)) == 64).all()
    assert abs(np.corrcoef(*firsts)[0, 1]) < 5 / np.sqrt(len(images))


def test_there_are_five_rectangles(reproduced):
    images = some_images(count=1000)
    drawn = disturbed(reproduced("disturbances"), "black_rectangles", images, 1 / 32)
    counts = (drawn == -1).all(axis=3).sum(axis=(1, 2))
    assert counts.max() == 5
    # The chance that all of five among 1,024 pixels differ is 0.9903.
    assert abs((counts == 5).mean() - 0.9903) < 5 * np.sqrt(0.9903 * 0.0097 / 1000)


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_salt_and_pepper_replace_a_share_of_pixels(reproduced, share):
    images = some_images(count=100)
    hit = disturbed(reproduced("disturbances"), "salt_and_pepper", images, share)
    white, black = ((hit == value).all(axis=3) for value in (1, -1))
    left = ~(white | black)
    np.testing.assert_array_equal(hit[left], images[left])
    pixels = left.size
    assert abs((~left).mean() - share) < 5 * np.sqrt(share * (1 - share) / pixels)
    assert abs(white.sum() / (~left).sum() - 0.5) < 5 * 0.5 / np.sqrt(share * pixels)


def test_contamination_replaces_exactly_its_share(reproduced):
    images, replaced = some_images(count=40), []
    for share in (0.25, 0.5, 0.75):
        mixed = reproduced("disturbances").contamination(
            images, share, np.random.RandomState(1), others=-images
        )
        own = (mixed == images).all(axis=(1, 2, 3))
        others = (mixed == -images).all(axis=(1, 2, 3))
        assert (own ^ others).all() and others.sum() == share * 40
        replaced.append(set(np.flatnonzero(others)))
    assert replaced[0] < replaced[1] < replaced[2]
    assert replaced[0] != set(range(10)), "which images are replaced is drawn"


@pytest.mark.parametrize("radius", [10.0, 35.0])
def test_swirl_follows_its_formula_in_either_direction(reproduced, radius):
    rows, columns = np.indices([32, 32]) - 15.5
    places = columns + 1j * rows
    # Linear interpolation is exact on it.
    plane = (0.02 * places.real + 0.03 * places.imag).astype(np.float32)
    images = np.broadcast_to(plane[None, :, :, None], [200, 32, 32, 3])
    swirled = reproduced("disturbances").swirl(images, 2, np.random.RandomState(0), radius)
    inside = np.abs(places) <= 15.5  # No rotation leaves the image.
    ways = []
    for sign in (1, -1):
        turn = sign * 2 * np.exp(-5 * np.abs(places) / (radius * np.log(2)))
        from_where = places * np.exp(1j * turn)
        expected = (0.02 * from_where.real + 0.03 * from_where.imag)[None, inside, None]
        ways.append(np.abs(swirled[:, inside] - expected).max(axis=(1, 2)) < 1e-5)
    assert (ways[0] ^ ways[1]).all()
    assert abs(ways[0].sum() - 100) < 5 * np.sqrt(200 / 4)


@pytest.mark.parametrize("level", [1, 2, 4])
def test_swirl_keeps_rotation_symmetry(reproduced, level):
    rows, columns = np.indices([32, 32]) - 15.5
    bump = np.exp(-(rows**2 + columns**2) / 50).astype(np.float32)
    images = np.broadcast_to(bump[None, :, :, None], [4, 32, 32, 3])
    swirled = disturbed(reproduced("disturbances"), "swirl", images, level)
    # Linear interpolation errs by 1/8 of the second derivatives, 2 / 25 at most.
    np.testing.assert_allclose(swirled, images, rtol=0, atol=0.01)


@pytest.mark.slow
def test_faces_are_aligned_different_and_reproducible(reproduced):
    module = reproduced("aligned_faces")
    faces = module.faces(300, seed=1)
    assert faces.dtype == np.float32 and faces.shape == (300, 32, 32, 3)
    assert faces.min() >= -1 and faces.max() <= 1
    np.testing.assert_array_equal(faces, module.faces(300, seed=1))
    assert not np.array_equal(faces, module.faces(300, seed=2))
    assert len(np.unique(faces.reshape(300, -1), axis=0)) == 300
    middle = faces.mean(axis=0)
    # Faces are centered to a pixel, and light comes from both sides equally often.
    np.testing.assert_allclose(middle, middle[:, ::-1], rtol=0, atol=0.06)
    # Mouths lie in the same place: the mean face has one between its cheeks.
    cheeks, mouth = middle[21:23, [9, 22]].mean(), middle[21:23, 14:18].mean()
    assert mouth < cheeks - 0.2


@pytest.mark.exhaustive
@pytest.mark.slow
def test_fid_rises_with_each_disturbance(tmp_path):
    printed = run("reproduce/fid_disturbances.py", f"--directory={tmp_path}", "--images=400")
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    names = [name.replace("_", " ").capitalize() for name in DISTURBANCES]
    assert [line["disturbance"].capitalize() for line in lines] == np.repeat(names, 4).tolist()
    assert len({line["fid_protocol"] for line in lines}) == 1
    assert "real=400 " in lines[0]["fid_protocol"] and "features-256" in lines[0]["fid_protocol"]
    undisturbed = {(line["fid"], line["kid"]) for line in lines if line["level"] == 0}
    assert len(undisturbed) == 1
    fids = np.array([line["fid"] for line in lines]).reshape(6, 4)
    assert (np.diff(fids) > 0).all()
    levels = np.array([line["level"] for line in lines]).reshape(6, 4)
    np.testing.assert_array_equal(levels[:, 1:], list(DISTURBANCES.values()))
    for name in names:
        assert f"{name}: FID rises at every level".lower() in printed.lower()
    assert f"protocol: {lines[0]['fid_protocol']}" in printed
    assert "baseline of real images: fid" in printed and "real=200 " in printed
    picture = tf.io.decode_png((tmp_path / "fid_disturbances.png").read_bytes(), 3).numpy()
    assert picture.std() > 1


def test_the_study_has_the_papers_disturbances_and_levels(reproduced):
    module, images = reproduced("fid_disturbances"), some_images(count=40)
    module.flags.FLAGS(["fid_disturbances.py"])
    try:
        six = module.studies(np.zeros_like(images))
        shown = module.to_show(six[-1], images)
    finally:
        module.flags.FLAGS.unparse_flags()
    for study, (name, levels) in zip(six, DISTURBANCES.items(), strict=True):
        assert study.name.lower().replace(" ", "_") == name and study.levels == (0, *levels)
        for level in study.levels:
            np.testing.assert_array_equal(
                study.disturb(images, level, np.random.RandomState(0)),
                disturbed(reproduced("disturbances"), name, images, level),
            )
    for replaced, level in enumerate(six[-1].levels):
        mixed = six[-1].disturb(images, level, np.random.RandomState(3))[shown]
        assert (mixed == 0).all(axis=(1, 2, 3)).sum() == replaced


def test_mosaic_of_four_images(reproduced):
    images = some_images(count=4, size=6)[:, :5]
    mosaic = reproduced("fid_disturbances").mosaic(images)
    scaled = (images + 1) / 2
    assert mosaic.shape == (10, 12, 3)
    np.testing.assert_array_equal(mosaic[:5, 6:], scaled[1])
    np.testing.assert_array_equal(mosaic[5:, :6], scaled[2])
    one = reproduced("fid_disturbances").mosaic(images[3:])
    np.testing.assert_array_equal(one, scaled[3])


def test_verdict_names_levels_that_do_not_rise(reproduced):
    module = reproduced("fid_disturbances")
    study = module.Study("Swirl", (0, 1, 2, 4), "radians", np.copy)

    def scores(values, protocol="fid/a@1"):
        return [tgs.evaluation.ScoreResult("fid", value, protocol) for value in values]

    finding = module.Finding(study, [], scores([0, 2, 2, 1]), scores([0, 1, 2, 3]))
    assert module.rises(finding.fids) == [True, False, False]
    assert module.verdict(finding) == ("Swirl: FID does not rise at 2, 4; KID rises at every level")
    rows = [line.split() for line in module.table([finding]).splitlines()[1:]]
    assert [row[3:4] + row[-1:] for row in rows[1:]] == [
        ["yes", "yes"],
        ["NO", "yes"],
        ["NO", "yes"],
    ]
    with pytest.raises(ValueError, match="Only scores of one protocol can be compared"):
        module.rises([*scores([0]), *scores([1], "fid/b@2")])


@pytest.mark.slow
@pytest.mark.exhaustive
def test_benchmark_writes_a_table_and_json(tmp_path):
    output = tmp_path / "found"
    printed = run(
        "benchmarks/run.py", "--only=peers", "--turns=2", "--seconds=0.1", f"--output={output}"
    )
    assert "| PyTorch" in printed or "| Keras' example / ours: DCGAN" in printed
    figures = json.loads((tmp_path / "found.json").read_text())["figures"]["peers"]
    assert len(figures) >= 2 and all(0 < each["low"] <= each["value"] for each in figures)
    rows = [line for line in (tmp_path / "found.md").read_text().splitlines() if "ours:" in line]
    assert len(rows) == len(figures) and all(row.split("|")[5].strip() for row in rows)


@pytest.mark.slow
def test_benchmark_compares_within_turns_and_with_targets(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "benchmarks"))
    figures = importlib.import_module("figures")
    assert figures.linear_fit({1: 3.0, 2: 5.0, 10: 21.0}) == pytest.approx((1, 1, 1))
    assert figures.linear_fit({1: 1.0, 2: 4.0, 4: 16.0})[2] > 1.2
    row = figures.row_of("a", [3.0, 1.0, 2.0, 9.0, 1.5], [1.0, 1.0, 1.0, 1.0, 0.8], 1.9)
    assert (row.low, row.value, row.high, row.fastest) == (1.875, 2.0, 3.0, 1.25)
    assert row.is_met == [False, True]
    assert figures.row_of("a", [1.2], [1.0], -1.1).is_met == [True, True]
    assert figures.row_of("a", [1.2], [1.0]).is_met is None


@pytest.mark.exhaustive
@pytest.mark.slow
def test_evaluation_benchmark():
    small = ["--samples=200", "--features=40", "--streamed=3000", "--turns=1"]
    printed = run("benchmarks/evaluation.py", *small)
    rows = {
        line[:20].strip(): line[20:].split() for line in printed.splitlines() if line[:1] != "2"
    }
    for name in ("ours, first score", "ours, later scores", "TF-GAN", "numpy eigvals"):
        assert float(rows[name][4]) < 1e-6  # Its value's relative difference from ours.
    streaming, neighbors = (line for line in printed.splitlines() if " MB in all" in line)
    assert streaming.startswith("streaming: ") and neighbors.startswith("neighbors: ")


@pytest.fixture
def communication(monkeypatch):
    """The program that computes what several devices communicate."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "benchmarks"))
    return importlib.import_module("communication")


def test_what_a_step_communicates_is_counted_by_hand_for_small_numbers(communication):
    numbers = communication.Numbers(generator=100, discriminator=10, state=1)
    # Both in each evaluation; or the discriminator as often as there are minibatches, then the
    # generator; the state once. 4 bytes each.
    by_hand = {
        "Euler": 111,
        "Alternating(1)": 111,
        "Alternating(5)": 151,
        "Extragradient": 221,
        "RK4": 441,
    }
    for name, scheme in communication.SCHEMES.items():
        assert communication.size_of_step(numbers, scheme) == 4 * by_hand[name], name
    link = communication.Link(bandwidth=1e6, latency=1e-3)
    # Of 4 devices each sends 6 / 4 of the bytes, in 6 messages for each reduction.
    assert communication.seconds_of_communication(10**6, 2, 4, link) == pytest.approx(1.5 + 0.012)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_page_on_several_devices_holds_the_computed_tables(communication):
    page = (ROOT / "docs" / "several_devices.md").read_text(encoding="utf-8")
    for table in communication.tables():
        assert table in page
