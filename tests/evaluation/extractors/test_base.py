"""What all extractors share: batches of one size, outputs, hashes."""

import hashlib

import numpy as np
import pytest
import tensorflow as tf
from example_images import flat, noise

import tfgan_stab as tgs
from tfgan_stab.evaluation.extractors.base import Extractor, Outputs, in_fixed_batches, outputs_of
from tfgan_stab.evaluation.extractors.function import FunctionExtractor


def test_networks_only_see_full_batches():
    seen = []

    def remembering(images):
        seen.append(images.shape.as_list())
        return flat(images)

    in_fixed_batches(remembering, noise(10, 2, 2, 1), 4)
    assert seen == [[4, 2, 2, 1]] * 3


def test_logits_beside_features():
    images = noise(10, 2, 2, 1)
    first, second = in_fixed_batches(lambda x: Outputs(flat(x), 2 * flat(x)[:, 1:]), images, 4)
    assert np.array_equal(first, images.reshape(10, 4))
    assert np.array_equal(second, 2 * images.reshape(10, 4)[:, 1:])


@pytest.mark.slow
def test_outputs_of_a_classifier(classifier, images):
    outputs = outputs_of(classifier, images[:5])
    assert isinstance(outputs, Outputs)
    assert np.array_equal(outputs.features, classifier(images[:5]))
    assert np.array_equal(outputs.logits, classifier.logits(images[:5]))
    assert outputs.logits.shape == (5, 10)


def test_outputs_without_logits():
    images = noise(3, 2, 2, 1)
    features, logits = outputs_of(FunctionExtractor(flat), images)
    assert np.array_equal(features, images.reshape(3, 4)) and logits is None


class Means(Extractor):
    """The mean of each channel, and twice that as logits."""

    name, batch_size = "means", 4

    def run(self, images):
        assert images.shape[0] == self.batch_size
        means = tf.reduce_mean(images, axis=[1, 2])
        return Outputs(means, 2 * means)


def test_own_extractor():
    images = noise(10, 2, 2, 3)
    extractor = Means()
    np.testing.assert_allclose(extractor(images), images.mean(axis=(1, 2)), rtol=1e-5, atol=1e-7)
    assert np.array_equal(extractor.outputs(images).logits, 2 * extractor(images))
    with pytest.raises(ValueError, match=r"lie in \[-1, 1\]"):
        extractor(3 * images)


def test_own_extractor_must_define_run():
    class Empty(Extractor):
        name = "empty"

    with pytest.raises(TypeError, match=r"Empty must define `run\(images\)`"):
        Empty()(noise(3, 2, 2, 1))


def test_own_extractor_has_a_hash_once_it_has_seen_an_image():
    extractor, again = Means(), Means()
    with pytest.raises(RuntimeError, match="'means' is known once it has seen an image"):
        _ = extractor.content_hash
    extractor(noise(3, 2, 2, 3))
    again(noise(5, 2, 2, 3, seed=1))
    probe = np.random.RandomState(0).uniform(-1, 1, (1, 2, 2, 3)).astype(np.float32)
    expected = hashlib.sha256(Means()(probe).tobytes()).hexdigest()[:8]
    assert extractor.content_hash == again.content_hash == expected
    extractor(noise(3, 4, 4, 3))  # Another shape later changes nothing.
    assert extractor.content_hash == expected


def test_protocol_tells_what_an_extractor_does():
    class Layered(Means):
        layer, preprocessing, content_hash = "pool_3", "tf1-resize", "v1"

    fid = tgs.FID(Layered(), noise(50, 2, 2, 3), samples=20)
    assert str(fid.protocol()).startswith("fid/means@v1/pool_3/tf1-resize/real=50 array@")
    fid = tgs.FID(Means(), noise(50, 2, 2, 3), samples=20)
    assert fid.protocol().layer == "features-3" and fid.protocol().preprocessing == ""
