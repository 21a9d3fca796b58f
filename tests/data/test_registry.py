import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets

import tfgan_stab as tgs


def test_sets_without_a_place_go_by_their_name():
    digits = tgs.data.load("digits", batch_size=8, seed=2, labels=True)
    expected = next(tgs.data.digits(batch_size=8, seed=2, labels=True).as_numpy_iterator())
    tf.nest.map_structure(np.testing.assert_array_equal, next(digits.as_numpy_iterator()), expected)
    assert tgs.data.load("mixture", modes=25).modes.shape == (25, 2)


def test_files_and_folders_go_by_kind_and_place(tmp_path):
    np.save(tmp_path / "a:b.npy", np.zeros([5, 4, 4, 3], np.uint8))
    assert tgs.data.load(f"arrays:{tmp_path}/a:b.npy", batch_size=2).num_examples == 5
    tf.io.write_file(f"{tmp_path}/c:d/a.png", tf.io.encode_png(np.zeros([4, 4, 3], np.uint8)))
    assert tgs.data.load(f"image_folder:{tmp_path}/c:d", batch_size=1, size=8).num_examples == 1


def test_tfds_sets_go_by_kind_and_name():
    policy = tensorflow_datasets.testing.MockPolicy.USE_CODE
    with tensorflow_datasets.testing.mock_data(num_examples=4, policy=policy):
        assert tgs.data.load("tfds:lsun/bedroom", batch_size=2, size=16).num_examples == 4


@pytest.mark.parametrize(
    "name, message",
    [
        ("digit", r"must be one of \['digits', 'mixture', .*'digit'. Did you mean 'digits'\?"),
        ("tdfs:cifar10", r"Received: 'tdfs:cifar10'. Did you mean 'tfds'\?"),
        ("tfds", r"'tfds:...', 'tfrecords:...'\]. Received: 'tfds'.$"),
        ("tfds:", "Received: 'tfds:'.$"),
        ("nothing like it", "Received: 'nothing like it'.$"),
    ],
)
def test_unknown_names_get_the_nearest(name, message):
    with pytest.raises(ValueError, match=message):
        tgs.data.load(name)


def test_a_set_refuses_settings_that_it_does_not_have():
    with pytest.raises(TypeError, match="unexpected keyword argument 'batchsize'"):
        tgs.data.load("digits", batchsize=3)


def test_importing_the_package_does_not_import_tensorflow():
    program = "import sys, tfgan_stab.cli; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
