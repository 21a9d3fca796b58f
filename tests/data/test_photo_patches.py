"""Pieces of the two photographs, against slices of them."""

import numpy as np
import pytest
from sklearn.datasets import load_sample_images

import tfgan_stab as tgs

SIZE = {"train": 32, "test": 128}


def slices(size, first, end):
    """All pieces of a split as bytes, cut out one by one."""
    return [
        photograph[top : top + size, left : left + size]
        for photograph in load_sample_images().images
        for top in range(0, 427 - size + 1, 4)
        for left in range(first, end - size + 1, 4)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("split", "first", "end"), [("train", 0, 480), ("test", 480, 640)])
def test_pieces_are_slices_of_the_photographs(split, first, end):
    data = tgs.data.photo_patches(batch_size=50, size=SIZE[split], split=split)
    expected = slices(SIZE[split], first, end)
    assert data.num_examples == len(expected)
    assert data.element_spec.shape == [50, SIZE[split], SIZE[split], 3]
    for number, images in enumerate(data.examples().as_numpy_iterator()):
        if number % 20 == 0:
            own = np.array(expected[50 * number : 50 * number + 50])
            np.testing.assert_allclose(images, own / 127.5 - 1, atol=1e-6)


@pytest.mark.slow
def test_an_epoch_shows_each_piece_once():
    data = tgs.data.photo_patches(batch_size=33, size=8, split="test", seed=3)
    shown = np.concatenate(list(data.take(data.num_examples // 33).as_numpy_iterator()))
    assert len(shown) == data.num_examples // 33 * 33 > 7000
    expected = np.float32(slices(8, 480, 640)) / 127.5 - 1
    # Some pieces of sky are the same: as often, but for the few that are still to come.
    seen, wanted = (
        np.unique(np.round(each.reshape(len(each), -1), 4), axis=0, return_counts=True)
        for each in (shown, expected)
    )
    assert len(wanted[0]) - len(seen[0]) <= 33 and seen[1].max() <= wanted[1].max()


def test_it_has_a_name_and_says_what_it_holds():
    data = tgs.data.load("photo_patches", batch_size=8, size=16)
    description = data.description()
    content = description.pop("content")
    assert content != tgs.data.photo_patches(size=16, split="test").description()["content"]
    assert description == {
        "name": "photo_patches:16/train",
        "examples": 24102,
        "shape": [16, 16, 3],
        "classes": None,
        "batch_size": 8,
        "seed": 0,
    }


@pytest.mark.parametrize("settings", [{"size": 4}, {"size": 129}, {"split": "validation"}])
def test_what_the_photographs_do_not_hold_is_refused(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        tgs.data.photo_patches(**settings)


def test_gray_pieces_are_the_luma_of_colored_ones():
    colored, gray = (
        next(iter(tgs.data.photo_patches(20, size=28, channels=channels).examples())).numpy()
        for channels in (3, 1)
    )
    assert gray.shape == (20, 28, 28, 1)
    expected = colored @ [0.299, 0.587, 0.114]
    # Rounded to bytes; TensorFlow's weights add up to 0.9999.
    np.testing.assert_allclose(gray[..., 0], expected, atol=1.2 / 127.5)
    assert tgs.data.photo_patches(channels=1).name == "photo_patches:32/train/gray"


def test_labels_say_which_photograph():
    data = tgs.data.photo_patches(batch_size=64, size=64, split="test", labels=True, seed=1)
    pieces = [piece.tobytes() for piece in slices(64, 480, 640)]
    half = len(pieces) // 2
    of_label = set(pieces[:half]), set(pieces[half:])
    assert (data.num_classes, data.class_names) == (2, ["temple", "flower"])
    assert data.description()["class_names"] == ["temple", "flower"]
    images, labels = next(data.as_numpy_iterator())
    assert labels.dtype == np.int32 and 10 < labels.sum() < 54
    for image, label in zip(np.rint(127.5 * (images + 1)).astype(np.uint8), labels, strict=True):
        assert image.tobytes() in of_label[label] and image.tobytes() not in of_label[1 - label]


@pytest.mark.parametrize("size", [28, 48, 64, 96, 128])
def test_sizes_of_recipes(size):
    assert tgs.data.photo_patches(size=size, channels=1).example_shape == (size, size, 1)


def test_channels_are_one_or_three():
    with pytest.raises(ValueError, match="`channels` must be one of 1, 3. Received: 4. Use 3"):
        tgs.data.photo_patches(channels=4)
