import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs

WRITERS = {
    "png": tf.io.encode_png,
    "jpg": lambda image: tf.io.encode_jpeg(image, quality=100),
    "jpeg": lambda image: tf.io.encode_jpeg(image, quality=100),
}


def plain(level, height=20, width=24, channels=3):
    return np.full([height, width, channels], level, np.uint8)


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    tf.io.write_file(str(path), WRITERS[path.suffix[1:].lower()](image))
    return path


@pytest.fixture
def folder(tmp_path):
    """Twelve gray levels, in three classes, told apart by their level."""
    for index in range(12):
        write(tmp_path / f"class{index % 3}" / f"{index:02}.png", plain(20 * index))
    return tmp_path


def levels(images):
    return np.rint((images.mean(axis=(1, 2, 3)) + 1) * 127.5 / 20).astype(int).tolist()


def shown(batches):
    return np.concatenate(list(batches.examples().as_numpy_iterator()))


def test_every_epoch_shows_every_picture_once(folder):
    batches = tgs.data.image_folder(folder, batch_size=4, size=8)
    assert batches.num_examples == 12
    assert batches.element_spec == tf.TensorSpec([4, 8, 8, 3], tf.float32)
    assert batches.cardinality() == tf.data.INFINITE_CARDINALITY
    numbers = [level for batch in batches.take(9).as_numpy_iterator() for level in levels(batch)]
    epochs = [numbers[:12], numbers[12:24], numbers[24:]]
    assert [sorted(epoch) for epoch in epochs] == [list(range(12))] * 3
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 5])
@pytest.mark.parametrize("labels", [False, True])
def test_a_stream_of_files_can_start_at_any_step(folder, step, labels):
    batches = tgs.data.image_folder(folder, batch_size=5, size=8, seed=2, labels=labels)
    whole = list(batches.take(2 * step + 4).as_numpy_iterator())
    for begin, batch in enumerate(batches.starting_at(step).take(3).as_numpy_iterator(), step):
        tf.nest.map_structure(np.testing.assert_array_equal, batch, whole[begin])
    double = next(batches.starting_at(step, minibatches=2).as_numpy_iterator())
    joined = tf.nest.map_structure(
        lambda *two: np.concatenate(two), whole[2 * step], whole[2 * step + 1]
    )
    tf.nest.map_structure(np.testing.assert_array_equal, double, joined)


@pytest.mark.slow
def test_labels_are_the_folders_in_alphabetical_order(folder):
    batches = tgs.data.image_folder(folder, batch_size=12, size=8, labels=True)
    images, labels = next(batches.as_numpy_iterator())
    assert [level % 3 for level in levels(images)] == labels.tolist()
    assert labels.dtype == np.int32
    assert batches.num_classes == 3
    assert batches.description()["class_names"] == ["class0", "class1", "class2"]


@pytest.mark.slow
def test_a_class_may_have_folders_of_its_own(folder):
    write(folder / "class1" / "more" / "deep.png", plain(255))
    batches = tgs.data.image_folder(folder, batch_size=13, size=8, labels=True)
    images, labels = next(batches.as_numpy_iterator())
    assert labels[levels(images).index(13)] == 1
    assert batches.num_classes == 3


@pytest.mark.slow
def test_examples_are_in_the_order_of_their_paths(folder):
    paths = sorted(folder.rglob("*.png"))
    batches = tgs.data.image_folder(folder, batch_size=5, size=8)
    assert levels(shown(batches)) == [int(path.stem) for path in paths]
    assert [len(batch) for batch in batches.examples(limit=7)] == [5, 2]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["png", "PNG", "jpg", "jpeg"])
