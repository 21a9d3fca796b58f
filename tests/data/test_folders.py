import os
import warnings

import keras
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from picture_writers import png

import tfgan_stab as tgs
from tfgan_stab.data import folders

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


@pytest.mark.cases(full=2)
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


@pytest.mark.cases(full=6)
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
    with pytest.warns(UserWarning, match="first picture only of 1 animations"):
        images = shown(tgs.data.image_folder(tmp_path, 1, size=4, channels=channels))
    np.testing.assert_allclose(images, np.full([1, 4, 4, channels], 2.0 * first - 1), atol=1e-6)


@pytest.mark.parametrize("end", ["", "/"])
def test_other_files_are_counted_and_named_once(folder, end):
    for name in ("readme.txt", "scan.HEIC", "b/c.csv", "b/d.csv", "b/e", "f.dib", "g.svg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("not a picture")
    message = r"Left out 7 of 19 files in .*which do not end in .bmp.*: 'b/c.csv', 'b/d.csv', 'b/e'"
    with pytest.warns(UserWarning, match=rf"{message}, 'f.dib', 'g.svg' and 2 more. C") as caught:
        batches = tgs.data.image_folder(f"{folder}{end}", 4, size=8)
    assert batches.num_examples == 12
    assert len(caught) == 1 and caught[0].filename == __file__


def test_hidden_files_and_what_systems_leave_do_not_count(folder):
    write(folder / ".thumbnails" / "00.png", plain(0))
    write(folder / "@eaDir" / "00.png", plain(0))
    write(folder / "__MACOSX" / "00.png", plain(0))
    (folder / "class0" / "._00.png").write_bytes(b"another system's droppings")
    (folder / ".hidden.png").write_bytes(b"")
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "class0/Thumbs.db"):
        (folder / name).write_bytes(b"")
    found = folders.find_pictures(str(folder))
    assert [os.path.basename(path) for path in found.paths] == sorted(
        [f"{index:02}.png" for index in range(12)], key=lambda name: (int(name[:2]) % 3, name)
    )
    assert found.folders == [str(folder / f"class{n}") for n in range(3)]


@pytest.mark.parametrize(
    "ending", [".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"]
)
def test_pictures_are_known_by_their_endings(tmp_path, ending):
    for name in (f"a{ending}", f"b{ending.upper()}"):
        (tmp_path / name).touch()
    found = folders.find_pictures(str(tmp_path))
    assert found.paths == [str(tmp_path / f"a{ending}"), str(tmp_path / f"b{ending.upper()}")]


def test_what_a_file_is_does_not_depend_on_its_ending(tmp_path):
    PIL.Image.new("RGB", (4, 4), (60, 70, 80)).save(tmp_path / "a.jpg", "WEBP", lossless=True)
    image = shown(tgs.data.image_folder(tmp_path, 1, size=4))
    np.testing.assert_allclose(image[0, 0, 0], np.array([60, 70, 80]) / 127.5 - 1, atol=1e-6)


@pytest.fixture
def linked(tmp_path):
    """Three pictures, to which links lead in circles, from beside and from within."""
    for index in range(3):
        write(tmp_path / "set" / "cats" / f"{index}.png", plain(20 * index))
    (tmp_path / "set" / "cats" / "all").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "again").symlink_to(tmp_path / "set" / "cats")
    return tmp_path / "set"


def test_a_folder_that_links_lead_to_again_is_read_once(linked):
    with pytest.warns(UserWarning, match="once, though links in .*: 'again', 'cats/all'") as caught:
        found = folders.find_pictures(str(linked))
    # Under its own name, though "again" comes first.
    assert found.paths == [str(linked / "cats" / f"{index}.png") for index in range(3)]
    assert found.folders == [str(linked / "cats")]
    assert len(caught) == 1


def test_a_folder_elsewhere_is_read_by_its_link(linked, tmp_path):
    write(tmp_path / "elsewhere" / "deep" / "dog.png", plain(0))
    (linked / "dogs").symlink_to(tmp_path / "elsewhere")
    (linked / "dogs_again").symlink_to(tmp_path / "elsewhere" / "deep")
    (linked / "nowhere").symlink_to(tmp_path / "nothing")
    (linked / "itself").symlink_to("itself")
    left_out = r"Left out 2 of 6 files .*: 'itself', 'nowhere'. Convert"
    with (
        pytest.warns(UserWarning, match=left_out),
        pytest.warns(
            UserWarning, match="links in .* lead to them again: 'again', 'cats/all', 'dogs_again'"
        ),
    ):
        found = folders.find_pictures(str(linked))
    assert str(linked / "dogs" / "deep" / "dog.png") in found.paths and len(found.paths) == 4


def test_a_link_to_a_picture_is_a_picture(tmp_path):
    write(tmp_path / "a.png", plain(0))
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    assert len(folders.find_pictures(str(tmp_path)).paths) == 2


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"There is no folder '{tmp_path}/absent'"):
        tgs.data.image_folder(tmp_path / "absent")


def test_a_file_is_no_folder(folder):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        tgs.data.image_folder(folder / "class0" / "00.png")


