"""Which real images a score takes and holds out, and from where."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

import tfgan_stab as tgs
from tfgan_stab.evaluation.extractors.function import FunctionExtractor
from tfgan_stab.evaluation.metrics.frechet import frechet_distance
from tfgan_stab.evaluation.scores.fid import FID


def test_sorted_data_hold_out_as_much_of_each_class(noise, flat):
    fid = FID(flat, noise(600), samples=90, real_samples=300)
    held_out, reference = fid.real_images.rows
    assert [len(held_out[(held_out >= i) & (held_out < i + 100)]) for i in range(0, 600, 100)] == [
        15
    ] * 6
    assert len(np.unique(held_out)) == 90 and len(np.unique(reference)) == 300
    assert not np.isin(reference, held_out).any()


def test_real_samples_limits_the_real_images(noise, flat):
    fid = FID(flat, noise(50), samples=20, real_samples=15)
    taken = noise(50).reshape(50, -1)[fid.real_images.rows[1]]
    expected = frechet_distance(taken, noise(20, seed=1).reshape(20, -1))
    result = fid([noise(20, seed=1)])
    assert_allclose(result.value, expected, rtol=1e-9)
    assert "/real=15 array@" in str(result.protocol)
    protocol = fid.baseline().protocol
    assert protocol.held_out and (protocol.real_samples, protocol.samples) == (15, (20,))
    # Twenty are not left to hold out beside these: nineteen are.
    assert FID(flat, noise(50), samples=20, real_samples=31).protocol().real_samples == 31


def test_real_features_are_extracted_once_when_needed(noise, flat):
    seen = []

    def counted(images):
        seen.append(len(images))
        return flat(images)

    fid = FID(FunctionExtractor(counted, content_hash="v1", batch_size=10), noise(50), samples=20)
    assert not seen
    for _ in range(3):
        fid([noise(20)])
        fid.baseline()
    assert sum(seen) == 50 + 3 * 20


def test_arrays_data_sets_and_pairs_are_alike(noise, flat):
    real, fake = noise(50), [noise(20, seed=1)]
    labels = np.zeros(50, np.int32)
    data = tf.data.Dataset.from_tensor_slices
    sources = {
        "array": real,
        "list": list(real),
        "pair": (real, labels),
        "batches": data(real).batch(7),
        "labelled batches": data((real, labels)).batch(50),
        "unknown length": data(real).filter(lambda image: True).batch(8),
        "in another order": data(real[::-1]).batch(9),
    }
    fid = {name: FID(flat, source, samples=20) for name, source in sources.items()}
    results = {name: score(fake) for name, score in fid.items()}
    values = [result.value for result in results.values()]
    assert_allclose(values, values[0], rtol=1e-10)
    found = {result.protocol.real_images.split("@")[1] for result in results.values()}
    assert len(found) == 1
    for other in (real[:49], np.roll(real, 1, axis=1)):
        protocol = FID(flat, other, samples=20).protocol()
        assert protocol.real_images.split("@")[1] not in found


@pytest.mark.parametrize("count", [1, 2, 3])
def test_too_few_real_images_raise(count, noise, flat_fid):
    with pytest.raises(ValueError, match=f"at least 4 real images. Received: {count}"):
        flat_fid(count)([noise(20)])


def test_empty_data_raise(noise, flat):
    empty = tf.data.Dataset.from_tensor_slices(noise(4)).take(0).batch(2)
    with pytest.raises(ValueError, match="at least 4 real images. Received: 0"):
        FID(flat, empty).baseline()


def test_network_trained_since_raises(noise):
    import keras

    model = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    score = tgs.FID(model, noise(50), samples=20)
    score([noise(20)])
    model.layers[-1].kernel.assign_add(np.ones([4, 2]))
    with pytest.raises(RuntimeError, match="other weights than those that the real images"):
        score([noise(20)])


def test_names_of_data_raise(tmp_path):
    for name in ("digits", tmp_path):
        with pytest.raises(TypeError, match=r"Real images must be .*Use tgs.data.load\('digits'\)"):
            tgs.FID("random", name, samples=4)


SIGMA = np.array([[2.0, 1.0], [1.0, 2.0]])


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"arr_0": np.zeros([4, 2, 2, 1])}, "`mu` and `sigma`. Received: .'arr_0'.. Images of"),
        ({"mu": np.zeros(2)}, "Received: .'mu'."),
        ({"mu": np.zeros(3), "sigma": SIGMA}, r"Received: shapes \[3\] and \[2, 2\]. Obtain"),
        ({"mu": np.zeros([1, 2]), "sigma": SIGMA}, r"Received: shapes \[1, 2\] and \[2, 2\]"),
        ({"mu": np.zeros(0), "sigma": np.zeros([0, 0])}, r"Received: shapes \[0\] and \[0, 0\]"),
        ({"mu": np.zeros(2), "sigma": SIGMA * 1j}, "Received: dtypes float64 and complex128"),
        ({"mu": np.array([0.0, np.nan]), "sigma": SIGMA}, "Received: NaN or infinity"),
        ({"mu": np.zeros(2), "sigma": SIGMA * np.inf}, "Received: NaN or infinity"),
        ({"mu": np.zeros(2), "sigma": np.triu(SIGMA)}, "Received: a covariance that is not symm"),
        ({"mu": np.zeros(2), "sigma": -SIGMA}, "Received: a negative variance"),
    ],
)
def test_wrong_statistics_are_refused(tmp_path, pixels, arrays, message):
    path = tmp_path / "stats.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=f"stats.npz.*{message}"):
        FID(pixels, path, samples=5)


def test_damaged_statistics_are_refused(tmp_path, pixels):
    path = tmp_path / "stats.npz"
    with pytest.raises(FileNotFoundError, match="There is no file .*stats.npz"):
        FID(pixels, path, samples=5)
    np.savez(path, mu=np.zeros(2), sigma=SIGMA)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match="stats.npz"):
        FID(pixels, path, samples=5)


def test_statistics_in_single_precision_are_taken(tmp_path, noise, pixels):
    features = noise(50).reshape(50, -1)
    sigma = np.cov(features, rowvar=False)
    paths = [tmp_path / "single.npz", tmp_path / "double.npz"]
    for path, dtype in zip(paths, (np.float32, np.float64), strict=True):
        np.savez(path, mu=features.mean(axis=0).astype(dtype), sigma=sigma.astype(dtype))
    values = [FID(pixels, path, samples=40)([noise(40, seed=1)]).value for path in paths]
    assert_allclose(values[0], values[1], rtol=1e-5)


@pytest.mark.parametrize("count, samples, limit", [(80, 60, 60), (300, 150, 200), (90, 20, 89)])
def test_held_out_images_come_from_beside_the_limit(count, samples, limit, noise, pixels):
    score = tgs.FID(pixels, noise(count), samples=samples, real_samples=limit)
    assert f"/real={limit} array@" in str(score.protocol())
    assert score.statistics.count == limit
    held_out, reference = score.real_images.rows
    assert min(len(held_out), len(reference)) >= min(samples, limit // 2)
    assert not np.intersect1d(held_out, reference).size


def test_samples_do_not_change_the_reference(noise, pixels):
    few, many = (
        tgs.FID(pixels, noise(300), samples=samples, real_samples=100) for samples in (40, 180)
    )
    np.testing.assert_array_equal(few.real_images.rows[1], many.real_images.rows[1])
    other = tgs.FID(pixels, noise(300), samples=40, real_samples=100, seed=1)
    assert not np.array_equal(other.real_images.rows[1], few.real_images.rows[1])


def test_statistics_are_not_unpickled(tiny, tmp_path, pixels):
    path, hostile = tmp_path / "stats.npz", tiny.pickled(tmp_path / "marker")
    for arrays in ({"mu": hostile}, {"sigma": hostile}, {"extractor": hostile}, {"count": hostile}):
        np.savez(path, **{"mu": np.zeros(2), "sigma": SIGMA, **arrays})
        with pytest.raises(ValueError, match="stats.npz.*it holds Python objects"):
            FID(pixels, path, samples=5)
    assert not (tmp_path / "marker").exists()
