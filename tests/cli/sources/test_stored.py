"""Images that lie in folders and arrays: read as they are stored, and refused if they are not."""

import zipfile

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.cli.sources.kinds import SourceError
from tfgan_stab.cli.sources.opening import open_source

COUNT = 300  # More than one batch.


def some_bytes(count=COUNT, height=5, width=6, channels=3, seed=0):
    return np.random.RandomState(seed).randint(0, 256, [count, height, width, channels], np.uint8)


def scaled(pixels):
    return pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)


def whole(source, count=None, **settings):
    return np.concatenate(list(source.draw(count or source.count, **settings)))


def write_png(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tf.io.encode_png(pixels).numpy())


def write_pngs(folder, pixels, name="{:04d}.png"):
    for number, picture in enumerate(pixels):
        write_png(folder / name.format(number), picture)
    return folder


@pytest.fixture(params=["npz", "compressed", "npy", "by_columns", "folder"])
def stored(request, tmp_path):
    """The same bytes in every kind of place."""
    pixels, path = some_bytes(), tmp_path / "samples.npz"
    if request.param == "npz":
        np.savez(path, pixels)
    elif request.param == "compressed":
        np.savez_compressed(path, mu=np.zeros(3), samples=pixels)
    elif request.param == "folder":
        path = write_pngs(tmp_path / "samples", pixels)
    else:
        path = path.with_suffix(".npy")
        np.save(path, np.asfortranarray(pixels) if request.param == "by_columns" else pixels)
    return path, pixels


@pytest.mark.cases(fast=3)
def test_bytes_come_scaled_in_their_order_and_in_batches(stored):
    path, pixels = stored
    source = open_source(path)
    assert (source.count, source.conditional) == (COUNT, False)
    assert (source.weights, source.description) == ([], str(path))
    batches = list(source.draw(COUNT))
    assert [len(batch) for batch in batches] == [256, 44]
    assert batches[0].dtype == np.float32
    np.testing.assert_array_equal(np.concatenate(batches), scaled(pixels))
    np.testing.assert_array_equal(whole(source, 270), scaled(pixels[:270]))
    assert source.labels(COUNT) is None


def test_too_many_images_are_an_error(stored):
    source = open_source(stored[0])
    with pytest.raises(
        ValueError, match="Expected 301 images. Received: 300, all there are.*300 or"
    ):
        source.draw(301)
    with pytest.raises(SourceError, match="weights='ema' for .*Leave them out"):
        source.draw(1, "ema")


def test_floats_come_as_they_are(tmp_path):
    images = np.random.RandomState(0).uniform(-1, 1, [COUNT, 4, 4, 1])
    np.save(tmp_path / "images.npy", images)
    source = open_source(tmp_path / "images.npy")
    np.testing.assert_array_equal(whole(source), images.astype(np.float32))


def test_gray_pictures_and_points(tmp_path):
    np.save(tmp_path / "gray.npy", some_bytes()[..., 0])
    np.testing.assert_array_equal(
        whole(open_source(tmp_path / "gray.npy")), scaled(some_bytes()[..., :1])
    )
    points = np.random.RandomState(0).normal(0, 9, [COUNT, 2])
    np.save(tmp_path / "points.npy", points)
    np.testing.assert_array_equal(
        whole(open_source(tmp_path / "points.npy")), points.astype(np.float32)
    )


@pytest.mark.parametrize("key", ["labels", "arr_1"])
def test_the_images_of_one_class_can_be_chosen_from_an_array(tmp_path, key):
    pixels = some_bytes()
    classes = np.random.RandomState(1).randint(0, 3, COUNT)
    np.savez(tmp_path / "samples.npz", arr_0=pixels, **{key: classes})
    source = open_source(tmp_path / "samples.npz")
    assert (source.conditional, source.num_classes) == (True, 3)
    np.testing.assert_array_equal(source.labels(COUNT), classes)
    np.testing.assert_array_equal(whole(source, 40, label=2), scaled(pixels[classes == 2][:40]))
    assert source.labels(40, label=2).tolist() == [2] * 40
    there = int((classes == 2).sum())
    with pytest.raises(ValueError, match=f"Expected 299 images of class 2. Received: {there}, all"):
        source.draw(299, label=2)
    with pytest.raises(ValueError, match="Classes of .* are 0 to 2. Received: label=3"):
        source.draw(1, label=3)


@pytest.mark.slow
def test_sub_folders_are_classes_as_in_training(tmp_path):
    pixels = some_bytes(12)
    for name, part in (("cat", pixels[:4]), ("dog", pixels[4:9]), ("owl", pixels[9:])):
        write_pngs(tmp_path / name, part)
    source = open_source(tmp_path)
    assert source.num_classes == 3
    np.testing.assert_array_equal(whole(source), scaled(pixels))
    np.testing.assert_array_equal(whole(source, 5, label=1), scaled(pixels[4:9]))
    batches = tgs.data.image_folder(tmp_path, batch_size=2, labels=True, size=5)
    assert batches.num_classes == source.num_classes
    write_png(tmp_path / "loose.png", pixels[0])
    assert not open_source(tmp_path).conditional


