"""The sampling command: files that hold what the generator shows, or nothing."""

import os
import pathlib
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.cli import main
from tfgan_stab.cli.jobs import sample as job
from tfgan_stab.cli.sources.opening import open_source

SCRIPT = pathlib.Path(__file__).resolve().parents[3] / "scripts" / "sample.py"


def run(*arguments):
    return main.run("sample", ["sample.py", *map(str, arguments)])


@pytest.fixture(scope="module")
def conditional(tiny, tmp_path_factory):
    """A conditional GAN and the file of its generator."""
    gan = tiny.image_gan(num_classes=3)
    path = tmp_path_factory.mktemp("conditional") / "generator.keras"
    gan.generator.save(path)
    return gan, path


def quantised(images):
    """What a picture file should hold, reckoned in float64."""
    return np.rint((np.clip(images.astype(np.float64), -1, 1) + 1) * 127.5).astype(np.uint8)


def decoded(paths):
    return np.stack([tf.io.decode_png(path.read_bytes()).numpy() for path in paths])


@pytest.mark.slow
def test_folder_and_array_hold_the_gans_samples(image_gan, tmp_path, capsys):
    image_gan.generator.save(tmp_path / "generator.keras")
    expected = quantised(image_gan.sample(300, seed=7))
    arguments = [f"--source={tmp_path}/generator.keras", "--count=300", "--seed=7"]
    assert run(*arguments, f"--output={tmp_path}/new/pictures") == 0
    assert run(*arguments, f"--output={tmp_path}/new/samples.npz") == 0
    assert f"Wrote 300 samples of {tmp_path}/generator.keras to" in capsys.readouterr().out
    paths = sorted((tmp_path / "new" / "pictures").iterdir())
    assert [path.name for path in paths] == [f"{number:06d}.png" for number in range(300)]
    pictures = decoded(paths)
    with np.load(tmp_path / "new" / "samples.npz") as arrays:
        assert arrays.files == ["arr_0"]
        np.testing.assert_array_equal(arrays["arr_0"], pictures)
    assert pictures.dtype == np.uint8 and pictures.shape == (300, 8, 8, 1)
    # Another graph may round the last bit otherwise, and a byte at the border with it.
    assert np.abs(pictures.astype(int) - expected).max() <= 1
    assert np.mean(pictures != expected) < 1e-3
    assert sorted(os.listdir(tmp_path / "new")) == ["pictures", "samples.npz"]


@pytest.mark.slow
def test_written_files_are_read_as_the_same_images(image_gan, tmp_path):
    images = image_gan.sample(20)
    job.write_pictures(tmp_path / "pictures", [images[:15], images[15:]], 20)
    job.write_array(tmp_path / "samples.npz", [images[:15], images[15:]], 20)
    sources = [open_source(tmp_path / name) for name in ("pictures", "samples.npz")]
    first, other = (np.concatenate(list(source.draw(20))) for source in sources)
    np.testing.assert_array_equal(first, other)
    np.testing.assert_array_equal(quantised(first), quantised(images))
    in_training = tgs.data.image_folder(tmp_path / "pictures", 20, size=8, channels=1)
    np.testing.assert_allclose(next(iter(in_training.examples())), first, atol=1e-6)


@pytest.mark.slow
def test_alpha_is_written_and_read_again(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 256, [6, 4, 5, 4], np.uint8)
    pixels[:, 0, :, 3], pixels[:, 1, :, 3] = 0, 255
    job.write_pictures(tmp_path / "in", [pixels / 127.5 - 1], 6)
    np.testing.assert_array_equal(decoded(sorted((tmp_path / "in").iterdir())), pixels)
    assert run(f"--source={tmp_path}/in", f"--output={tmp_path}/out.npz", "--channels=4") == 0
    with np.load(tmp_path / "out.npz") as arrays:
        hidden = np.where(pixels[..., 3:] > 0, pixels, 0)
        np.testing.assert_array_equal(arrays["arr_0"], hidden)
    # By default on white.
    alpha = pixels[..., 3:] / 255
    shown = np.concatenate(list(open_source(tmp_path / "in").draw(6)))
    expected = alpha * pixels[..., :3] + (1 - alpha) * 255
    np.testing.assert_allclose((shown + 1) * 127.5, expected, atol=0.51)