@pytest.mark.parametrize("own_channels", [1, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_formats_and_channels_are_converted(tmp_path, suffix, own_channels, channels):
    write(tmp_path / f"picture.{suffix}", plain(100, channels=own_channels))
    images = shown(tgs.data.image_folder(tmp_path, 1, size=8, channels=channels))
    assert images.shape == (1, 8, 8, channels)
    # JPEG may be a level off.
    np.testing.assert_allclose(images, 100 / 127.5 - 1, atol=1.1 / 127.5)


def bmp(image):
    """An uncompressed 24-bit bitmap, rows from the bottom, blue first."""
    height, width, _ = image.shape
    rows = np.pad(image[::-1, :, ::-1].reshape(height, -1), [(0, 0), (0, -3 * width % 4)])
    header = np.array([40, width, height, 1 | 24 << 16, 0, rows.size, 0, 0, 0, 0], "<u4").tobytes()
    sizes = np.array([54 + rows.size, 0, 54], "<u4").tobytes()
    return b"BM" + sizes + header + rows.tobytes()


def gif(first, second):
    """Two frames of one pixel, black or white, by the letter of the GIF89a specification."""
    frame = {0: b"\x02\x02\x44\x01\x00", 1: b"\x02\x02\x4c\x01\x00"}
    descriptor = b"\x2c" + bytes(4) + b"\x01\x00\x01\x00\x00"
    screen = b"GIF89a\x01\x00\x01\x00\x80\x00\x00" + b"\x00\x00\x00\xff\xff\xff"
    return screen + descriptor + frame[first] + descriptor + frame[second] + b"\x3b"


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
def test_bitmaps_are_read(tmp_path, channels):
    image = np.random.default_rng(0).integers(0, 256, [6, 6, 3], dtype=np.uint8)
    (tmp_path / "picture.bmp").write_bytes(bmp(image))
    images = shown(tgs.data.image_folder(tmp_path, 1, size=6, channels=channels))
    expected = image if channels == 3 else image @ [[0.299], [0.587], [0.114]]
    np.testing.assert_allclose(images[0], expected / 127.5 - 1, atol=1.1 / 127.5)


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("channels", [1, 3])
def test_of_an_animation_the_first_frame_is_shown(tmp_path, first, channels):
    (tmp_path / "animated.gif").write_bytes(gif(first, 1 - first))
    images = shown(tgs.data.image_folder(tmp_path, 1, size=4, channels=channels))
    np.testing.assert_allclose(images, np.full([1, 4, 4, channels], 2.0 * first - 1), atol=1e-6)


@pytest.mark.parametrize("end", ["", "/"])
def test_other_and_hidden_files_do_not_count(folder, end):
    (folder / "readme.txt").write_text("not a picture")
    write(folder / ".thumbnails" / "00.png", plain(0))
    (folder / "class0" / "._00.png").write_bytes(b"another system's droppings")
    (folder / ".hidden.png").write_bytes(b"")
    assert tgs.data.image_folder(f"{folder}{end}", 4, size=8).num_examples == 12


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"There is no folder '{tmp_path}/absent'"):
        tgs.data.image_folder(tmp_path / "absent")


def test_a_file_is_no_folder(folder):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        tgs.data.image_folder(folder / "class0" / "00.png")


def test_a_folder_without_pictures_says_what_was_expected(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    message = r"no pictures in .*Expected files ending in .bmp, .*Received: 1 other files"
    with pytest.raises(ValueError, match=message):
        tgs.data.image_folder(tmp_path)


def cut_in_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_damaged_pictures_are_named_before_training(folder):
    noise = np.random.default_rng(0).integers(0, 256, [20, 20, 3], dtype=np.uint8)
    (folder / "class2" / "empty.jpg").write_bytes(b"")
    (folder / "class2" / "text.gif").write_bytes(b"not a picture at all")
    (folder / "class2" / "header.png").write_bytes(tf.io.encode_png(noise).numpy()[:20])
    with pytest.raises(ValueError, match="3 of 15 pictures in .* cannot be read") as caught:
        tgs.data.image_folder(folder, 4, size=8)
    for name in ("header.png: ", "empty.jpg: ", "text.gif: ", 'on_error="skip"'):
        assert name in str(caught.value)


def flat_gan(size):
    layers = keras.layers
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(size * size * 3), layers.Reshape((size, size, 3))]
    )
    discriminator = keras.Sequential(
        [keras.Input((size, size, 3)), layers.Flatten(), layers.Dense(1)]
    )
    gan = tgs.GAN(generator, discriminator, latents=2)
    gan.compile("sgd", "sgd", jit_compile=False)
    return gan


@pytest.mark.parametrize("kind", ["cut", "gone"])
def test_damage_behind_a_sound_header_is_named_when_it_is_met(folder, kind):
    noise = np.random.default_rng(0).integers(0, 256, [20, 20, 3], dtype=np.uint8)
    paths = [write(folder / "class1" / name, noise) for name in ("bad.png", "bad.jpg")]
    if kind == "cut":
        for path in paths:
            cut_in_half(path)
    batches = tgs.data.image_folder(folder, 4, size=8)  # Reads headers only.
    if kind == "gone":
        for path in paths:
            path.unlink()
    with pytest.raises(ValueError, match=r"Received: 2 that cannot") as caught:
        flat_gan(8).fit(batches, steps_per_epoch=8, verbose=0)
    for name in ("bad.png: ", "bad.jpg: ", 'on_error="skip"', "class1"):
        assert name in str(caught.value)


def test_opening_a_folder_decodes_nothing(folder, monkeypatch):
    monkeypatch.setattr("tfgan_stab.data.folders.shapes_of", None)
    assert tgs.data.image_folder(folder, 4, size=8).num_examples == 12


@pytest.mark.slow
def test_damaged_pictures_can_be_skipped_and_are_named(folder):
    cut_in_half(folder / "class0" / "00.png")
    with pytest.warns(UserWarning, match=r"Skipped 1 of 12 pictures in(.|\n)*class0/00.png: "):
        batches = tgs.data.image_folder(folder, 11, size=8, on_error="skip")
    assert batches.num_examples == 11
    assert batches.description()["skipped"] == [str(folder / "class0" / "00.png")]
    assert sorted(levels(next(batches.as_numpy_iterator()))) == list(range(1, 12))


def test_sound_pictures_do_not_warn(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tgs.data.image_folder(folder, 4, size=8, on_error="skip").example_set.skipped == ()


def test_a_folder_of_nothing_but_damage_cannot_be_skipped(tmp_path):
    for index in range(12):
        (tmp_path / f"{index:02}.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"12 of 12 pictures(.|\n)*and 2 more"):
        tgs.data.image_folder(tmp_path, on_error="skip")


def test_labels_need_a_folder_per_class(folder):
    write(folder / "loose.png", plain(0))
    with pytest.raises(ValueError, match="must lie in a folder .* 1 outside of one.*'loose.png'"):
        tgs.data.image_folder(folder, labels=True)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"batch_size": 13}, "batch_size=13, 12 examples"),
        ({"size": 0}, "`size` must be a number of pixels, an integer >= 1. Received: 0"),
        ({"channels": 2}, "`channels` must be one of 1, 3. Received: 2"),
        ({"on_error": "ignore"}, "`on_error` must be one of 'raise', 'skip'. Received: 'ignore'"),
    ],
)
def test_bad_settings_of_a_folder_are_refused(folder, settings, message):
    with pytest.raises(ValueError, match=message):
        tgs.data.image_folder(folder, **settings)
