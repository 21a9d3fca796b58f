"""Images of a generator in a `.keras` file: those that `gan.sample` returns for the same noise."""

import json
import re
import zipfile

import keras
import numpy as np
import pytest

import tfgan_stab as tgs
from tfgan_stab.cli import main
from tfgan_stab.cli.sources.kinds import SourceError
from tfgan_stab.cli.sources.opening import open_source


def whole(source, count, **settings):
    return np.concatenate(list(source.draw(count, **settings)))


@pytest.mark.slow
def test_a_file_of_a_conditional_generator_knows_its_classes(tiny, tmp_path):
    generator, _ = tiny.image_networks(num_classes=4)
    generator.save(tmp_path / "generator.keras")
    source = open_source(tmp_path / "generator.keras")
    assert (source.conditional, source.num_classes) == (True, 4)
    gan = tgs.GAN(generator, tiny.image_networks(num_classes=4)[1], latents=3, num_classes=4)
    np.testing.assert_allclose(whole(source, 10, seed=2), gan.sample(10, seed=2), atol=1e-6)
    ones = gan.sample(10, seed=2, labels=[1] * 10)
    np.testing.assert_allclose(whole(source, 10, seed=2, label=1), ones, atol=1e-6)
    chosen = np.array([3, 0, 1, 3, 3] * 2)
    found = whole(source, 10, seed=2, shares=(1, 1, 0, 3))
    np.testing.assert_allclose(found, gan.sample(10, seed=2, labels=chosen), atol=1e-6)
    with pytest.raises(ValueError, match="Classes of .* are 0 to 3. Received: label=4"):
        source.draw(1, label=4)


def test_num_classes_is_required_where_the_file_does_not_tell(tmp_path):
    noise, labels = keras.Input((2,)), keras.Input((), dtype="int32")
    one_hot = keras.layers.CategoryEncoding(3, output_mode="one_hot")(labels)
    images = keras.layers.Dense(4)(keras.layers.Concatenate()([noise, one_hot]))
    keras.Model([noise, labels], images).save(tmp_path / "generator.keras")
    source = open_source(tmp_path / "generator.keras")
    assert source.num_classes is None
    with pytest.raises(ValueError, match="needs to know its classes.*--num_classes=10"):
        source.draw(3)
    assert whole(source, 3, label=2).shape == (3, 4)
    numbered = open_source(tmp_path / "generator.keras", num_classes=3)
    assert numbered.labels(4).tolist() == [0, 1, 2, 0]


def identity_generator(path, size=3):
    """Shows its noise."""
    keras.Sequential([keras.Input((size,)), keras.layers.Identity()]).save(path)
    return path


@pytest.mark.parametrize("latents", ["normal", "sphere", "uniform"])
def test_latents_of_a_keras_file_can_be_chosen(tmp_path, latents):
    noise = whole(open_source(identity_generator(tmp_path / "g.keras"), latents=latents), 5000)
    norms = np.sqrt(np.square(noise).sum(axis=1))
    on_sphere = bool(np.ptp(norms) < 1e-5)
    assert on_sphere == (latents == "sphere")
    assert (np.abs(noise).max() <= 1) == (latents == "uniform")
    variance = 1 / 3 if latents == "uniform" else 1.0
    np.testing.assert_allclose(noise.var(axis=0), variance, rtol=0.1)


def test_images_depend_on_the_seed_and_the_batch_size_alone(tmp_path):
    path = identity_generator(tmp_path / "g.keras")
    source = open_source(path, batch_size=4)
    batches = list(source.draw(10))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    np.testing.assert_array_equal(
        np.concatenate(batches), whole(open_source(path, batch_size=4), 10)
    )
    assert np.abs(whole(source, 10, seed=1) - np.concatenate(batches)).min() > 0
    np.testing.assert_array_equal(whole(source, 6), np.concatenate(batches)[:6])


@pytest.mark.slow
def test_a_whole_gan_in_a_file_has_its_averages(image_gan, tiny, tmp_path):
    tiny.disturb(image_gan)
    image_gan.save(tmp_path / "gan.keras")
    source = open_source(tmp_path / "gan.keras")
    assert source.weights == ["live", "ema", "late"]
    expected = image_gan.sample(10, "late", seed=1)
    np.testing.assert_allclose(whole(source, 10, weights="late", seed=1), expected, atol=1e-6)
    with pytest.raises(SourceError, match="a whole GAN.*latents='sphere'. Leave"):
        open_source(tmp_path / "gan.keras", latents="sphere")


def test_a_discriminator_is_refused(tiny, tmp_path):
    _, discriminator = tiny.image_networks()
    discriminator.save(tmp_path / "discriminator.keras")
    with pytest.raises(SourceError, match=r"takes latents.*inputs \[\[None, 8, 8, 1\]\]"):
        open_source(tmp_path / "discriminator.keras")


