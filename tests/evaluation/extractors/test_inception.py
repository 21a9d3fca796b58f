"""The way of TF-GAN's Inception, with a small network of the same signature in its place."""

import types

import numpy as np
import pytest
import tensorflow as tf
from example_images import noise

import tfgan_stab as tgs
from tfgan_stab.evaluation.extractors import inception, tfgan
from tfgan_stab.evaluation.extractors.base import outputs_of, resized
from tfgan_stab.evaluation.extractors.function import as_extractor
from tfgan_stab.evaluation.extractors.inception import Inception
from tfgan_stab.evaluation.metrics.frechet import frechet_distance

FEATURES, CLASSES = 64, 1008


class SmallInception(tf.Module):
    """Features of the means of 13 x 13 tiles."""

    def __init__(self, seed=0, spatial=False, names=("pool_3", "logits")):
        super().__init__()
        random = np.random.RandomState(seed)
        self.mixing = tf.Variable(random.normal(0, 0.2, [507, FEATURES]).astype(np.float32))
        self.classes = tf.Variable(random.normal(0, 0.2, [FEATURES, CLASSES]).astype(np.float32))
        self.spatial, self.names = spatial, names

    @tf.function(input_signature=[tf.TensorSpec([None, 299, 299, 3], tf.float32)])
    def __call__(self, images):
        tiles = tf.nn.avg_pool2d(images, 23, 23, "VALID")
        features = tf.nn.relu(tf.reshape(tiles, [-1, 507]) @ self.mixing)
        logits = features @ self.classes
        if self.spatial:
            features = features[:, tf.newaxis, tf.newaxis, :]
        return dict(zip(self.names, (features, logits), strict=True))


def as_tfgan_does(folder, images, output="pool_3"):
    """TF-GAN's own function on the folder, images resized as its users do."""
    classifier = tfgan.evaluation().classifier_fn_from_tfhub(str(folder), output, True)
    resize = tf.compat.v1.image.resize_bilinear
    parts = [classifier(resize(images[i : i + 20], [299, 299])) for i in range(0, len(images), 20)]
    return np.concatenate(parts)


@pytest.fixture
def layers_of_tf1(monkeypatch):
    """Gives TF-GAN the one function of old layers that it calls and Keras 3 no longer has."""
    tfgan.evaluation()  # Whose imports would put the lost one back.
    flatten = types.SimpleNamespace(flatten=lambda tensor: tf.reshape(tensor, [len(tensor), -1]))
    monkeypatch.setattr(tf.compat.v1, "layers", flatten)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "small"
    tf.saved_model.save(SmallInception(), str(path))
    return path


@pytest.fixture(scope="module")
def extractor(folder):
    return Inception(folder, batch_size=8)


@pytest.mark.slow
def test_features_and_logits_are_those_tfgan_takes(folder, extractor, layers_of_tf1):
    images = noise(20, 32, 32, 3)
    outputs = extractor.outputs(images)
    assert outputs.features.shape == (20, FEATURES) and outputs.logits.shape == (20, CLASSES)
    for output, taken in [("pool_3", outputs.features), ("logits", outputs.logits)]:
        expected = as_tfgan_does(folder, images, output)
        assert taken.dtype == np.float32 and np.abs(expected).max() > 0.1
        np.testing.assert_allclose(taken, expected, rtol=1e-4, atol=1e-5)
    assert np.array_equal(extractor(images), outputs.features)
    assert np.array_equal(outputs_of(extractor, images).logits, outputs.logits)


@pytest.mark.slow
def test_the_frechet_distance_is_tfgans_all_the_way(folder, extractor, layers_of_tf1):
    real, fake = noise(100, 24, 24, 3), 0.8 * noise(100, 24, 24, 3, seed=1)
    distance = tfgan.evaluation().frechet_classifier_distance_from_activations
    expected = float(distance(*(tf.constant(as_tfgan_does(folder, each)) for each in (real, fake))))
    assert expected > 1e-3
    ours = frechet_distance(extractor(real), extractor(fake))
    assert ours == pytest.approx(expected, rel=1e-3)


def test_the_protocol_says_weights_layer_and_resizing(extractor, folder):
    content_hash = extractor.content_hash
    assert len(content_hash) == 8
    protocol = tgs.FID(extractor, noise(20, 16, 16, 3), samples=10).protocol()
    expected = f"fid/tfgan-inception-1@{content_hash}/pool_3/tf1-resize/real=20 array@"
    assert str(protocol).startswith(expected)
    other = Inception(folder, resize="clean", layer="logits", name="small/1")
    protocol = tgs.KID(other, noise(20, 16, 16, 3), samples=10).protocol()
    assert str(protocol).startswith(f"kid/small-1@{content_hash}/logits/clean-resize/block=1024/")