def test_array_is_byte_for_byte_what_numpy_writes(tmp_path):
    images = np.random.RandomState(0).uniform(-1, 1, [7, 4, 4, 3]).astype(np.float32)
    for name, size in (("one", 7), ("other", 3)):
        pieces = [images[i : i + size] for i in range(0, 7, size)]
        job.write_array(tmp_path / f"{name}.npz", pieces, 7, np.arange(7) % 3)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()
    np.savez(tmp_path / "numpy.npz", quantised(images), np.arange(7, dtype=np.int64) % 3)
    with zipfile.ZipFile(tmp_path / "numpy.npz") as wanted:
        with zipfile.ZipFile(tmp_path / "one.npz") as written:
            assert written.namelist() == wanted.namelist() == ["arr_0.npy", "arr_1.npy"]
            for name in wanted.namelist():
                assert written.read(name) == wanted.read(name)


@pytest.mark.slow
def test_classes_take_turns_and_get_folders(conditional, tmp_path):
    gan, path = conditional
    assert run(f"--source={path}", f"--output={tmp_path}/pictures", "--count=10") == 0
    assert run(f"--source={path}", f"--output={tmp_path}/samples.npz", "--count=10") == 0
    with np.load(tmp_path / "samples.npz") as arrays:
        images, classes = arrays["arr_0"], arrays["arr_1"]
    assert classes.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    assert np.abs(images.astype(int) - quantised(gan.sample(10))).max() <= 1
    for number in range(10):
        picture = tmp_path / "pictures" / str(classes[number]) / f"{number:06d}.png"
        np.testing.assert_array_equal(decoded([picture])[0], images[number])
    batches = tgs.data.image_folder(
        tmp_path / "pictures", batch_size=10, size=8, channels=1, labels=True
    )
    pictures, labels = next(batches.as_numpy_iterator())
    for picture, label in zip(quantised(pictures), labels, strict=True):
        assert label == classes[np.all(images == picture, axis=(1, 2, 3))][0]


def test_folders_of_classes_keep_their_names(tmp_path):
    pictures, classes = np.zeros([4, 2, 2, 1]), np.array([0, 1, 0, 2])
    job.write_pictures(tmp_path / "in", [pictures], 4, classes, {0: "cat", 1: "Wild dog", 2: "cow"})
    assert run(f"--source={tmp_path}/in", f"--output={tmp_path}/out") == 0
    for folder in ("in", "out"):
        found = sorted(each.name for each in (tmp_path / folder).iterdir())
        assert found == ["Wild dog", "cat", "cow"]
    assert len(list((tmp_path / "out" / "cat").iterdir())) == 2


@pytest.mark.parametrize(
    "names",
    [
        None,
        ["a", "b/c"],
        ["a", ".."],
        ["a", "../../x"],
        ["a", "A"],
        ["", "b"],
        ["a", "b "],
        ["0", "1"],
    ],
)
def test_names_that_cannot_be_folders_are_numbers(tmp_path, names):
    named = None if names is None else dict(enumerate(names))
    job.write_pictures(tmp_path / "out", [np.zeros([2, 2, 2, 1])], 2, np.array([0, 1]), named)
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["0", "1"]


def test_single_class_gets_no_folder(conditional, tmp_path):
    gan, path = conditional
    arguments = [f"--source={path}", "--count=5", "--label=2"]
    assert run(*arguments, f"--output={tmp_path}/pictures") == 0
    assert run(*arguments, f"--output={tmp_path}/samples.npz") == 0
    shown = decoded(sorted((tmp_path / "pictures").iterdir()))
    expected = quantised(gan.sample(5, labels=[2] * 5))
    assert np.abs(shown.astype(int) - expected).max() <= 1
    with np.load(tmp_path / "samples.npz") as arrays:
        np.testing.assert_array_equal(arrays["arr_0"], shown)
        assert arrays["arr_1"].tolist() == [2] * 5


