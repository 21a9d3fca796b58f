"""The page on scores and extractors of one's own: its code runs, and does what it says."""

import pathlib
import re

import numpy as np
import pytest

import tfgan_stab as tgs

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "write_your_own_score.md"


@pytest.fixture(scope="module")
def page():
    """The names that the page's code defines; the code is run as it stands."""
    names = {"__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)
    return names


def test_only_public_names_are_imported(page):
    text = PAGE.read_text(encoding="utf-8")
    assert "tfgan_stab." not in text and "tgs._" not in text
    for name in re.findall(r"tgs\.evaluation\.(\w+)", text):
        assert name in dir(tgs.evaluation)


def test_mean_brightness(page):
    expected = abs(page["images"].mean() - (page["images"][:200] / 2 + 0.25).mean())
    assert page["result"].value == pytest.approx(float(expected))
    protocol = r"brightness/real=500 array@[0-9a-f]{8}/fake=200/seed=0/bn=inference"
    assert re.fullmatch(protocol, str(page["result"].protocol))
    held_out, reference = (page["images"][rows] for rows in page["score"].real_images.rows)
    baseline = abs(float(held_out.mean()) - float(reference.mean()))
    assert page["score"].baseline().value == pytest.approx(baseline, rel=1e-3)


def test_contrast(page):
    deviations = page["images"][:200].std(axis=(1, 2, 3))
    contrast, least = page["contrast"], page["least"]
    assert contrast.value == pytest.approx(deviations.mean())
    assert contrast.standard_error == pytest.approx(deviations.std(ddof=1) / np.sqrt(200), rel=1e-5)
    assert least.value == deviations.min() and least.standard_error is None
    assert contrast.larger_is_better and not least.larger_is_better
    assert contrast.protocol == "contrast/power=1/fake=200/seed=0/bn=inference"
    with pytest.raises(ValueError, match="The baseline of 'contrast' is measured on real images"):
        page["Contrast"](samples=200).baseline()


def test_own_score_of_own_features(page):
    class Shift(tgs.evaluation.Score):
        name = "shift"

        def compute(self, real, fake):
            assert real.shape == (500, 2) and fake.shape == (200, 2)
            return np.abs(real.mean(axis=0) - fake.mean(axis=0)).max()

    score = Shift(page["images"], samples=200, extractor=page["Halves"]())
    result = score([page["images"] / 2 + 0.25])
    assert 0.2 < result.value < 0.3
    assert "/mean/clean-resize-16/real=500 array@" in str(result.protocol)


def test_own_score_of_each_class(page):
    labels = np.arange(500) % 2
    score = page["MeanBrightness"]((page["images"] * labels[:, None, None, None], labels), 50)
    results = tgs.PerClass(score).baseline()
    names = ["brightness_class_0", "brightness_class_1", "brightness_class_mean"]
    assert [result.name for result in results] == names
    assert results[0].value == 0.0 < results[1].value


@pytest.mark.slow
def test_own_score_in_training(page, tiny, image_gan):
    events = []
    image_gan.listeners.append(events.append)
    evaluate = tgs.callbacks.Evaluate(page["MeanBrightness"](page["images"], 50), weights="live")
    history = image_gan.fit(
        tiny.images(), steps_per_epoch=2, epochs=1, callbacks=[evaluate], verbose=0
    )
    expected = abs(page["images"].mean() - image_gan.sample(50, weights="live", seed=0).mean())
    assert history.history["brightness"] == [pytest.approx(float(expected), rel=1e-5)]


def test_halves(page):
    images = page["images"]
    extractor = page["Halves"]()
    features = extractor(images[:70])
    assert features.shape == (70, 2)
    assert np.array_equal(features[:3], extractor(images[:3]))
    assert re.match(
        r"fid/halves@[0-9a-f]{8}/mean/clean-resize-16/real=500 array@", str(page["fid"].protocol())
    )


def test_brighter(page):
    score = tgs.InceptionScore(page["Brighter"](), samples=200)
    result = score([page["images"]])
    assert 1.0 <= result.value <= 2.0
    assert "/brighter@v1/logits/splits=10/" in str(result.protocol)


def test_compute_must_be_defined(noise):
    class Empty(tgs.evaluation.Score):
        name = "empty"

    with pytest.raises(TypeError, match=r"Empty must define `compute\(real, fake\)`"):
        Empty(noise(30), samples=10)([noise(10)])