def test_resizing_can_be_clean(folder):
    images = noise(3, 400, 32, 3)
    clean = Inception(folder, resize="clean", batch_size=8)(images)
    expected = tf.saved_model.load(str(folder))(resized(images, 299, "clean"))["pool_3"]
    np.testing.assert_allclose(clean, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(clean - Inception(folder, batch_size=8)(images)).max() > 1e-3


def test_any_output_can_be_the_features(folder):
    images = noise(3, 16, 16, 3)
    outputs = Inception(folder, layer="logits", batch_size=8).outputs(images)
    assert np.array_equal(outputs.features, outputs.logits)


def test_one_channel_counts_as_three_equal_ones(extractor):
    gray = noise(3, 28, 28, 1)
    assert np.array_equal(extractor(gray), extractor(gray.repeat(3, axis=3)))


def test_an_image_has_the_same_features_in_any_batch(folder):
    extractor, images = Inception(folder, batch_size=4), noise(10, 8, 8, 3)
    singly = np.concatenate([extractor(images[i : i + 1]) for i in range(10)])
    assert np.array_equal(singly, extractor(images))
    assert extractor._forward.experimental_get_tracing_count() == 1


def test_pooled_features_that_keep_their_axes_are_flattened(folder, tmp_path):
    tf.saved_model.save(SmallInception(spatial=True), str(tmp_path))
    images = noise(3, 16, 16, 3)
    spatial = Inception(tmp_path, batch_size=8)(images)
    assert np.array_equal(spatial, Inception(folder, batch_size=8)(images))


def test_the_network_is_loaded_once(folder, extractor, monkeypatch):
    monkeypatch.setattr(
        tf.saved_model, "load", lambda *arguments, **options: pytest.fail("loaded again")
    )
    assert Inception(str(folder))._network is extractor._network


def test_the_variable_names_the_default_place(folder, extractor, monkeypatch):
    monkeypatch.setenv("TFGAN_STAB_INCEPTION", str(folder))
    monkeypatch.setattr(inception, "downloaded", lambda handle: pytest.fail("downloaded"))
    assert Inception().content_hash == extractor.content_hash
    assert as_extractor("inception").name == "tfgan-inception-1"


def test_tfgans_handle_is_the_place_of_last_resort(folder, extractor, monkeypatch):
    asked = []
    monkeypatch.delenv("TFGAN_STAB_INCEPTION", raising=False)
    monkeypatch.setattr(inception, "downloaded", lambda handle: asked.append(handle) or folder)
    assert Inception().content_hash == extractor.content_hash
    assert Inception("https://example.org/other/2").content_hash == extractor.content_hash
    assert asked == [
        "https://tfhub.dev/tensorflow/tfgan/eval/inception/1",
        "https://example.org/other/2",
    ]


def test_other_weights_have_another_hash(extractor, tmp_path):
    tf.saved_model.save(SmallInception(seed=1), str(tmp_path))
    assert Inception(tmp_path).content_hash != extractor.content_hash


HOW_TO = r"download https://tfhub.dev/tensorflow/tfgan.*compressed.*TFGAN_STAB_INCEPTION"


def test_a_missing_folder_says_how_to_obtain_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"missing must be a SavedModel.*{HOW_TO}"):
        Inception(tmp_path / "missing")
    with pytest.raises(FileNotFoundError, match=f"a folder of nothing.*{HOW_TO}"):
        Inception(tmp_path)


def test_no_internet_says_how_to_do_without(tmp_path, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    # Port 9 is that of the discard protocol, where nothing listens.
    monkeypatch.setenv("TFGAN_STAB_INCEPTION", "http://127.0.0.1:9/inception/1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(FileNotFoundError, match=f"has no http://127.0.0.1:9/.*{HOW_TO}"):
        as_extractor("inception")


@pytest.mark.parametrize("names", [("features", "logits"), ("pool_3", "classes")])
def test_a_network_with_other_outputs_is_refused(tmp_path, names):
    tf.saved_model.save(SmallInception(names=names), str(tmp_path))
    received = ", ".join(map(repr, sorted(names)))
    with pytest.raises(ValueError, match=f"outputs 'pool_3' and 'logits'. Received: {received}"):
        Inception(tmp_path)


def test_a_layer_that_is_not_there_is_refused(folder):
    with pytest.raises(ValueError, match="outputs 'pool_2' and 'logits'. Received: .*`layer=`"):
        Inception(folder, layer="pool_2")


def test_an_unknown_way_of_resizing_is_refused(folder):
    with pytest.raises(ValueError, match="`resize` must be 'tf1' or 'clean'. Received: 'pil'"):
        Inception(folder, resize="pil")


@pytest.mark.parametrize("size", [0, "8"])
def test_other_batch_sizes_are_refused(folder, size):
    with pytest.raises(ValueError, match="`batch_size` must be.*>= 1. Received"):
        Inception(folder, batch_size=size)


@pytest.mark.parametrize("shape", [[2, 8, 8, 2], [2, 8, 8, 4], [2, 8]], ids=str)
def test_images_of_other_channels_are_refused(extractor, shape):
    with pytest.raises(ValueError, match="of 1 or 3 channels. Received: shape"):
        extractor(noise(*shape))
