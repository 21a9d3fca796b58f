import re

import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs

BYTES = np.arange(10 * 4 * 4 * 3).reshape(10, 4, 4, 3).astype(np.uint8)
FLOATS = np.linspace(-1, 1, 10 * 4 * 4 * 1).reshape(10, 4, 4, 1)
LABELS = np.arange(10) % 3


def shown(batches):
    return np.concatenate(list(batches.examples().as_numpy_iterator()))


@pytest.mark.parametrize("kind", ["npy", "npz", "memory"])
def test_files_and_memory_give_the_same_pictures(kind, tmp_path):
    source = BYTES
    if kind == "npy":
        source = tmp_path / "pictures.npy"
        np.save(source, BYTES)
    if kind == "npz":
        source = str(tmp_path / "pictures.npz")
        np.savez_compressed(source, pictures=BYTES)
    np.testing.assert_allclose(
        shown(tgs.data.arrays(source, batch_size=4)), BYTES / 127.5 - 1, rtol=1e-6, atol=1e-7
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_are_taken_as_they_are(dtype):
    batches = tgs.data.arrays(FLOATS.astype(dtype), batch_size=4)
    assert shown(batches).dtype == np.float32
    np.testing.assert_array_equal(shown(batches), FLOATS.astype(dtype).astype(np.float32))


@pytest.mark.parametrize("like_an_array", [list, tuple, tf.constant, tf.Variable])
def test_lists_and_tensors_are_arrays(like_an_array):
    batches = tgs.data.arrays(like_an_array(BYTES), batch_size=4, labels=like_an_array(LABELS))
    assert batches.name == "array"
    assert batches.num_classes == 3
    np.testing.assert_allclose(shown(batches), BYTES / 127.5 - 1, rtol=1e-6, atol=1e-7)
    from_numbers = tgs.data.arrays(FLOATS.tolist(), batch_size=4)
    np.testing.assert_array_equal(shown(from_numbers), FLOATS.astype(np.float32))


DEEP = np.linspace(0, 4095, 10 * 4 * 4 * 1).reshape(10, 4, 4, 1).astype(np.uint16)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_more_bits_are_scaled_by_white(dtype):
    images = shown(tgs.data.arrays(DEEP.astype(dtype), batch_size=4, white=4095))
    assert (images.dtype, images.min(), images.max()) == (np.float32, -1, 1)
    np.testing.assert_allclose(images, DEEP / 2047.5 - 1, atol=1e-6)


def test_gray_pictures_get_their_channel():
    batches = tgs.data.arrays(BYTES[..., 0], batch_size=4)
    assert batches.example_shape == (4, 4, 1)
    np.testing.assert_allclose(shown(batches), BYTES[..., :1] / 127.5 - 1, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", ["npz", "memory"])
def test_labels_stay_with_their_pictures(kind, tmp_path):
    settings = {"batch_size": 5, "seed": 3}
    if kind == "npz":
        np.savez(tmp_path / "set.npz", x=FLOATS, y=LABELS)
        batches = tgs.data.arrays(tmp_path / "set.npz", key="x", labels="y", **settings)
    else:
        batches = tgs.data.arrays(FLOATS, labels=LABELS, **settings)
    assert batches.num_classes == 3
    label_of = dict(zip(FLOATS[:, 0, 0, 0].astype(np.float32).tolist(), LABELS, strict=True))
    for images, labels in batches.take(4).as_numpy_iterator():
        assert labels.dtype == np.int32
        assert [label_of[corner] for corner in images[:, 0, 0, 0].tolist()] == labels.tolist()


def test_bytes_stay_bytes_in_memory():
    assert tgs.data.arrays(BYTES, batch_size=4).example_set._images.dtype == np.uint8


def test_the_content_hash_follows_the_pixels():
    changed = BYTES.copy()
    changed[3, 1, 2, 0] += 1
    one, same, other = (
        tgs.data.arrays(images, batch_size=4, seed=seed).description()["content"]
        for images, seed in [(BYTES, 0), (BYTES.copy(), 1), (changed, 0)]
    )
    assert one == same
    assert one != other


def test_values_between_zero_and_one_are_taken_with_a_warning():
    with pytest.warns(UserWarning, match=r"values from 0 to 1 only.*use `2 \* images - 1`"):
        tgs.data.arrays((FLOATS + 1) / 2, batch_size=4)


NAN = FLOATS.copy()
NAN[4, 0, 0, 0] = np.nan
NAN[7, 1, 1, 0] = np.inf


@pytest.mark.parametrize(
    "images, settings, error, message",
    [
        (BYTES.astype(int), {}, TypeError, r"int64. If .* `numpy.asarray\(images, numpy.uint8\)`"),
        (BYTES > 3, {}, TypeError, "Received: dtype bool"),
        (BYTES > 3, {"white": 1}, TypeError, "Received: dtype bool"),
        (DEEP, {}, TypeError, "dtype uint16.* white=65535 for full 16 bits, white=4095 for 12 b"),
        (
            DEEP,
            {"white": 4000},
            ValueError,
            "from 0 to white=4000. Received: values from 0 to 4095",
        ),
        (DEEP, {"white": 0}, ValueError, "`white` must be an integer >= 1. Received: 0"),
        (BYTES, {"white": 255}, ValueError, "white=255, and dtype uint8 in .array.. Leave it out"),
        (FLOATS, {"white": 1}, ValueError, "white=1, and dtype float64 in .array.. Leave it out"),
        (NAN, {}, ValueError, "NaN or infinity in 2 of 10 pictures, the first at index 4"),
        (BYTES.astype(float), {}, ValueError, r"values from 0 to 255. If .*images / 127.5 - 1"),
        (FLOATS * 1.5, {}, ValueError, r"floats in \[-1, 1\]. Received: values from -1.5 to 1.5"),
        (BYTES[0, 0], {}, ValueError, r"must hold pictures.*Received: shape \[4, 3\]"),
        (BYTES[:0], {}, ValueError, r"at least one. Received: shape \[0, 4, 4, 3\]"),
        (np.zeros([2, 3, 8, 8], np.uint8), {}, ValueError, r"transpose\(images, \(0, 2, 3, 1\)\)"),
        (BYTES, {"batch_size": 11}, ValueError, "batch_size=11, 10 examples"),
        (BYTES, {"key": "x"}, ValueError, "this is a single array. Received: key='x'"),
        (BYTES, {"labels": "y"}, ValueError, "labels='y'. Leave `key` out"),
        (BYTES, {"labels": LABELS[:9]}, ValueError, r"shape \[10\]. Received: shape \[9\]"),
        (BYTES, {"labels": LABELS * 1.0}, TypeError, "must be integers. Received: dtype float64"),
        (BYTES, {"labels": ["a"] * 10}, TypeError, "dtype <U1. Number the classes 0, 1"),
        (BYTES, {"labels": [[1], [1, 2]]}, ValueError, "`labels` must have one shape for all"),
        (BYTES, {"labels": [None] * 10}, TypeError, "`labels` must be an array of .*: list"),
        ([BYTES[0], BYTES[1, :2]], {}, ValueError, "a list that NumPy makes .*image_folder"),
        (BYTES.tolist(), {}, TypeError, "Received: dtype int64"),
        (None, {}, TypeError, "`images` must be a `.npz` or `.npy` file, .*Received: NoneType"),
        (tf.data.Dataset.range(3), {}, TypeError, "_RangeDataset. A data set of tf.data can be"),
        (["a.png", "b.png"], {}, ValueError, r"must hold pictures, .*Received: shape \[2\]"),
        (BYTES, {"labels": LABELS - 1}, ValueError, "classes 0, 1, .* Received: -1 at index 0"),
    ],
)
def test_bad_arrays_are_refused(images, settings, error, message):
    with pytest.raises(error, match=message):
        tgs.data.arrays(images, **{"batch_size": 4, **settings})


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "absent.npz"
    with pytest.raises(FileNotFoundError, match=f"There is no file '{path}'. Expected a `.npz`"):
        tgs.data.arrays(path)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, r"`key` must say which array.*the file has \['x', 'y'\]"),
        ({"key": "z"}, r"`key` must name an array of the file, one of \['x', 'y'\]. .*'z'"),
        ({"key": "x", "labels": "z"}, r"`labels` must name an array of the file.*labels='z'"),
    ],
)
def test_the_arrays_of_a_file_are_offered(settings, message, tmp_path):
    np.savez(tmp_path / "set.npz", x=FLOATS, y=LABELS)
    with pytest.raises(ValueError, match=message):
        tgs.data.arrays(tmp_path / "set.npz", **settings)