def test_points_are_written_as_floats(tiny, tmp_path, capsys):
    gan = tiny.point_gan()
    gan.generator.save(tmp_path / "generator.keras")
    arguments = [f"--source={tmp_path}/generator.keras", "--count=50"]
    assert run(*arguments, f"--output={tmp_path}/points.npz") == 0
    with np.load(tmp_path / "points.npz") as arrays:
        assert arrays["arr_0"].dtype == np.float32
        np.testing.assert_allclose(arrays["arr_0"], gan.sample(50), atol=1e-6)
    assert run(*arguments, f"--output={tmp_path}/points") == 1
    assert (
        "PNG files hold pictures [height, width, 1, 3 or 4]. Received: examples of shape [2]."
        in (capsys.readouterr().err)
    )
    assert sorted(os.listdir(tmp_path)) == ["generator.keras", "points.npz"]


def test_folder_to_array_with_classes(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 256, [6, 4, 5, 3], np.uint8)
    job.write_pictures(tmp_path / "in", [pixels / 127.5 - 1], 6, np.array([1, 0] * 3))
    assert run(f"--source={tmp_path}/in", f"--output={tmp_path}/out.npz") == 0
    with np.load(tmp_path / "out.npz") as arrays:
        np.testing.assert_array_equal(arrays["arr_0"], pixels[[1, 3, 5, 0, 2, 4]])
        assert arrays["arr_1"].tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("name", ["pictures", "samples.npz"])
def test_overwrite(few, tmp_path, name, capsys):
    output = tmp_path / name
    arguments = [f"--source={few}", f"--output={output}"]
    assert run(*arguments) == 0
    assert run(*arguments, "--count=2") == 1
    assert f"--output={output} must not exist yet" in capsys.readouterr().err
    assert run(*arguments, "--count=2", "--overwrite") == 0
    assert open_source(output).count == 2
    assert run(*arguments, "--count=5", "--overwrite") == 1
    assert "Expected 5 images. Received: 4" in capsys.readouterr().err
    assert open_source(output).count == 2
    assert sorted(os.listdir(tmp_path)) == sorted(["few.npy", name])


def broken(images, error):
    yield images
    raise error


@pytest.mark.parametrize("name", ["pictures", "samples.npz"])
def test_interrupted_writing_leaves_what_was_there(tmp_path, name):
    write = job.write_array if "." in name else job.write_pictures
    images = np.zeros([3, 2, 2, 1], np.float32)
    for previous in ([], [name]):
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / name, broken(images, KeyboardInterrupt()), 6)
        assert os.listdir(tmp_path) == previous
        with pytest.raises(ValueError, match="Received: NaN or infinity in image 4. Choose other"):
            write(tmp_path / name, [images, np.array([0, np.nan, 0]).reshape(3, 1, 1, 1)], 6)
        assert os.listdir(tmp_path) == previous
        write(tmp_path / name, [images], 3)
    assert open_source(tmp_path / name).count == 3


def test_foreign_files_are_not_replaced(few, tmp_path, capsys):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").touch()
    source = f"--source={few}"

    def error_of(*arguments):
        assert run(*arguments) == 1
        return capsys.readouterr().err

    assert "must not exist yet. Received: a folder that holds 1" in error_of(
        source, f"--output={precious}"
    )
    for folder in (precious, tmp_path):
        overwriting = error_of(source, f"--output={folder}", "--overwrite")
        assert "replaces folders of PNG files" in overwriting or "would replace" in overwriting
    (tmp_path / "file").touch()
    assert "must be a folder. Received: a file" in error_of(source, f"--output={tmp_path}/file")
    (tmp_path / "folder.npz").mkdir()
    assert "must be a file. Received: a folder" in error_of(
        source, f"--output={tmp_path}/folder.npz"
    )
    assert run(source, f"--output={tmp_path}/samples.npz") == 0
    again = error_of(
        f"--source={tmp_path}/samples.npz", f"--output={tmp_path}/samples.npz", "--overwrite"
    )
    assert "would replace" in again and "where the samples come from" in again
    job.write_pictures(tmp_path / "all" / "of_cats", [np.zeros([2, 4, 4, 1])], 2)
    around = error_of(f"--source={tmp_path}/all/of_cats", f"--output={tmp_path}/all", "--overwrite")
    assert "would replace" in around and open_source(tmp_path / "all").count == 2
    assert (precious / "thesis.txt").exists()


