"""The digits classifier: good enough, always the same, and its cache can be trusted."""

import concurrent.futures
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from tfgan_stab.evaluation.extractors import digits as module
from tfgan_stab.evaluation.extractors.digits import DigitsClassifier, digits

HASH = """
import sys
from tfgan_stab.evaluation.extractors.digits import DigitsClassifier
print(DigitsClassifier(sys.argv[1]).content_hash)
"""


def in_a_new_process(code, directory):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [sys.executable, "-W", "error::UserWarning", "-c", code, directory]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.fixture
def no_training(monkeypatch):
    monkeypatch.setattr(module, "train", lambda network: pytest.fail("trained again"))


def test_the_digits_are_all_there_in_range_and_shuffled():
    images, labels = digits()
    assert images.shape == (1797, 8, 8, 1) and images.dtype == np.float32
    assert images.min() == -1.0 and images.max() == 1.0
    original = load_digits()
    assert np.array_equal(np.bincount(labels), np.bincount(original.target))
    assert not np.array_equal(labels, original.target)
    position = {image.tobytes(): index for index, image in enumerate(images)}
    for image, label in zip(original.images[:50], original.target[:50], strict=True):
        index = position[(image / 8 - 1).astype(np.float32).tobytes()]
        assert labels[index] == label


def test_held_out_digits_are_recognized(classifier, images):
    held_out = images[1437:], digits()[1][1437:]
    guesses = classifier.logits(held_out[0]).argmax(axis=1)
    assert len(guesses) == 360
    assert np.mean(guesses == held_out[1]) >= 0.97


def test_features_are_64_rectified_numbers(classifier, images):
    features = classifier(images)
    assert features.shape == (1797, classifier.feature_size) == (1797, 64)
    assert features.dtype == np.float32 and features.min() == 0.0
    # FID is in squared units of these: a change of scale would break comparisons with old runs.
    assert 1.0 < features.mean() < 10.0


@pytest.mark.slow
def test_an_image_has_the_same_features_in_any_batch(classifier, images):
    features = classifier(images)
    order = np.random.default_rng(0).permutation(len(images))
    assert np.array_equal(classifier(images[order]), features[order])
    for size in (1, 37, 256, 300):
        parts = [classifier(images[i : i + size]) for i in range(0, 600, size)]
        assert np.array_equal(np.concatenate(parts)[:600], features[:600])


def test_the_forward_pass_is_traced_once(classifier, images):
    for size in (1, 7, 256, 1000):
        classifier(images[:size])
    assert classifier._forward.experimental_get_tracing_count() == 1


@pytest.mark.exhaustive
@pytest.mark.slow
def test_one_classifier_trains_to_the_same_bits_in_two_processes(classifier, tmp_path):
    assert in_a_new_process(HASH, tmp_path) == classifier.content_hash


@pytest.mark.slow
def test_training_touches_no_global_state_and_trains_the_same_under_any(classifier, tmp_path):
    np.random.seed(5)
    tf.random.set_seed(5)
    before = np.random.get_state()[1].copy(), tf.random.uniform([3]).numpy()
    np.random.seed(5)
    tf.random.set_seed(5)
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        trained = DigitsClassifier(tmp_path).content_hash
    finally:
        keras.config.set_dtype_policy(policy)
    assert trained == classifier.content_hash
    assert keras.config.floatx() == floatx
    assert np.array_equal(np.random.get_state()[1], before[0])
    assert np.array_equal(tf.random.uniform([3]).numpy(), before[1])


def test_the_hash_is_that_of_the_weights(classifier):
    other = DigitsClassifier(classifier.path.parent)
    assert other.content_hash == classifier.content_hash
    weights = other._network.get_weights()
    weights[0][0] += 1e-6
    other._network.set_weights(weights)
    assert other.content_hash != classifier.content_hash
    assert len(other.content_hash) == 8 and int(other.content_hash, 16) >= 0


def test_a_second_classifier_takes_the_weights_from_the_cache(classifier, images, no_training):
    again = DigitsClassifier(classifier.path.parent)
    assert np.array_equal(again(images[:300]), classifier(images[:300]))


@pytest.fixture
def trained_at_once(classifier, monkeypatch):
    """Training ends at once, with the weights that it always ends with."""

    def train(network):
        with np.load(classifier.path) as archive:
            names = sorted(name for name in archive.files if name.startswith("weight_"))
            network.set_weights([archive[name] for name in names])

    monkeypatch.setattr(module, "train", train)


@pytest.mark.usefixtures("trained_at_once")
def test_a_damaged_cache_is_said_and_trains_again(classifier, tmp_path):
    damaged = DigitsClassifier(tmp_path)
    damaged.path.write_bytes(classifier.path.read_bytes()[:-500])
    with pytest.warns(UserWarning, match="cannot be read.*The digits classifier is trained again"):
        assert damaged.content_hash == classifier.content_hash
    assert damaged.path.read_bytes() == classifier.path.read_bytes()


@pytest.mark.usefixtures("trained_at_once")
def test_a_cache_with_other_weights_than_its_hash_is_trained_again(classifier, tmp_path):
    damaged = DigitsClassifier(tmp_path)
    archive = dict(np.load(classifier.path))
    archive["weight_000"][0] += 0.1
    np.savez(damaged.path, **archive)
    with pytest.warns(UserWarning, match="other weights than its hash.*is trained again"):
        assert damaged.content_hash == classifier.content_hash


def test_a_folder_that_cannot_be_written_is_said_and_scoring_goes_on(
    classifier, tmp_path, monkeypatch, images
):
    monkeypatch.setattr(module, "train", lambda network: None)
    (tmp_path / "file").write_text("in the way")
    kept_nowhere = DigitsClassifier(tmp_path / "file" / "cache")
    with pytest.warns(UserWarning, match="cannot be kept in .*Set TFGAN_STAB_CACHE to a folder"):
        assert kept_nowhere(images[:3]).shape == (3, 64)


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.multi_device
def test_the_classifier_trains_the_same_under_a_strategy(classifier, tmp_path):
    # Devices can only be made before TensorFlow starts, so this takes a process of its own.
    code = """
import sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tfgan_stab.evaluation.extractors.digits import DigitsClassifier, digits
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    classifier = DigitsClassifier(sys.argv[1])
    inside = classifier(digits()[0][:9])
assert (classifier(digits()[0][:9]) == inside).all()
print(classifier.content_hash)
"""
    assert in_a_new_process(code, tmp_path) == classifier.content_hash


@pytest.mark.exhaustive
@pytest.mark.slow
def test_processes_that_train_at_the_same_time_agree_on_the_cache(classifier, tmp_path):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        hashes = list(pool.map(in_a_new_process, [HASH] * 3, [tmp_path] * 3))
    assert set(hashes) == {classifier.content_hash}
    assert [file.name for file in tmp_path.iterdir()] == [classifier.path.name]
    assert in_a_new_process(HASH, tmp_path) == classifier.content_hash


def test_a_classifier_that_trains_badly_is_refused():
    with pytest.raises(RuntimeError, match=r"reach 97% on held-out digits.*Received: \d+\.\d%"):
        module.train(module._build(), epochs=0)


def test_nothing_is_trained_or_loaded_before_first_use(tmp_path):
    assert DigitsClassifier(tmp_path).name == "digits-classifier"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [[4, 8, 8], [4, 8, 8, 3], [4, 1, 8, 8], [4, 16, 16, 1], [4, 64]])
def test_images_of_other_shapes_are_refused(classifier, shape):
    with pytest.raises(ValueError, match=r"shape \[batch, .*Received: shape"):
        classifier(np.zeros(shape, np.float32))