def damage_text(path):
    path.write_text("no numbers here")


def damage_empty(path):
    path.write_bytes(b"")


def damage_objects(path):
    with open(path, "wb") as file:
        np.save(file, np.array([{}, []], dtype=object))


def damage_half(path):
    with open(path, "wb") as file:
        np.save(file, BYTES)
    path.write_bytes(path.read_bytes()[:200])


def damage_half_archive(path):
    with open(path, "wb") as file:
        np.savez(file, BYTES)
    path.write_bytes(path.read_bytes()[:200])


@pytest.mark.parametrize(
    "damage", [damage_text, damage_empty, damage_objects, damage_half, damage_half_archive]
)
def test_a_damaged_file_is_refused_by_name(damage, tmp_path):
    path = tmp_path / "pictures.npy"
    damage(path)
    with pytest.raises(ValueError, match=re.escape(f"'{path}' cannot be read as a `.npz`")):
        tgs.data.arrays(path)


def test_the_warning_points_at_the_line_that_gave_the_pictures():
    with pytest.warns(UserWarning, match="values from 0 to 1 only") as caught:
        tgs.data.arrays((FLOATS + 1) / 2, batch_size=4)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("kind", ["vectors", "integers", "grey pictures", "pictures"])
def test_conditions_stay_with_their_pictures(kind):
    shades = np.arange(10, dtype=np.uint8)
    pictures = np.broadcast_to(shades[:, None, None], [10, 8, 8])
    conditions, expected = {
        "vectors": (np.stack([shades, -1.0 * shades], axis=1), [1.0, -1.0]),
        "integers": (np.stack([shades] * 2, axis=1), [1, 1]),
        "grey pictures": (pictures, 1 / 127.5 * np.ones([8, 8, 1])),
        "pictures": (np.stack([pictures] * 2, axis=-1)[..., :1], 1 / 127.5 * np.ones([8, 8, 1])),
    }[kind]
    batches = tgs.data.arrays(pictures, batch_size=5, labels=conditions)
    assert (batches.num_classes, batches.example_shape) == (None, (8, 8, 1))
    for images, own in batches.take(4).as_numpy_iterator():
        assert own.dtype == (np.int32 if kind == "integers" else np.float32)
        shade = np.rint((images[:, 0, 0, 0] + 1) * 127.5)
        offset = -1.0 if "pictures" in kind else 0.0
        for value, condition in zip(shade, own, strict=True):
            np.testing.assert_allclose(condition, value * np.array(expected) + offset, atol=1e-6)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.zeros([9, 3]), ValueError, r"shape \[10, ...\]. Received: shape \[9, 3\]"),
        (np.full([10, 3], np.nan), ValueError, "finite numbers. Received: NaN.*index 0"),
        (np.full([10, 3], "a"), TypeError, "must be numbers. Received: dtype <U1"),
        (np.full([10, 4, 4, 3], 2.0), ValueError, "labels of array"),
    ],
)
def test_conditions_that_fit_no_pictures(labels, error, message):
    with pytest.raises(error, match=message):
        tgs.data.arrays(np.zeros([10, 8, 8], np.uint8), batch_size=5, labels=labels)


def test_bytes_of_0_and_1_are_warned_of():
    masks = np.random.default_rng(0).integers(0, 2, (4, 8, 8, 1)).astype(np.uint8)
    with pytest.warns(UserWarning, match="bytes 0 and 1 only.*use `255 \\* images`"):
        tgs.data.arrays(masks, batch_size=2)
    tgs.data.arrays(255 * masks, batch_size=2)
