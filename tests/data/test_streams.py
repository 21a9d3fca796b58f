"""The order of a stream: every example once an epoch, as if shuffled, by the seed alone."""

import numpy as np
import pytest
import tensorflow as tf
from numbered_points import numbered, order

import tfgan_stab as tgs
from tfgan_stab.data.streams import Share, reason_of


def test_workers_share_each_batch_and_threads_keep_the_order():
    options = tgs.data.digits().options()
    assert options.deterministic
    policy = options.experimental_distribute.auto_shard_policy
    assert policy == tf.data.experimental.AutoShardPolicy.DATA


@pytest.mark.parametrize("count, batch_size", [(12, 4), (10, 4), (7, 7), (5, 1), (1, 1)])
def test_every_epoch_shows_each_example_once(count, batch_size):
    numbers = order(numbered(count, batch_size, seed=4), -(-6 * count // batch_size))
    for epoch in range(6):
        shown = numbers[epoch * count : (epoch + 1) * count]
        assert sorted(shown) == list(range(count))


def test_epochs_differ():
    epochs = order(numbered(50, 50), 20).reshape(20, 50)
    assert len({tuple(epoch) for epoch in epochs}) == 20


def test_an_epoch_is_as_irregular_as_a_shuffle():
    # Of 1,000 positions about 2 hold a neighbor's successor or predecessor (Poisson: 12 is past
    # six sigmas), and the rank correlation with any other epoch is about 1 / sqrt(1000).
    epochs = order(numbered(1000, 1000, seed=0), 20).reshape(20, 1000)
    neighbors = (np.abs(np.diff(epochs, axis=1)) == 1).sum(axis=1)
    assert neighbors.max() <= 12
    correlations = np.corrcoef(np.vstack([np.arange(1000), epochs])) - np.eye(21)
    assert np.abs(correlations).max() < 6 / np.sqrt(1000)


def test_all_seeds_up_to_63_bits_work():
    assert sorted(order(numbered(10, 5, seed=2**63 - 1), 2)) == list(range(10))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            "{{function_node __wrapped__ReadFile}} a.png; No such file [Op:ReadFile]",
            "a.png; No such file",
        ),
        ("ValueError: no picture. \n\nTraceback (most recent call last):\n  line 1", "no picture"),
        ("Unknown image format.", "Unknown image format"),
    ],
)
def test_reason_is_what_an_error_says_without_its_place(message, reason):
    assert reason_of(ValueError(message)) == reason


def test_shares_of_processes_make_up_the_whole():
    whole = Share(first=7, minibatch=6, minibatches=2)
    parts = [Share(7, 6, 2, process, 3) for process in range(3)]
    steps = np.stack(list(whole.numbers().take(2).as_numpy_iterator()))
    assert steps.ravel().tolist() == list(range(7, 31))
    for process, part in enumerate(parts):
        own = np.stack(list(part.numbers().take(2).as_numpy_iterator()))
        expected = steps.reshape(2, 2, 3, 2)[:, :, process].reshape(2, 4)
        assert own.tolist() == expected.tolist() and part.count == 4
        assert steps[part.holds(steps)].tolist() == expected.ravel().tolist()
