import numpy as np
import PIL.Image
import pytest
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


@pytest.mark.parametrize(("size", "channels"), [(32, 3), (28, 1), (8, 3)])
def test_digits_are_enlarged(size, channels):
    small = next(iter(tgs.data.digits(batch_size=5).examples())).numpy()
    data = tgs.data.digits(batch_size=5, labels=True, image_size=size, channels=channels)
    assert data.name == f"digits:{size}x{size}x{channels}"
    large = next(iter(data.examples())).numpy()
    assert large.shape == (5, size, size, channels) == (5, *data.example_shape)
    assert -1 <= large.min() < -0.9 and 0.9 < large.max() <= 1
    for channel in range(channels):
        np.testing.assert_array_equal(large[..., channel], large[..., 0])
    # Pillow's filter, held to the pixels that do not touch the border.
    for one, other in zip(small[..., 0], large[..., 0], strict=True):
        picture = PIL.Image.fromarray(one).resize((size, size), PIL.Image.Resampling.BICUBIC)
        inner = slice(size // 4, -size // 4)
        expected = np.clip(np.asarray(picture), -1, 1)[inner, inner]
        np.testing.assert_allclose(other[inner, inner], expected, atol=1e-5)


def test_enlarged_digits_keep_their_order_and_labels():
    one = tgs.data.digits(batch_size=16, seed=4, labels=True).starting_at(3)
    other = tgs.data.digits(batch_size=16, seed=4, labels=True, image_size=16).starting_at(3)
    (small, labels), (large, same) = (next(data.as_numpy_iterator()) for data in (one, other))
    np.testing.assert_array_equal(labels, same)
    means = large.reshape(16, 8, 2, 8, 2).mean((2, 4))
    assert np.corrcoef(means.ravel(), small.ravel())[0, 1] > 0.98


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"image_size": 7}, "`image_size` must be a number of pixels, .* >= 8. Received: 7. Use 8"),
        ({"channels": 4}, "`channels` must be one of 1, 3. Received: 4. Use 1 for gray"),
    ],
)
def test_impossible_digits_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        tgs.data.digits(**setting)