def test_one_sub_folder_alone_is_no_class(tmp_path):
    write_pngs(tmp_path / "images", some_bytes(2))
    assert not open_source(tmp_path).conditional


@pytest.mark.slow
def test_mixed_gray_and_color_become_color(tmp_path):
    pixels = some_bytes(2)
    write_png(tmp_path / "0.png", pixels[0])
    write_png(tmp_path / "1.png", pixels[1, ..., :1])
    shown = whole(open_source(tmp_path))
    np.testing.assert_array_equal(shown[0], scaled(pixels[0]))
    np.testing.assert_array_equal(shown[1], scaled(np.repeat(pixels[1, ..., :1], 3, axis=-1)))
    assert whole(open_source(tmp_path, channels=1)).shape == (2, 5, 6, 1)


@pytest.mark.slow
def test_sixteen_bits_are_scaled_by_white_in_folders_and_arrays(tmp_path):
    ramp = np.linspace(0, 4095, 64).reshape(1, 8, 8, 1).astype(np.uint16)
    np.save(tmp_path / "ramp.npy", ramp)
    (tmp_path / "scans").mkdir()
    PIL.Image.fromarray(ramp[0, ..., 0]).save(tmp_path / "scans" / "ramp.png")
    for place, message in (("ramp.npy", "dtype uint16.*"), ("scans", "16 bits, such as .*")):
        with pytest.raises((TypeError, ValueError), match=f"{message}white=4095 for 12 bits"):
            open_source(tmp_path / place)
        shown = whole(open_source(tmp_path / place, white=4095))
        np.testing.assert_allclose(shown, ramp / 2047.5 - 1, atol=1e-6)
        with pytest.raises(ValueError, match="white=4000"):
            whole(open_source(tmp_path / place, white=4000))


@pytest.mark.slow
def test_eight_bits_do_without_white(tmp_path):
    pixels = some_bytes(3)
    np.save(tmp_path / "samples.npy", pixels)
    write_pngs(tmp_path / "samples", pixels)
    for place in ("samples", "samples.npy"):
        shown = whole(open_source(tmp_path / place, white=4095))
        np.testing.assert_array_equal(shown, scaled(pixels))


def test_folders_are_read_as_in_training(tmp_path):
    pixels = some_bytes(12)
    for name, part in (("10", pixels[:4]), ("2", pixels[4:9]), ("9", pixels[9:])):
        write_pngs(tmp_path / name, part)
    (tmp_path / "1").mkdir()
    (tmp_path / "2" / "all").symlink_to(tmp_path)
    (tmp_path / "notes.txt").touch()
    with (
        pytest.warns(UserWarning, match="Left out 1 of 13 files"),
        pytest.warns(UserWarning, match="links in .*'2/all'"),
        pytest.warns(UserWarning, match=r"1 of 4 classes in .* no pictures: '1' \(class 0\)"),
    ):
        source = open_source(tmp_path)
    assert (source.count, source.num_classes) == (12, 4)
    np.testing.assert_array_equal(whole(source, 5, label=1), scaled(pixels[4:9]))
    np.testing.assert_array_equal(whole(source, 4, label=3), scaled(pixels[:4]))


@pytest.mark.slow
def test_mixed_sizes_need_resizing(tmp_path):
    write_png(tmp_path / "0.png", some_bytes(1)[0])
    write_png(tmp_path / "1.png", some_bytes(1, height=7)[0])
    with pytest.raises(SourceError, match=r"0.png of \[5, 6\] and .*1.png of \[7, 6\].*--size=64"):
        open_source(tmp_path)
    source = open_source(tmp_path, size=4)
    expected = tgs.data.image_folder(tmp_path, batch_size=2, size=4).examples()
    np.testing.assert_array_equal(whole(source), next(expected.as_numpy_iterator()))