def test_files_that_keras_cannot_load_are_refused(tmp_path):
    (tmp_path / "generator.keras").write_bytes(b"no zip file")
    with pytest.raises(
        SourceError, match="Expected .*generator.keras to be a generator that Keras"
    ):
        open_source(tmp_path / "generator.keras")
    path = identity_generator(tmp_path / "g.keras")
    with pytest.raises(SourceError, match="num_classes=3 for .* which has one input"):
        open_source(path, num_classes=3)
    with pytest.raises(SourceError, match="weights='ema' for .*Leave them out"):
        open_source(path).draw(1, "ema")


@pytest.fixture(scope="module")
def hostile_generator():
    """A function of a file to write: a generator that makes it when its code runs."""

    def hostile_generator(marker):
        code = keras.layers.Lambda(eval(f"lambda x: (open({str(marker)!r}, 'w').close(), x)[1]"))
        generator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3), code])
        marker.unlink()  # Keras has called it.
        return generator

    return hostile_generator


def refused_by_all_commands(path, capsys):
    other = identity_generator(path.with_name("harmless.keras"))
    runs = [
        ("sample", [f"--source={path}", f"--output={path.parent / 'samples'}", "--count=2"]),
        ("evaluate", [f"--source={path}", "--scores=ms_ssim", "--real=digits"]),
        ("evaluate", [f"--source={other}", f"--extractor={path}", "--real=digits", "--samples=9"]),
    ]
    for name, flags in runs:
        assert main.run(name, [name, *flags]) == 1
        said = capsys.readouterr().err
        assert re.search("that Keras can load. Received: .*Lambda.*If it has layers or code", said)


@pytest.mark.slow
def test_code_in_a_file_is_not_run(hostile_generator, tmp_path, capsys):
    path, marker = tmp_path / "generator.keras", tmp_path / "marker"
    hostile_generator(marker).save(path)
    refused_by_all_commands(path, capsys)
    with pytest.raises(ValueError, match="is a Python lambda"):
        keras.saving.load_model(path)
    assert not marker.exists()
    keras.saving.load_model(path, safe_mode=False)  # The file is what it is taken for.
    assert marker.exists()


def test_code_in_a_whole_gan_is_not_run(hostile_generator, tmp_path):
    path, marker = tmp_path / "gan.keras", tmp_path / "marker"
    discriminator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    gan = tgs.GAN(hostile_generator(marker), discriminator, latents=3)
    gan.compile("sgd", "sgd", jit_compile=False)
    gan.save(path)
    marker.unlink(missing_ok=True)
    with pytest.raises(SourceError, match="to be a generator that Keras can load.*Lambda"):
        open_source(path)
    with pytest.raises((ValueError, TypeError), match="is a Python lambda"):
        keras.saving.load_model(path)
    assert not marker.exists()


def rewritten(path, change):
    """Changes the settings in a `.keras` file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.slow
def test_code_in_the_settings_of_compile_is_not_run(hostile_generator, tiny, tmp_path):
    marker = tmp_path / "marker"
    code = hostile_generator(marker).layers[-1].get_config()["function"]
    gan = tiny.point_gan()
    gan.save(tmp_path / "gan.keras")
    rewritten(tmp_path / "gan.keras", lambda config: config["compile_config"].update(loss=code))
    with pytest.raises(SourceError, match="Requested the deserialization of a Python lambda"):
        open_source(tmp_path / "gan.keras")
    assert not marker.exists()


def function(module, name):
    return {"class_name": "function", "module": module, "config": name, "registered_name": name}


def layer(name, **config):
    return {"class_name": name, "module": "keras.layers", "registered_name": None, "config": config}


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [
        ({**layer("system", command="true"), "module": "os"}, "Could not locate class 'system'"),
        (layer("Lambda", function=function("subprocess", "getoutput")), "Could not locate funct"),
        (layer("Lambda", function=function("keras.utils", "get_file")), "Cannot deserialize `ker"),
        (
            layer("Lambda", function=function("keras.src.utils.file_utils", "get_file")),
            "Could not deserialize",
        ),
        (
            layer("Lambda", function=function("keras.config", "enable_unsafe_deserialization")),
            "Cannot deserialize `keras.config.enable_unsafe",
        ),
        (layer("TFSMLayer", filepath="saved", call_endpoint="serve"), "`TFSMLayer`"),
        (layer("StringLookup", vocabulary="/etc/passwd"), "loading of a vocabulary file"),
    ],
)
def test_files_call_and_read_nothing_of_their_own_choice(tmp_path, hostile, reason):
    path = identity_generator(tmp_path / "generator.keras")
    rewritten(path, lambda config: config["config"]["layers"][1].update(hostile))
    with pytest.raises(SourceError, match=f"that Keras can load. Received: .*{reason}"):
        open_source(path)


def test_formats_without_safe_loading_are_refused(hostile_generator, tmp_path):
    marker = tmp_path / "marker"
    hostile_generator(marker).save(tmp_path / "generator.h5")
    (tmp_path / "generator.h5").rename(tmp_path / "renamed.keras")
    with pytest.raises(SourceError, match="Received: a file that is no zip archive"):
        open_source(tmp_path / "renamed.keras")
    (tmp_path / "generator.h5").touch()
    with pytest.raises(SourceError, match="generator.h5, a file ending in .h5. Convert it"):
        open_source(tmp_path / "generator.h5")
    assert not marker.exists()
