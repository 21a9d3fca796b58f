"""SampleGrid writes PNG files that show, pixel by pixel, what the generator draws."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.callbacks.sample_grid import grid

SampleGrid = tgs.callbacks.SampleGrid


def shades(images):
    """[-1, 1] as 0..255, and what is beyond cut off."""
    return np.rint((np.clip(images, -1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)


def read(path):
    return tf.io.decode_png(tf.io.read_file(str(path))).numpy()


def cells(sheet, rows, columns, side, gap=2):
    """Cuts a sheet into its images; fails if what lies between them is not white."""
    step = side + gap
    assert sheet.shape[:2] == (rows * step + gap, columns * step + gap)
    rest, found = sheet.copy(), []
    for row in range(rows):
        for column in range(columns):
            place = (
                slice(gap + row * step, gap + row * step + side),
                slice(gap + column * step, gap + column * step + side),
            )
            found.append(sheet[place])
            rest[place] = 255
    assert np.all(rest == 255)
    return found


def test_each_file_shows_the_samples_of_its_step(tiny, image_gan, tmp_path):
    expected, events = {}, []
    image_gan.listeners.append(events.append)

    def draw(hook):
        expected[image_gan.steps] = image_gan.sample(6, weights="ema", seed=4)

    image_gan.fit(
        tiny.images(),
        epochs=2,
        steps_per_epoch=3,
        callbacks=[
            SampleGrid(tmp_path / "a" / "b", rows=2, columns=3, every=2, seed=4),
            tiny.Trace(draw, "on_train_batch_end"),
        ],
        verbose=0,
    )
    files = sorted((tmp_path / "a" / "b").iterdir())
    assert [f.name for f in files] == [f"step-{n:08d}.png" for n in (2, 4, 6)]
    for path, event, steps in zip(files, events, (2, 4, 6), strict=True):
        sheet = read(path)
        np.testing.assert_array_equal(event.pixels, sheet)
        assert (event.step, event.name) == (steps, "samples (ema)")
        shown = cells(sheet, 2, 3, 32)
        for cell, image in zip(shown, shades(expected[steps]), strict=True):
            # Each pixel of 8x8 has become a square of 4x4.
            np.testing.assert_array_equal(cell, np.kron(image[..., 0], np.ones((4, 4)))[..., None])
    assert not np.array_equal(read(files[0]), read(files[1]))


def test_live_weights_and_epochs_can_be_chosen(tiny, image_gan, tmp_path):
    grids = [SampleGrid(tmp_path / name, 1, 2, weights=name) for name in ("live", "ema")]
    image_gan.fit(tiny.images(), steps_per_epoch=3, callbacks=grids, verbose=0)
    for name in ("live", "ema"):
        (path,) = (tmp_path / name).iterdir()
        np.testing.assert_array_equal(read(path), grid(image_gan.sample(2, weights=name), 2))
    assert path.read_bytes() != (tmp_path / "live" / path.name).read_bytes()


@pytest.mark.slow
def test_as_many_columns_as_classes_show_one_class_in_each(tiny, tmp_path):
    gan = tiny.image_gan(eager=True, num_classes=3)
    data = tiny.tgs.data.digits(batch_size=4, labels=True).map(lambda x, y: (x, y % 3)).take(1)
    callbacks = [SampleGrid(tmp_path, rows=2, columns=3)]
    gan.fit(data, callbacks=callbacks, verbose=0)
    (path,) = tmp_path.iterdir()
    images = gan.sample(6, weights="ema", labels=[0, 1, 2, 0, 1, 2])
    np.testing.assert_array_equal(read(path), grid(images, 3))
    others = gan.sample(6, weights="ema", labels=[0, 0, 1, 1, 2, 2])
    assert not np.array_equal(read(path), grid(others, 3))


def test_colours_large_images_and_a_shorter_last_row():
    images = np.random.RandomState(0).uniform(-1.2, 1.2, [5, 40, 40, 3]).astype("float32")
    shown = cells(grid(images, 3), 2, 3, 40)
    np.testing.assert_array_equal(np.stack(shown[:5]), shades(images))
    assert np.all(shown[5] == 255)


def test_transparent_images_make_a_transparent_grid():
    images = np.random.RandomState(0).uniform(-1.2, 1.2, [3, 40, 40, 4]).astype("float32")
    sheet = grid(images, 2)
    np.testing.assert_array_equal(np.stack(cells(sheet, 2, 2, 40)[:3]), shades(images))
    np.testing.assert_array_equal(tf.io.decode_png(tf.io.encode_png(sheet)), sheet)


def test_generator_with_alpha_is_drawn(tmp_path):
    layers = keras.layers
    generator = keras.Sequential(
        [keras.Input((3,)), layers.Dense(64), layers.Reshape((4, 4, 4)), layers.Activation("tanh")]
    )
    discriminator = keras.Sequential([keras.Input((4, 4, 4)), layers.Flatten(), layers.Dense(1)])
    gan = tgs.GAN(generator, discriminator, latents=3)
    gan.compile("sgd", "sgd", run_eagerly=True)
    grids = SampleGrid(tmp_path, rows=1, columns=2, weights="live")
    gan.fit(np.zeros([2, 4, 4, 4], "float32"), batch_size=2, callbacks=[grids], verbose=0)
    (path,) = tmp_path.iterdir()
    shown = cells(read(path), 1, 2, 32)
    for cell, image in zip(shown, shades(gan.sample(2, seed=0)), strict=True):
        np.testing.assert_array_equal(cell, image.repeat(8, axis=0).repeat(8, axis=1))


def test_range_ends_are_black_and_white_and_zero_is_grey():
    images = np.array([-1.0, 0.0, 1.0, 7.0], "float32").reshape(4, 1, 1, 1)
    sheet = grid(images, 4)
    assert [int(sheet[2, 2 + 34 * n, 0]) for n in range(4)] == [0, 128, 255, 255]


@pytest.mark.parametrize("name", ["rows", "columns"])
@pytest.mark.parametrize("value", [0, -1, 2.5, "8", True])
def test_rows_and_columns_must_be_positive_integers(tmp_path, name, value):
    message = f"`{name}` must be a number of images, an integer >= 1. Received: {value!r}. Use 8"
    with pytest.raises(ValueError, match=re.escape(message)):
        SampleGrid(tmp_path, **{name: value})


def test_seed_must_be_a_nonnegative_integer(tmp_path):
    with pytest.raises(ValueError, match="`seed` must be an integer.*Received: -1"):
        SampleGrid(tmp_path, seed=-1)


def test_generator_of_points_is_refused(tiny, tmp_path):
    gan = tiny.point_gan(eager=True)
    message = re.escape("draws images [height, width, 1, 3 or 4]. Received: a generator of [2]")
    with pytest.raises(ValueError, match=message):
        gan.fit(
            tgs.data.mixture(batch_size=4),
            steps_per_epoch=1,
            callbacks=[SampleGrid(tmp_path)],
            verbose=0,
        )
    assert gan.steps == 0


def test_unknown_weights_and_unusable_directory_are_refused_before_training(
    tiny, image_gan, tmp_path
):
    (tmp_path / "file").write_text("in the way")
    for callback, error, message in (
        (SampleGrid(tmp_path, weights="mean"), ValueError, "one of .*'late'.*Received: 'mean'"),
        (SampleGrid(tmp_path / "file"), OSError, "directory that can be written to.*file"),
        (SampleGrid(tmp_path / "file" / "in"), OSError, "or choose another one"),
    ):
        with pytest.raises(error, match=message):
            image_gan.fit(tiny.images(), steps_per_epoch=1, callbacks=[callback], verbose=0)
    assert image_gan.steps == 0


def test_full_disk_names_the_file(tiny, image_gan, tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match=r"Could not write .*step-00000001.png: No space left"):
        image_gan.fit(tiny.images(), steps_per_epoch=1, callbacks=[SampleGrid(tmp_path)], verbose=0)
    assert list(tmp_path.iterdir()) == []


def translation_gan(tiny):
    """A GAN that makes pictures of pictures."""
    layers = tiny.layers
    generator = tiny.keras.Sequential([tiny.keras.Input((8, 8, 1)), layers.Conv2D(1, 1)])
    discriminator = tiny.keras.Sequential(
        [tiny.keras.Input((8, 8, 2)), layers.Flatten(), layers.Dense(1)]
    )
    gan = tgs.GAN(generator, discriminator, latents=0)
    tiny.compiled(gan, run_eagerly=True)
    return gan


def test_grid_of_conditions(tiny, tmp_path):
    gan = translation_gan(tiny)
    pictures = np.linspace(-1, 1, 3 * 64).reshape(3, 8, 8, 1).astype("float32")
    callback = SampleGrid(tmp_path, rows=2, columns=2, weights="live", labels=pictures)
    gan.fit(pictures, pictures, callbacks=[callback], verbose=0)
    shown = cells(read(tmp_path / "step-00000001.png"), 2, 2, 32)
    expected = shades(gan.generator(np.concatenate([pictures, pictures[:1]])).numpy())
    for cell, image in zip(shown, expected, strict=True):
        np.testing.assert_array_equal(cell[::4, ::4], image)


def test_missing_conditions_are_refused_before_training(tiny, tmp_path):
    gan = translation_gan(tiny)
    pictures = np.zeros([4, 8, 8, 1], "float32")
    with pytest.raises(ValueError, match="needs some to make examples for. Received: no `labels`"):
        gan.fit(pictures, pictures, callbacks=[SampleGrid(tmp_path)], verbose=0)
    assert gan.steps == 0
