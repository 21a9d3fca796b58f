"""Writing and reading weights, and means over replicas; `tests/contracts` trains on two of them."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from point_gans import make, points

import tfgan_stab as tgs
from tfgan_stab.training import distribution


@pytest.mark.slow
def test_an_optimizer_that_scales_losses_takes_the_steps_of_the_plain_one():
    plain, scaled = make(), make()
    for gan, wrap in ((plain, lambda o: o), (scaled, keras.optimizers.LossScaleOptimizer)):
        gan.compile(
            wrap(keras.optimizers.SGD(0.1)),
            keras.optimizers.SGD(0.1, loss_scale_factor=None if gan is plain else 64.0),
            run_eagerly=gan is plain,
            jit_compile=False,
        )
        gan.fit(points(), batch_size=16, verbose=0)
    for one, other in zip(plain.variables, scaled.variables, strict=False):
        if "seed" not in one.path and one.dtype == "float32":
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-6)


def test_what_is_read_stays_though_the_variable_changes():
    variable = keras.Variable([1.0, 2.0], dtype="float16")
    before = distribution.read([variable])
    distribution.write([variable], [np.array([3.0, 4.0])])
    np.testing.assert_array_equal(before[0], [1.0, 2.0])
    np.testing.assert_array_equal(variable.numpy(), np.array([3.0, 4.0], "float16"))


def test_a_replica_without_rows_counts_nothing_even_if_its_value_is_not_a_number():
    nothing, double = (tf.constant(share, tf.float64) for share in (0.0, 2.0))
    assert float(distribution.weighted(tf.constant(np.nan), nothing)) == 0.0
    assert float(distribution.weighted(tf.constant(1.5), double)) == 3.0
    assert int(distribution.weighted(tf.constant(7), double)) == 7  # Counters advance alike.


def test_a_single_replica_has_all_rows_and_is_the_mean():
    rows, values = tf.ones([5, 2]), (tf.constant(1.5), None)
    assert distribution.num_replicas() == 1 and distribution.replica_number() == 0
    share, total = distribution.rows_of(rows)
    assert share is None and int(total) == 5
    assert distribution.average(values, share) is values
    found, first = distribution.gather(rows)
    assert found is rows and first == 0
    assert distribution.local_devices(tf.distribute.get_strategy()) == []


def test_stored_tensors_come_back_in_their_structure():
    example = tgs.Players([tf.zeros([2]), tf.constant(0, tf.int64)], {"slow": tf.zeros([1, 3])})
    stored = distribution.StoredTensors(example, "memory")
    assert [v.dtype for v in stored.weights] == ["float32", "int64", "float32"]
    stored.write(tf.nest.map_structure(lambda v: v + 3, example))
    found = stored.read()
    tf.nest.assert_same_structure(found, example)
    for value in tf.nest.flatten(found):
        np.testing.assert_array_equal(value, np.full(value.shape, 3))


def test_a_users_data_are_shared_by_rows_unless_the_user_says_how():
    """TensorFlow would deal out files, where it finds some: another order than that of one."""
    policies = tf.data.experimental.AutoShardPolicy
    two = types.SimpleNamespace(num_replicas_in_sync=2)

    def policy(data):
        return distribution.spread(data, two).options().experimental_distribute.auto_shard_policy

    data, options = tf.data.Dataset.range(8), tf.data.Options()
    options.experimental_distribute.auto_shard_policy = policies.FILE
    assert policy(data) == policies.DATA
    assert policy(data.with_options(options)) == policies.FILE
    array = np.zeros([8, 2])
    assert distribution.spread(array, two) is array
    assert distribution.spread(data, tf.distribute.get_strategy()) is data