def test_a_folder_without_pictures_says_what_was_expected(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    message = (
        r"no pictures in .*Expected files ending in .bmp, .*Received: 1 other.*such as 'notes.txt'"
    )
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


def flat_gan(size, channels=3):
    layers = keras.layers
    generator = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(size * size * channels),
            layers.Reshape((size, size, channels)),
        ]
    )
    discriminator = keras.Sequential(
        [keras.Input((size, size, channels)), layers.Flatten(), layers.Dense(1)]
    )
    gan = tgs.GAN(generator, discriminator, latents=2)
    gan.compile("sgd", "sgd", jit_compile=False)
    return gan


@pytest.mark.slow
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
    monkeypatch.setattr("tfgan_stab.data.image_files.shapes_of", None)
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
        ({"channels": 2}, "`channels` must be one of 1, 3, 4. Received: 2"),
        ({"on_error": "ignore"}, "`on_error` must be one of 'raise', 'skip'. Received: 'ignore'"),
        ({"white": 0}, "`white` must be an integer from 1 to 65535. Received: 0"),
        ({"white": 65536}, "`white` must be an integer from 1 to 65535. Received: 65536"),
        ({"white": 4095}, "`white` is for pictures of 16 bits. Received: white=4095, and none in"),
        ({"background": 256}, "`background` must be a gray level or red, .* Received: 256"),
        ({"background": 0, "channels": 4}, "background=0 with channels=4, which keeps alpha"),
    ],
)
def test_bad_settings_of_a_folder_are_refused(folder, settings, message):
    with pytest.raises(ValueError, match=message):
        tgs.data.image_folder(folder, **settings)


def classes(folder, *names):
    """Makes a folder of pictures for each name; a name with a slash at its end is empty."""
    for name in names:
        (folder / name).mkdir(parents=True)
        if not name.endswith("/"):
            (folder / name / "a.png").touch()
    found = folders.find_pictures(str(folder))
    numbers, names = folders.classes_of(str(folder), found.paths, found.folders)
    label_of = {
        os.path.relpath(path, folder): n for path, n in zip(found.paths, numbers, strict=True)
    }
    return label_of, names


def test_integer_names_are_in_numeric_order(tmp_path):
    label_of, names = classes(tmp_path, "10", "2", "1", "01", "100")
    assert names == ["01", "1", "2", "10", "100"]
    assert label_of == {f"{name}/a.png": number for number, name in enumerate(names)}


@pytest.mark.parametrize("names", [["10", "2", "x"], ["10", "2", "-1"], ["10", "2", "1.5"]])
def test_other_names_are_in_alphabetical_order(tmp_path, names):
    assert classes(tmp_path, *names)[1] == sorted(names)


def test_a_folder_of_folders_of_classes_is_no_class(tmp_path):
    with pytest.warns(UserWarning, match="of one class, 'train', .* If those are the classes"):
        _, names = classes(tmp_path, "train/cats", "train/dogs")
    assert names == ["train"]


def test_classes_without_pictures_keep_their_numbers(tmp_path):
    (tmp_path / "c" / "below").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    with pytest.warns(UserWarning, match=r"2 of 4 classes in .*: 'b' \(class 1\), 'c' \(class 2\)"):
        label_of, names = classes(tmp_path, "a", "b/", "d")
    assert names == ["a", "b", "c", "d"]
    assert label_of == {"a/a.png": 0, "d/a.png": 3}


@pytest.mark.slow
def test_classes_of_nothing_but_damage_keep_their_numbers(folder):
    for path in (folder / "class1").iterdir():
        path.write_bytes(b"")
    empty = r"1 of 3 classes in .* no pictures: 'class1' \(class 1\)"
    with (
        pytest.warns(UserWarning, match="Skipped 4 of 12"),
        pytest.warns(UserWarning, match=empty) as caught,
    ):
        batches = tgs.data.image_folder(folder, 8, size=8, labels=True, on_error="skip")
    assert {each.filename for each in caught} == {__file__}
    assert batches.num_classes == 3
    assert batches.class_names == ["class0", "class1", "class2"]
    _, labels = next(batches.as_numpy_iterator())
    assert set(labels) == {0, 2}


def test_only_classes_have_names(folder):
    assert tgs.data.image_folder(folder, 4, size=8).class_names is None


@pytest.mark.slow
def test_animations_are_counted_and_named_once(folder):
    (folder / "class0" / "moving.gif").write_bytes(gif(0, 1))
    (folder / "class1" / "moving.gif").write_bytes(gif(1, 0))
    message = "first picture only of 2 animations .*: 'class0/moving.gif', 'class1/moving.gif'"
    with pytest.warns(UserWarning, match=message) as caught:
        tgs.data.image_folder(folder, 4, size=8)
    assert len(caught) == 1 and caught[0].filename == __file__


