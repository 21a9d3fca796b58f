"""Weights on disk: what was saved comes back, anything else is found out."""

import multiprocessing
import pathlib

import numpy as np
import pytest

from tfgan_stab._utils.files import cache_directory
from tfgan_stab._utils.model_hash import content_hash
from tfgan_stab.evaluation.extractors import digits as weights_cache
from tfgan_stab.evaluation.extractors.digits import DamagedCacheError

WEIGHTS = [np.arange(600, dtype=np.float32).reshape(20, 30), np.array([-0.0, 1e-30], np.float32)]
SHAPES = [(20, 30), (2,)]


@pytest.fixture
def path(tmp_path):
    saved = tmp_path / "new folder" / "weights.npz"
    weights_cache.save_weights(saved, WEIGHTS)
    return saved


def test_weights_come_back_bit_for_bit(path):
    for loaded, saved in zip(weights_cache.load_weights(path, SHAPES), WEIGHTS, strict=True):
        assert loaded.tobytes() == saved.tobytes() and loaded.dtype == saved.dtype


def test_more_than_ten_weights_keep_their_order(tmp_path):
    weights = [np.full(1, index) for index in range(25)]
    weights_cache.save_weights(tmp_path / "w.npz", weights)
    assert np.concatenate(weights_cache.load_weights(tmp_path / "w.npz", [(1,)] * 25)).tolist() == [
        *range(25)
    ]


@pytest.mark.parametrize("kept", [0, 1, 100, 1500, -1])
def test_a_file_cut_short_is_damaged(path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DamagedCacheError, match="cannot be read"):
        weights_cache.load_weights(path, SHAPES)


def test_a_flipped_bit_is_damage(path):
    content = bytearray(path.read_bytes())
    content[400] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedCacheError, match="cannot be read"):
        weights_cache.load_weights(path, SHAPES)


def test_other_weights_under_the_same_hash_are_damage(path):
    archive = dict(np.load(path))
    archive["weight_000"][3, 4] += 1
    np.savez(path, **archive)
    with pytest.raises(DamagedCacheError, match="other weights than its hash"):
        weights_cache.load_weights(path, SHAPES)


def test_an_archive_without_a_hash_is_damage(path):
    np.savez(path, weight_000=WEIGHTS[0])
    with pytest.raises(DamagedCacheError, match="cannot be read.*sha256"):
        weights_cache.load_weights(path, SHAPES)


def test_objects_are_not_unpickled(path):
    np.savez(path, weight_000=np.array([{}], dtype=object), sha256=np.array("0"))
    with pytest.raises(DamagedCacheError, match="cannot be read.*pickle"):
        weights_cache.load_weights(path, SHAPES)


def test_weights_of_another_network_are_refused(path):
    with pytest.raises(DamagedCacheError, match="other shapes"):
        weights_cache.load_weights(path, [(30, 20), (2,)])


def test_no_file_is_not_damage(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        weights_cache.load_weights(tmp_path / "none.npz", SHAPES)


def test_the_hash_sees_values_types_and_shapes():
    hashes = {
        content_hash(weights)
        for weights in (
            [np.zeros(4, np.float32)],
            [np.zeros((2, 2), np.float32)],
            [np.zeros(2, np.float64), np.zeros(0, np.float64)],
            [np.zeros(2, np.float64)],
            [np.array([0, 0, 0, 1], np.float32)],
        )
    }
    assert len(hashes) == 5
    assert content_hash([WEIGHTS[0].T]) == content_hash([WEIGHTS[0].T.copy()])


def _save_many(path, times):
    for _ in range(times):
        weights_cache.save_weights(path, WEIGHTS)


@pytest.mark.slow
def test_readers_find_a_whole_file_while_processes_write(path):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_save_many, args=(path, 50)) for _ in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        weights_cache.load_weights(path, SHAPES)
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_environment_names_the_folder(monkeypatch):
    monkeypatch.setenv("TFGAN_STAB_CACHE", "/some/where")
    assert cache_directory() == pathlib.Path("/some/where")
    monkeypatch.delenv("TFGAN_STAB_CACHE")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_directory() == pathlib.Path("/home/someone/.cache/tfgan_stab")
