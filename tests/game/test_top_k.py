"""Top-k: how k shrinks, which fakes are kept, and the loss of those."""

import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.game import losses, top_k


def naive_k(batch, decay, floor, times):
    k = float(batch)
    for _ in range(times):
        k = max(decay * k, floor)
    return k


@pytest.mark.parametrize(
    ("batch", "decay", "floor", "decays"),
    [(256, 0.99, 0.75, 29), (128, 0.99, 0.5, 69), (128, 0.999, 0.5, 693), (256, 0.99, 192, 29)],
)
def test_k_decays_to_its_floor_as_a_real_number(batch, decay, floor, decays):
    rule = tgs.TopK(decay=decay, floor=floor)
    least = floor if isinstance(floor, int) else floor * batch
    found = [float(rule.k(batch, times)) for times in range(decays + 3)]
    expected = [naive_k(batch, decay, least, times) for times in range(decays + 3)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found[decays - 1] > least and found[decays:] == [least] * 3


@pytest.mark.parametrize("every", ["epoch", 2000])
def test_k_shrinks_by_epochs_or_steps(every):
    rule = tgs.TopK(every=every)
    counted = {
        (steps, epochs): float(rule.times_shrunk(tf.constant(steps), tf.constant(epochs)))
        for steps, epochs in [(0, 0), (1999, 3), (2000, 4), (5999, 5)]
    }
    expected = {"epoch": [0, 3, 4, 5], 2000: [0, 0, 1, 2]}[every]
    assert list(counted.values()) == expected


def test_floor_for_a_smaller_batch():
    share, count = tgs.TopK(floor=0.75), tgs.TopK(floor=192)
    assert [float(rule.k(100, 1000)) for rule in (share, count)] == [75.0, 100.0]
    assert float(count.k(256, 1000)) == 192.0


@pytest.mark.parametrize(("k", "kept"), [(192.0, 192), (191.9999999, 192), (191.9, 191), (0.2, 1)])
def test_k_is_rounded_down_to_at_least_one(k, kept):
    assert int(top_k.rounded(tf.constant(k, tf.float64))) == kept


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7, 0.75, 0.9])
def test_share_of_the_batch_is_rounded_exactly(share):
    for batch in range(10, 1000, 10):
        kept = int(top_k.rounded(tgs.TopK(floor=share).k(batch, 100_000)))
        assert kept == round(share * 1000) * batch // 1000


@pytest.mark.parametrize("kept", [1, 3, 5, 6, 9])
def test_weights_are_batch_over_k_for_the_most_real(kept):
    scores = np.array([0.5, 2.0, -1.0, 2.0, 0.5, 0.5])
    found = top_k.weights(tf.constant(scores), tf.constant(kept)).numpy()
    order = np.argsort(-scores, kind="stable")[:kept]  # Of equal ones the first.
    expected = np.zeros(6)
    expected[order] = 6 / min(kept, 6)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
def test_ties_and_unknown_sizes_in_graph_and_xla(compiled):
    @tf.function(
        jit_compile=compiled, input_signature=[tf.TensorSpec([None]), tf.TensorSpec([], tf.int32)]
    )
    def chosen(scores, kept):
        return top_k.weights(scores, kept)

    random = np.random.RandomState(0)
    for rows, kept in [(7, 3), (64, 33), (1, 1)]:
        scores = random.randint(0, 4, rows).astype("float32")
        expected = np.zeros(rows)
        expected[np.argsort(-scores, kind="stable")[:kept]] = rows / kept
        found = chosen(tf.constant(scores), tf.constant(kept)).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_realness_averages_patches_and_takes_the_losss_sign():
    logits = tf.reshape(tf.constant([1.0, 2.0, 9.0, -8.0, 3.0, 3.0]), [3, 2, 1, 1])
    np.testing.assert_array_equal(top_k.realness(logits, True), [1.5, 0.5, 3.0])
    np.testing.assert_array_equal(top_k.realness(logits, False), [-1.5, -0.5, -3.0])


@pytest.mark.parametrize("shape", [[8], [8, 1], [8, 2, 2, 1]], ids=str)
@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_weighted_loss_is_the_plain_one_of_the_kept_logits(name, shape):
    random = np.random.RandomState(2)
    real, fake = (tf.constant(random.normal(size=shape, scale=2)) for _ in range(2))
    scores = top_k.realness(fake, True)
    for kept in (1, 3, 8):
        weights = top_k.weights(scores, tf.constant(kept))
        rows = np.argsort(-scores.numpy(), kind="stable")[:kept]
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(fake)
            found = losses.LOSSES[name].generator(real, fake, fake_weights=weights)
            compared = tf.gather(real, rows) if name == "relativistic" else real
            expected = losses.LOSSES[name].generator(compared, tf.gather(fake, rows))
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        gradient, wanted = (
            tf.convert_to_tensor(tape.gradient(v, fake)).numpy() for v in (found, expected)
        )
        np.testing.assert_allclose(gradient, wanted, rtol=1e-12)
        dropped = np.delete(gradient, rows, axis=0)
        assert not dropped.any() and gradient[rows].all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decay": 0}, r"`decay` must be a number in \(0, 1\]. Received: 0\."),
        ({"decay": 1.01}, r"`decay` must be a number in \(0, 1\]. Received: 1.01"),
        ({"decay": float("nan")}, r"`decay` must be a number in \(0, 1\]. Received: nan"),
        ({"decay": "slow"}, r"`decay` must be a number in \(0, 1\]. Received: 'slow'"),
        ({"decay": True}, r"`decay` must be a number in \(0, 1\]. Received: True"),
        ({"every": 0}, '`every` must be "epoch" or a number of steps.*Received: 0'),
        ({"every": 2.5}, '`every` must be "epoch" or a number of steps.*Received: 2.5'),
        ({"every": "step"}, "`every` must be \"epoch\" or a number of steps.*Received: 'step'"),
        ({"every": True}, '`every` must be "epoch" or a number of steps.*Received: True'),
        ({"floor": 0}, "`floor` must be a part of the batch.*Received: 0"),
        ({"floor": 0.0}, "`floor` must be a part of the batch.*Received: 0.0"),
        ({"floor": 1.5}, "`floor` must be a part of the batch.*Received: 1.5"),
        ({"floor": -3}, "`floor` must be a part of the batch.*Received: -3"),
        ({"floor": True}, "`floor` must be a part of the batch.*Received: True"),
        ({"floor": "half"}, "`floor` must be a part of the batch.*Received: 'half'"),
        ({"scope": "all"}, "`scope` must be one of 'replica', 'global'. Received: 'all'"),
    ],
    ids=str,
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        tgs.TopK(**settings)
