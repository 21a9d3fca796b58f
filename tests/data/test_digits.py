import numpy as np
from sklearn.datasets import load_digits

import tfgan_stab as tgs
from tfgan_stab.data.digits import loaded_digits


def test_an_epoch_of_digits_is_the_1797_images_with_their_labels():
    bunch = load_digits()
    expected = {
        (tuple(image.ravel() / 8 - 1), int(label))
        for image, label in zip(bunch.images, bunch.target, strict=True)
    }
    batches = tgs.data.digits(batch_size=599, seed=6, labels=True)
    shown = [
        (tuple(image.ravel().astype(float)), int(label))
        for images, labels in batches.take(3).as_numpy_iterator()
        for image, label in zip(images, labels, strict=True)
    ]
    assert len(shown) == 1797
    assert set(shown) == expected


def test_digits_fill_the_range():
    images = np.concatenate(list(tgs.data.digits().examples().as_numpy_iterator()))
    assert images.shape == (1797, 8, 8, 1)
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (-1, 1)


def test_digits_are_loaded_in_their_order_with_labels():
    bunch = load_digits()
    images, labels = loaded_digits()
    assert (images.dtype, labels.dtype) == (np.float32, np.int32)
    np.testing.assert_array_equal(images[..., 0], bunch.images / 8 - 1)
    np.testing.assert_array_equal(labels, bunch.target)


def test_digits_have_ten_classes_only_with_labels():
    assert tgs.data.digits(labels=True).num_classes == 10
    assert tgs.data.digits().num_classes is None


def test_digits_describe_themselves():
    description = tgs.data.digits(batch_size=32, seed=9).description()
    assert description.pop("content") == tgs.data.digits().description()["content"]
    assert description == {
        "name": "digits",
        "examples": 1797,
        "shape": [8, 8, 1],
        "classes": None,
        "batch_size": 32,
        "seed": 9,
    }
