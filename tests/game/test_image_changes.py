"""Changes of images: against plain loops, under XLA, and to second order."""

import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.game.image_changes import Color, Cutout, Translation, whole

RANDOM = np.random.RandomState(0)
IMAGES = RANDOM.uniform(-1, 1, [6, 9, 5, 3])
# Among the numbers are the ends of the range.
NOISE = np.concatenate([RANDOM.uniform(0, 1, [4, 3]), [[0.0] * 3, [1 - 2.0**-24] * 3]])


def colored(image, noise, change):
    brightness, saturation, contrast = 2 * noise - 1
    image = image + change.brightness * brightness
    for row in image:
        for pixel in row:
            pixel[:] = pixel.mean() + (1 + change.saturation * saturation) * (pixel - pixel.mean())
    return image.mean() + (1 + change.contrast * contrast) * (image - image.mean())


def shifted(image, noise, change):
    height, width, _ = image.shape
    by = []
    for side, number in zip((height, width), noise, strict=False):
        most = int(change.reach * side)
        by.append(min(int(number * (2 * most + 1)), 2 * most) - most)
    result = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            if 0 <= row + by[0] < height and 0 <= column + by[1] < width:
                result[row, column] = image[row + by[0], column + by[1]]
    return result


def cut(image, noise, change):
    result = image.copy()
    ranges = []
    for side, number in zip(image.shape, noise, strict=False):
        size = int(change.size * side)
        choices = side + 1 - size % 2
        first = min(int(number * choices), choices - 1) - size // 2
        ranges.append(range(max(first, 0), min(first + size, side)))
    for row in ranges[0]:
        for column in ranges[1]:
            result[row, column] = 0.0
    return result


CHANGES = {
    "color": (Color(), colored),
    "contrast alone": (Color(brightness=0.0, saturation=0.0, contrast=1.0), colored),
    "translation": (Translation(0.25), shifted),
    "cutout": (Cutout(), cut),
    "large cutout": (Cutout(0.9), cut),
}
every_change = pytest.mark.parametrize("name", CHANGES)


@pytest.mark.cases(fast=5)
@every_change
@pytest.mark.parametrize("compiled", [False, True])
def test_change_is_that_of_a_plain_loop(name, compiled):
    change, naive = CHANGES[name]
    images, noise = tf.constant(IMAGES, tf.float32), tf.constant(NOISE, tf.float32)
    function = tf.function(change, jit_compile=True) if compiled else change
    found = function(images, noise[:, : change.numbers])
    expected = [naive(image, own, change) for image, own in zip(IMAGES, NOISE, strict=True)]
    assert found.shape == images.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@every_change
def test_derivatives_are_right_to_second_order(name):
    change, _ = CHANGES[name]
    noise, random = tf.constant(NOISE[:, : change.numbers]), np.random.RandomState(1)
    weights = tf.constant(random.normal(size=IMAGES.shape[1:]))

    def penalty(images):
        """The squared gradient of a smooth function of the changed images."""
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = tf.reduce_sum(tf.tanh(weights * change(images, noise)))
        return tf.reduce_sum(tf.square(tape.gradient(outputs, images)))

    images, direction = tf.constant(IMAGES), tf.constant(random.normal(size=IMAGES.shape))
    with tf.GradientTape() as tape:
        tape.watch(images)
        value = penalty(images)
    claimed = tf.reduce_sum(tape.gradient(value, images) * direction)
    measured = (penalty(images + 1e-6 * direction) - penalty(images - 1e-6 * direction)) / 2e-6
    np.testing.assert_allclose(claimed, measured, rtol=1e-6)


def test_whole_numbers_are_equally_probable_and_below_the_count():
    even = tf.constant((np.arange(900) + 0.5) / 900, tf.float32)
    assert np.bincount(whole(even, tf.constant(9))).tolist() == [100] * 9
    assert whole(tf.constant([1 - 2.0**-24]), tf.constant(9)).numpy().tolist() == [8]


def test_changes_keep_half_precision():
    images = tf.cast(IMAGES, tf.bfloat16)
    for change, _ in CHANGES.values():
        noise = tf.constant(NOISE[:, : change.numbers], tf.float32)
        assert change(images, noise).dtype == tf.bfloat16


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Color(brightness=-0.1), "`brightness` must be a number >= 0. Received: -0.1"),
        (lambda: Color(saturation=1.5), r"`saturation` must be a number in \[0, 1\].*1.5"),
        (lambda: Color(contrast="much"), "`contrast` must be a number in.*'much'"),
        (lambda: Color(0.0, 0.0, 0.0), "needs a brightness, saturation or contrast > 0"),
        (lambda: Translation(0.6), r"`reach` must be a number in \(0, 0.5\].*Use 0.125"),
        (lambda: Cutout(0.0), r"`size` must be a number in \(0, 1\].*Received: 0.0"),
        (
            lambda: Translation().check_images((8, 4, 1)),
            r"reach=0.125\) must be a pixel or more. Received: images of 8 x 4.*reach of 0.25",
        ),
        (lambda: Cutout(0.1).check_images((8, None, 1)), "must be a pixel or more.*8 pixels"),
    ],
)
def test_wrong_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()