def test_help(capsys):
    assert run("--help") == 0
    shown = capsys.readouterr().out
    for name in ("source", "output", "count", "weights", "label", "latents", "[no]overwrite"):
        assert f"--{name}" in shown
    assert "sample.py --source=runs/digits --output=runs/digits-samples --count=50000" in shown


def test_traceback_flag(few, tmp_path, capsys):
    arguments = [f"--source={few}", f"--output={tmp_path}/out", "--label=1"]
    assert run(*arguments) == 1
    assert "Leave the label out.\n--traceback shows where." in capsys.readouterr().err
    with pytest.raises(ValueError, match="A class can be chosen only where images have classes"):
        run(*arguments, "--traceback")


def test_interruption(few, tmp_path, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "write_array", interrupted)
    assert run(f"--source={few}", f"--output={tmp_path}/out.npz") == 130
    assert capsys.readouterr().err == "error: Interrupted. Nothing was written.\n"


def script(*arguments):
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_errors_come_before_tensorflow_is_imported(tmp_path):
    program = (
        "import sys\n"
        "from tfgan_stab.cli import main\n"
        "codes = [main.run('sample', ['sample.py', *each.split()]) for each in sys.argv[1:]]\n"
        "loaded = {'tensorflow', 'keras'} & set(sys.modules)\n"
        "sys.exit(f'imported {loaded}' if loaded else str(codes))\n"
    )
    (tmp_path / "a.npz").touch()
    done = subprocess.run(
        [
            *(sys.executable, "-c", program),
            "--sourc=x",
            "--source=b.npz --output=c",
            "--source=a.npz --output=a.npz",
            "--source=a.npz --output=c --weights=ema",
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.stderr.splitlines()[-1] == "[2, 1, 1, 2]"
    assert "There is nothing at b.npz" in done.stderr and "Did you mean a.npz?" in done.stderr


@pytest.mark.exhaustive
@pytest.mark.slow
def test_script_loads_generators_with_layers_of_this_package(tmp_path):
    inputs = keras.Input((3,))
    hidden = tgs.networks.SpectralNormalization(keras.layers.Dense(4))(inputs)
    images = keras.layers.Reshape((2, 2, 1))(tgs.networks.BatchNormalization()(hidden))
    model = keras.Model(inputs, images)
    model.save(tmp_path / "generator.keras")
    done = script(f"--source={tmp_path}/generator.keras", f"--output={tmp_path}/a.npz", "--count=5")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Wrote 5 samples of ")
    shown = np.concatenate(list(open_source(tmp_path / "a.npz").draw(5)))
    assert shown.shape == (5, 2, 2, 1)


def test_pictures_make_no_text(few, tmp_path, capsys):
    assert run(f"--source={few}", f"--output={tmp_path}/a.txt") == 1
    message = "A .txt file holds texts, of a run that was trained on `tgs.data.text`"
    assert message in capsys.readouterr().err and not (tmp_path / "a.txt").exists()


def test_texts_are_written_as_lines(tmp_path):
    texts = np.eye(3, dtype=np.float32)[[[0, 1, 2], [2, 2, 1], [0, 0, 0]]]
    job.write_texts(tmp_path / "new" / "a.txt", [texts[:2], texts[2:]], "aß ")
    written = (tmp_path / "new" / "a.txt").read_text(encoding="utf-8")
    assert written == "aß \n  ß\naaa\n"
    texts[2, 1] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity in image 2"):
        job.write_texts(tmp_path / "new" / "a.txt", [texts[:2], texts[2:]], "aß ")
    assert (tmp_path / "new" / "a.txt").read_text(encoding="utf-8") == written


def test_white_is_refused_where_no_image_needs_it(tmp_path, capsys):
    np.save(tmp_path / "bytes.npy", np.zeros([2, 4, 4, 1], np.uint8))
    given = [f"--source={tmp_path}/bytes.npy", "--white=255", f"--output={tmp_path}/out.npz"]
    assert main.run("sample", ["sample.py", *given]) == 2
    assert "--white has no effect: it is for pictures and arrays" in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()