def test_pictures_of_16_bits_need_a_white(folder):
    ramp = np.linspace(0, 4095, 64).reshape(8, 8, 1).astype(np.uint16)
    (folder / "class0" / "scan.png").write_bytes(png(ramp, 16, 0))
    message = (
        r"`white` must say .*white=None, and 1 of 13 pictures of 16 bits, such as '.*/scan.png'. "
        r"Write white=65535 for full 16 bits, white=4095 for 12 bits."
    )
    with pytest.raises(ValueError, match=message):
        tgs.data.image_folder(folder, 4, size=8)


@pytest.mark.slow
def test_a_ramp_of_12_bits_reaches_from_black_to_white(folder):
    ramp = np.linspace(0, 4095, 64).reshape(8, 8, 1).astype(np.uint16)
    (folder / "class0" / "scan.png").write_bytes(png(ramp, 16, 0))
    batches = tgs.data.image_folder(folder, 4, size=8, channels=1, white=4095)
    images = shown(batches)
    paths = sorted(path.name for path in (folder / "class0").iterdir())
    np.testing.assert_allclose(images[paths.index("scan.png")], ramp / 2047.5 - 1, atol=1e-6)
    assert levels(np.delete(images, 4, axis=0))[:4] == [0, 3, 6, 9]
    assert batches.description()["white"] == 4095
    # Its white is above that.
    with pytest.warns(UserWarning, match=r"Skipped 1 of 13 (.|\n)*scan.png: it has .* white=4094"):
        tgs.data.image_folder(folder, 4, size=8, white=4094, on_error="skip")
    too_dark = tgs.data.image_folder(folder, 4, size=8, white=4094)
    assert list(too_dark.damaged()) == [str(folder / "class0" / "scan.png")]


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "size"), [("png", 12), ("webp", 32)])
def test_what_lies_under_transparency_never_shows(tmp_path, ending, size):
    for name, hidden in (("a", (255, 0, 255)), ("b", (0, 0, 0))):
        pixels = np.zeros([32, 32, 4], np.uint8)
        pixels[..., :3] = hidden
        pixels[8:24, 8:24] = [0, 200, 0, 255]
        settings = {"lossless": True, "exact": True} if ending == "webp" else {}
        PIL.Image.fromarray(pixels).save(tmp_path / f"{name}.{ending}", **settings)
    for settings, corner in (
        ({}, [1, 1, 1]),
        ({"background": (255, 0, 51)}, [1, -1, -0.6]),
        ({"channels": 4}, [-1, -1, -1, -1]),
    ):
        one, other = shown(tgs.data.image_folder(tmp_path, 2, size=size, **settings))
        np.testing.assert_allclose(one, other, atol=1e-6)
        np.testing.assert_allclose(one[0, 0], corner, atol=1e-6)
        middle = one[size // 2, size // 2]
        green = np.array([0, 200, 0, 255][: len(middle)]) / 127.5 - 1
        np.testing.assert_allclose(middle, green, atol=0.02)


@pytest.mark.slow
def test_a_gan_with_alpha_trains_on_a_folder(folder):
    PIL.Image.new("RGBA", (9, 9), (9, 9, 9, 0)).save(folder / "class0" / "sprite.png")
    batches = tgs.data.image_folder(folder, 4, size=8, channels=4)
    assert batches.example_shape == (8, 8, 4)
    images = shown(batches)
    assert images.min() == -1 and images.max() == 1
    gan = flat_gan(8, channels=4)
    gan.fit(batches, steps_per_epoch=2, verbose=0)
    assert gan.sample(3).shape == (3, 8, 8, 4)


@pytest.mark.slow
def test_names_that_are_no_unicode_are_read(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    with open(path, "wb") as file:
        file.write(tf.io.encode_png(plain(100)).numpy())
    images = shown(tgs.data.image_folder(tmp_path, 1, size=8))
    np.testing.assert_allclose(images, 100 / 127.5 - 1, atol=1e-6)


@pytest.mark.slow
def test_folders_of_a_file_system_of_tensorflow_are_read():
    place = "ram://pictures"
    for name in ("cats/a.png", "dogs/b.png", ".hidden/c.png", "cats/.d.png"):
        tf.io.gfile.makedirs(os.path.dirname(f"{place}/{name}"))
        tf.io.write_file(f"{place}/{name}", tf.io.encode_png(plain(200 if "a" in name else 100)))
    tf.io.write_file(f"{place}/dogs/notes.txt", "none")
    with pytest.warns(UserWarning, match="Left out 1 of 3 files in 'ram://pic.*: 'dogs/notes.txt'"):
        batches = tgs.data.image_folder(place, 2, size=8, labels=True)
    assert batches.class_names == ["cats", "dogs"]
    images, labels = next(batches.examples(labels=True).as_numpy_iterator())
    assert (levels(images), labels.tolist()) == ([10, 5], [0, 1])


@pytest.mark.slow
def test_a_file_brighter_than_white_ends_training_and_is_named(tmp_path):
    (tmp_path / "scan.png").write_bytes(png(np.full([8, 8, 1], 4096, np.uint16), 16, 0))
    batches = tgs.data.image_folder(tmp_path, 1, size=8, white=4095)
    with pytest.raises(ValueError, match=r"scan.png: it has values above white=4095. Give the val"):
        flat_gan(8).fit(batches, steps_per_epoch=1, verbose=0)