def test_a_damaged_picture_is_named_before_anything_is_drawn(tmp_path):
    write_pngs(tmp_path, some_bytes(3))
    (tmp_path / "0001.png").write_bytes((tmp_path / "0001.png").read_bytes()[:60])
    with pytest.raises(SourceError, match="1 of 3 .*0001.png: Invalid PNG[^.]*[.] Mend or"):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"mu": np.zeros(3), "sigma": np.zeros([3, 3])}, "Received: statistics of features, mu a"),
        ({"first": np.zeros(3), "second": np.zeros(3)}, r"must hold images.*'first', 'second'\]"),
        ({}, "must hold images.*Received: no arrays"),
        ({"arr_0": some_bytes(2).transpose(0, 3, 1, 2)}, "channels last.*numpy.transpose"),
        ({"arr_0": some_bytes(2).astype(np.int32)}, "uint8 in 0..255.*dtype int32.*numpy.asarray"),
        ({"arr_0": np.zeros([0, 4, 4, 1])}, r"must hold pictures.*Received: shape \[0, 4, 4, 1\]"),
        ({"arr_0": np.zeros([3])}, r"must hold pictures.*Received: shape \[3\]"),
        ({"arr_0": np.float64(3)}, r"must hold pictures.*Received: shape \[\]"),
        ({"arr_0": np.array([{}])}, "cannot be read as.*numbers: it holds Python objects"),
        (
            {"arr_0": some_bytes(2), "arr_1": np.zeros(2)},
            "`arr_1`.*must be integers. Received: dtype float64",
        ),
        (
            {"arr_0": some_bytes(2), "labels": np.zeros(3, int)},
            r"`labels`.*one entry per picture, shape \[2\]. Received: shape \[3\]",
        ),
        ({"arr_0": some_bytes(2), "labels": np.array([0, -1])}, "classes 0, 1.*-1 at index 1"),
        ({"arr_0": some_bytes(2).astype(float)}, "must hold floats in .*use `images / 127.5 - 1`"),
        ({"arr_0": np.full([2, 4, 4, 1], np.nan)}, "must hold finite numbers.*NaN"),
        ({"arr_0": np.full([2, 2], np.inf)}, "must hold finite numbers.*infinity at index 0"),
        ({"arr_0": some_bytes(1)[0]}, r"several images.*shape \[5, 6, 3\], which is one image"),
    ],
)
def test_other_arrays_are_refused_at_once(tmp_path, arrays, message):
    np.savez(tmp_path / "samples.npz", **arrays)
    with pytest.raises((TypeError, ValueError), match=message):
        open_source(tmp_path / "samples.npz")


def test_nan_is_reported_with_its_index(tmp_path):
    images = np.zeros([COUNT, 4, 4, 1])
    images[COUNT - 1] = np.nan
    images[0] = -1
    np.savez(tmp_path / "samples.npz", arr_0=images, labels=np.arange(COUNT) % 3)
    source = open_source(tmp_path / "samples.npz")
    for chosen in ({"count": COUNT}, {"count": COUNT // 3, "label": (COUNT - 1) % 3}):
        with pytest.raises(ValueError, match=f"NaN or infinity at index {COUNT - 1}. Leave"):
            whole(source, **chosen)


def test_floats_between_0_and_1_get_a_warning(tmp_path):
    np.save(tmp_path / "images.npy", np.full([2, 4, 4, 1], 0.5))
    with pytest.warns(UserWarning, match="values from 0.5 to 0.5 only"):
        open_source(tmp_path / "images.npy")


@pytest.mark.parametrize("name", ["samples.npz", "samples.npy"])
@pytest.mark.parametrize("keep", [0, 5, 0.5, 0.9])
def test_a_file_that_is_cut_off_is_refused(tmp_path, name, keep):
    path = tmp_path / name
    (np.savez if name.endswith("z") else np.save)(path, some_bytes())
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(keep * len(data))])
    with pytest.raises(ValueError, match="samples.np[yz]' cannot be read as"):
        whole(open_source(path))


def test_a_changed_byte_in_an_archive_is_found(tmp_path):
    path = tmp_path / "samples.npz"
    np.savez(path, some_bytes())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="cannot be read as.*CRC"):
        whole(open_source(path))


def test_reading_an_archive_holds_one_piece_in_memory(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "samples.npz", some_bytes())
    largest = []
    read = zipfile.ZipExtFile.read

    def noted(file, n=-1):
        data = read(file, n)
        largest.append(len(data))
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "read", noted)
    whole(open_source(tmp_path / "samples.npz"))
    assert max(largest) == 256 * 5 * 6 * 3


def test_an_empty_folder_says_what_it_should_hold(tmp_path):
    with pytest.raises(ValueError, match="no pictures in .*Expected files ending in .bmp"):
        open_source(tmp_path)


def test_picked_subset_depends_on_the_seed_and_grows_with_sizes(tmp_path):
    numbers = np.arange(600, dtype=np.float32).reshape(600, 1) / 600
    np.save(tmp_path / "points.npy", np.repeat(numbers, 2, axis=1))
    source = open_source(tmp_path / "points.npy")

    def picked(*arguments, **settings):
        return np.concatenate(list(source.picked(*arguments, **settings)))[:, 0].tolist()

    whole = picked(600, 0)
    assert whole == sorted(whole) and len(set(whole)) == 600
    some = picked(300, 0)
    assert some == sorted(some) == picked(300, 0) != picked(300, 1)
    steps = picked(300, 0, sizes=[50, 100, 300])
    assert sorted(steps) == some and set(steps[:100]) == set(picked(100, 0))
    assert set(steps[:50]) == set(picked(50, 0)) and min(steps[:50]) < 0.1 and max(steps[:50]) > 0.9
    with pytest.raises(ValueError, match="Expected 601 images. Received: 600"):
        picked(601, 0)
