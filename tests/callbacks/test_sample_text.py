"""SampleText writes what the generator says, one text on each line."""

import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.callbacks import RunLog, SamplesEvent, SampleText

CHARACTERS = "\N{REPLACEMENT CHARACTER} abé"


@pytest.fixture
def gan():
    """A GAN of texts of 6 characters out of 5, run without graphs."""
    sizes = {"vocabulary": 5, "length": 6, "width": 4, "blocks": 1}
    generator = tgs.networks.text_generator(latents=3, **sizes)
    gan = tgs.GAN(generator, tgs.networks.text_discriminator(**sizes), latents=3)
    averages = {"ema": tgs.ExponentialAverage(0.5)}
    gan.compile("adam", "adam", loss="wasserstein", averages=averages, run_eagerly=True)
    return gan


def fit(gan, *callbacks, epochs=1):
    texts = np.eye(5, dtype="float32")[np.random.default_rng(0).integers(0, 5, [8, 6])]
    gan.fit(texts, batch_size=4, epochs=epochs, callbacks=callbacks, verbose=0)


@pytest.mark.slow
def test_each_file_has_the_samples_of_its_step(gan, tmp_path):
    events = []
    gan.listeners.append(events.append)
    folder = tmp_path / "a" / "b"
    fit(gan, SampleText(folder, CHARACTERS, count=5, seed=4), epochs=2)
    assert [path.name for path in sorted(folder.iterdir())] == [
        "step-00000002.txt",
        "step-00000004.txt",
    ]
    samples = gan.sample(5, weights="ema", seed=4)
    expected = ["".join(CHARACTERS[n] for n in row) for row in np.argmax(samples, axis=-1)]
    written = (folder / "step-00000004.txt").read_text(encoding="utf-8")
    assert written == "".join(f"{each}\n" for each in expected)
    published = [each for each in events if isinstance(each, SamplesEvent)]
    assert published[-1] == (4, "samples (ema)", expected)


@pytest.mark.slow
def test_live_weights_and_steps_can_be_chosen(gan, tmp_path):
    fit(gan, SampleText(tmp_path, CHARACTERS, count=3, weights="live", every=1))
    assert len(list(tmp_path.iterdir())) == 2
    expected = tgs.data.decode_text(gan.sample(3), CHARACTERS)
    assert (tmp_path / "step-00000002.txt").read_text("utf-8").split("\n") == [*expected, ""]


@pytest.mark.slow
def test_tensorboard_shows_the_texts(gan, tmp_path):
    fit(gan, RunLog(tmp_path), SampleText(tmp_path / "samples", CHARACTERS, count=2))
    lines = (tmp_path / "samples" / "step-00000002.txt").read_text(encoding="utf-8").splitlines()
    found = [
        value.tensor.string_val[0].decode()
        for path in (tmp_path / "tensorboard").iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == "samples (ema)"
    ]
    assert found == ["".join(f"    {line}\n" for line in lines)]
    assert not (tmp_path / "events.jsonl").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"count": 0}, "`count` must be a number of samples, an integer >= 1. Received: 0. Use 64"),
        ({"seed": -1}, "`seed` must be an integer.*Received: -1"),
    ],
)
def test_numbers_must_be_in_range(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        SampleText(tmp_path, CHARACTERS, **settings)


def test_what_cannot_be_written_is_refused_before_training(gan, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for callback, error, message in (
        (SampleText(tmp_path, CHARACTERS, weights="mean"), ValueError, "one of .*'ema'"),
        (SampleText(tmp_path, "abc"), ValueError, r"\[length, 3\].*a generator of \[6, 5\]"),
        (SampleText(tmp_path / "file", CHARACTERS), OSError, "directory that can be written to"),
    ):
        with pytest.raises(error, match=message):
            fit(gan, callback)
    assert gan.steps == 0


def test_generator_of_pictures_is_refused(tiny, image_gan, tmp_path):
    with pytest.raises(ValueError, match=r"Received: a generator of \[8, 8, 1\]. Give the chara"):
        image_gan.fit(
            tiny.images(), steps_per_epoch=1, callbacks=[SampleText(tmp_path, "abc")], verbose=0
        )
