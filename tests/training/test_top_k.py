"""Top-k as a Keras user meets it: logs, checkpoints, files and reports."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.callbacks.run_log import metadata
from tfgan_stab.game import losses

layers = keras.layers
POINTS = np.random.RandomState(0).normal(size=[20, 2]).astype("float32")


def make(rule, **settings):
    keras.utils.set_random_seed(0)
    generator = keras.Sequential([keras.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(2)])
    discriminator = keras.Sequential([keras.Input((2,)), layers.Dense(4, "tanh"), layers.Dense(1)])
    gan = tgs.GAN(generator, discriminator, latents=3)
    adam = [keras.optimizers.Adam(1e-2, beta_1=0.5) for _ in range(2)]
    gan.compile(*adam, top_k=rule, **{"jit_compile": False, **settings})
    return gan


def weights(gan):
    return [v.numpy() for v in gan.generator.variables + gan.discriminator.variables]


SCHEMES = {
    "simultaneous": tgs.Simultaneous(),
    "alternating": tgs.Alternating(),
    "rk4": tgs.RungeKutta(tgs.RK4),
    "rk4_fresh": tgs.RungeKutta(tgs.RK4, batches="fresh"),
}
# One that the graph's optimizer, left to itself, would step otherwise; and one of a large graph.
COMPILED = {("least_squares", "simultaneous"), ("relativistic_average", "simultaneous")}
QUICK = {("least_squares", "alternating"), ("hinge", "rk4_fresh")}


def marks_of(loss, scheme):
    """Of slow ones each scheme and each loss once; the others exhaustive."""
    if (loss, scheme) in QUICK:
        return []
    losses_in_turn = list(losses.LOSSES)
    turn = list(SCHEMES)[losses_in_turn.index(loss) % len(SCHEMES)]
    return [pytest.mark.slow, *([] if scheme == turn else [pytest.mark.exhaustive])]


def all_kept_and_plain(loss, scheme, rows=8, **settings):
    """The weights after runs that keep all fakes, by a rule and for lack of one."""
    scheme = SCHEMES[scheme]
    data = np.random.RandomState(5).normal(size=[4, scheme.minibatches * rows, 2]).astype("float32")
    gans = [
        make(rule, loss=loss, scheme=scheme, **settings)
        for rule in (tgs.TopK(decay=0.9, every=100), None)
    ]
    for gan in gans:
        gan.fit(tf.data.Dataset.from_tensor_slices(data), verbose=0)
    return map(weights, gans)


@pytest.mark.cases(full=4)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "scheme"),
    [
        pytest.param(loss, scheme, marks=marks_of(loss, scheme))
        for loss in losses.LOSSES
        for scheme in SCHEMES
    ],
)
def test_keeping_all_fake_images_is_the_plain_loss_bit_for_bit(tiny, loss, scheme):
    kept, plain = all_kept_and_plain(loss, scheme)
    assert tiny.same(kept, plain)


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "scheme"),
    [
        pytest.param(*each, marks=[] if each in COMPILED else [pytest.mark.exhaustive])
        for each in itertools.product(losses.LOSSES, ("simultaneous", "alternating"))
    ],
)
def test_xla_steps_no_loss_otherwise_but_the_relativistic_one(tiny, loss, scheme):
    kept, plain = all_kept_and_plain(loss, scheme, rows=7, jit_compile=True)
    if loss != "relativistic_average":
        assert tiny.same(kept, plain)
        return
    for one, other in zip(kept, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4)  # A step is 1e-2.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ("epoch", [(8 + 8 + 4) / 3 * minibatch for minibatch in (1, 0.8, 0.64, 0.6, 0.6)]),
        # Steps 0 1 | 2 3 | 4 5 | ...: the epoch's third batch is a smaller one.
        (2, [(8 + 8 + 4 * 0.8) / 3, (8 * 0.8 + 8 * 0.64 + 4 * 0.64) / 3, (8 + 8 + 4) / 3 * 0.6]),
    ],
    ids=str,
)
def test_logs_show_k_by_epochs_or_steps_and_a_smaller_batch_keeps_its_part(every, expected):
    gan = make(tgs.TopK(decay=0.8, every=every, floor=0.6))
    history = gan.fit(POINTS, batch_size=8, epochs=len(expected), verbose=0).history
    np.testing.assert_allclose(history["top_k"], expected, rtol=1e-6)
    assert {"generator_loss", "discriminator_loss", "top_k"} < set(history)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.compile. begins a new training:UserWarning")
def test_k_goes_on_in_a_second_fit_and_begins_anew_after_compile():
    gan = make(tgs.TopK(decay=0.8, floor=1), run_eagerly=True)
    expected = [8, 6.4, 5.12]
    ks = [gan.fit(POINTS[:8], batch_size=8, verbose=0).history["top_k"][0] for _ in range(3)]
    np.testing.assert_allclose(ks, expected, rtol=1e-6)
    gan.compile("sgd", "sgd", top_k=tgs.TopK(decay=0.8), run_eagerly=True)
    again = gan.fit(POINTS[:8], batch_size=8, verbose=0).history["top_k"]
    np.testing.assert_allclose(again, [8], rtol=1e-6)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_run_killed_inside_an_epoch_goes_on_with_its_k(tiny, tmp_path):
    data = tf.data.Dataset.from_tensor_slices(POINTS[:16].reshape(4, 4, 2))
    rule = tgs.TopK(decay=0.7, floor=1)

    def run(directory, *callbacks):
        gan = make(rule)
        saving = tgs.callbacks.Checkpoint(tmp_path / directory, every=2)
        listed = [saving, *(make_one(gan) for make_one in callbacks)]
        return gan, gan.fit(data, epochs=4, verbose=0, callbacks=listed).history

    whole, history = run("whole")
    np.testing.assert_allclose(history["top_k"], [4 * 0.7**n for n in range(4)], rtol=1e-6)
    for killed in (7, 12):  # Inside the second epoch, and at the end of the third.
        with pytest.raises(tiny.Stop, match="after step"):
            run("killed", lambda gan, killed=killed: tiny.kill(gan, killed))
    resumed, rest = run("killed")
    assert tiny.same(weights(resumed), weights(whole))
    assert (resumed.steps, resumed.epochs) == (16, 4)
    np.testing.assert_allclose(rest["top_k"][-1], history["top_k"][-1], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule",
    [
        tgs.TopK(decay=0.9, every=2, floor=3),
        pytest.param(tgs.TopK(floor=0.75, scope="global"), marks=pytest.mark.exhaustive),
    ],
    ids=repr,
)
def test_a_saved_model_comes_back_with_its_rule_and_its_k(rule, tmp_path):
    gan = make(rule)
    gan.fit(POINTS[:8], batch_size=8, epochs=3, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert loaded.top_k == rule
    found = [own.fit(POINTS[:8], batch_size=8, verbose=0).history["top_k"] for own in (gan, loaded)]
    assert found[0] == found[1]
    for one, other in zip(weights(gan), weights(loaded), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_reports_and_the_first_line_name_the_rule(capsys):
    rule = tgs.TopK(floor=0.75)
    gan = make(rule)
    assert metadata(gan)["top_k"] == repr(rule)
    assert metadata(make(None))["top_k"] is None
    gan.fit(POINTS[:8], batch_size=8, verbose=2)
    printed = capsys.readouterr().out
    assert repr(rule) in printed and "top_k 8" in printed


@pytest.mark.slow
def test_evaluate_uses_all_fake_images():
    gan = make(None)
    data = np.random.RandomState(0).normal(size=[16, 2]).astype("float32")
    found = []
    for rule in (None, tgs.TopK(floor=1, decay=0.01, every=1)):
        gan.compile("sgd", "sgd", top_k=rule, jit_compile=False)
        found.append(gan.evaluate(data, batch_size=16, verbose=0))
    assert found[0] == found[1]


@pytest.mark.parametrize("rule", [0.5, tgs.TopK, "top_k"])
def test_top_k_must_be_a_rule(rule):
    with pytest.raises(TypeError, match=r"`top_k` must be a tgs.TopK\(...\) or None. Received: "):
        make(rule)


def plain_generator(real_logits, fake_logits):
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))


def weighted_generator(real_logits, fake_logits, fake_weights=None):
    return losses.non_saturating_generator_loss(None, fake_logits, fake_weights)


@pytest.mark.slow
def test_own_loss_must_take_fake_weights():
    own = losses.non_saturating_discriminator_loss
    with pytest.raises(ValueError, match="takes `fake_weights`.*plain_generator.*which does not"):
        make(tgs.TopK(), loss=(plain_generator, own))
    data = np.random.RandomState(0).normal(size=[8, 2]).astype("float32")
    found = []
    for loss in ("non_saturating", (weighted_generator, own)):
        gan = make(tgs.TopK(decay=0.5, every=1, floor=3), loss=loss, run_eagerly=True)
        gan.fit(data, batch_size=8, epochs=3, verbose=0)
        found.append([v.numpy() for v in gan.generator.variables])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", ["auto", True])
def test_floor_in_numbers_does_not_exclude_xla(jit_compile):
    gan = make(tgs.TopK(floor=192), jit_compile=jit_compile)
    assert "step" in (gan.compilation.scope, gan.compilation.candidate)
