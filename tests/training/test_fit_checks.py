"""What `fit` refuses before it trains, and what it says."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from point_gans import make, points
from recorder import Recorder, Resumed, numbered

import tfgan_stab as tgs
from tfgan_stab.game.players import Players
from tfgan_stab.training.fit_checks import check_networks, in_order
from tfgan_stab.training.resume import Progress

layers = keras.layers


@pytest.mark.slow
def test_evaluating_an_endless_data_set_takes_one_pass():
    shape = (1, 2, 1)
    gan = tgs.GAN(
        keras.Sequential([keras.Input((2,)), layers.Dense(2), layers.Reshape(shape)]),
        keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(1)]),
        latents=2,
    )
    gan.compile("sgd", "sgd", jit_compile=False)
    data = tgs.data.arrays(-np.ones([50, *shape], "float32"), batch_size=16)
    gan.evaluate(data, verbose=0)
    assert int(gan.loss_means.generator.count) == 3  # 50 // 16
    history = gan.fit(data, validation_data=data, verbose=0).history
    assert np.isfinite(history["val_discriminator_loss"]).all()
    endless = tgs.data.mixture(batch_size=16)
    with pytest.raises(ValueError, match="`steps` is needed: .*mixture.*without end"):
        gan.evaluate(endless)
    with pytest.raises(ValueError, match="`steps_per_epoch` is needed"):
        gan.fit(endless)


def test_arrays_are_checked_before_anything_is_trained(image_gan):
    for wrong, message in ((np.nan, "NaN or infinity"), (200.0, "200")):
        with pytest.raises(ValueError, match=message):
            image_gan.fit(np.full([16, 8, 8, 1], wrong, "float32"), verbose=0)
    assert image_gan.steps == 0


def test_arrays_that_leave_a_last_batch_that_does_not_divide_are_refused():
    gan = make(scheme=tgs.Alternating(2))
    with pytest.raises(ValueError, match="arrays whose last batch has 3 rows"):
        gan.fit(points(99), batch_size=32, verbose=0)
    with pytest.raises(ValueError, match="batch_size=31"):
        gan.fit(points(62), batch_size=31, verbose=0)


@pytest.mark.parametrize(
    "callback",
    [
        keras.callbacks.LearningRateScheduler(lambda epoch: 0.1),
        keras.callbacks.ReduceLROnPlateau(),
    ],
)
def test_callbacks_that_set_one_learning_rate_are_refused_with_what_to_use(callback):
    with pytest.raises(ValueError, match="A GAN has two optimizers.*CosineDecay"):
        make().fit(points(), callbacks=[callback], verbose=0)


def test_callbacks_of_one_optimizer_and_files_of_keras_2_are_refused(tmp_path):
    kinds = keras.callbacks
    message = r"averages=\{'ema': .*tgs.callbacks.SwapWeights\('ema'\)"
    with pytest.raises(ValueError, match=message):
        in_order(kinds.SwapEMAWeights())
    with pytest.raises(ValueError, match="ends in `.keras`. Received: 'best.h5'"):
        in_order([kinds.ModelCheckpoint("best.h5")])
    kept = [
        kinds.ModelCheckpoint("best.keras"),
        kinds.ModelCheckpoint("best.weights.h5", save_weights_only=True),
    ]
    assert in_order(kept) == kept


@pytest.mark.slow
@pytest.mark.parametrize("player", [0, 1])
def test_keras_terminates_on_nan(tiny, player, capsys):
    gan = tgs.GAN(*tiny.perceptrons(), latents=3)  # Without ReLU, which makes 0 of NaN.
    gan.compile("sgd", "sgd", jit_compile=False)
    data = tf.data.Dataset.from_tensor_slices(points(64)).batch(8)
    spoil = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: spoiled(epoch))

    def spoiled(epoch):
        if epoch == 1:
            variable = gan.networks[player].trainable_variables[0]
            variable.assign(np.full(variable.shape, np.nan))

    stop = keras.callbacks.TerminateOnNaN()
    history = gan.fit(data, epochs=4, callbacks=[stop, spoil], verbose=0)
    assert len(history.epoch) == 2 and gan.steps == 9
    assert "Invalid loss, terminating training" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="NaN or Inf loss encountered at batch 0"):
        gan.fit(data, callbacks=keras.callbacks.TerminateOnNaN(raise_error=True), verbose=0)


def test_checkpoints_are_called_last_wherever_they_stand():
    order = []

    class First(Resumed):
        def on_epoch_end(self, epoch, logs=None):
            order.append("checkpoint")

    class Other(keras.callbacks.Callback):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def on_epoch_end(self, epoch, logs=None):
            order.append(self.name)

    for progress in (None, Progress(0, 1)):
        order.clear()
        Recorder().fit(numbered(3), callbacks=[First(progress), Other("a"), Other("b")])
        assert order == ["a", "b", "checkpoint"]


def test_a_guard_is_called_first_wherever_it_stands():
    order = []

    class Guard(keras.callbacks.Callback):
        diagnostics = None

        def begin(self, monitor, step, progress, ordered):
            order.append((progress, ordered))

        def on_epoch_end(self, epoch, logs=None):
            order.append("guard")

    other = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: order.append("other"))
    Recorder().fit(numbered(3), callbacks=[Resumed(Progress(0, 1)), other, Guard()])
    assert order == [(Progress(0, 1), True), "guard", "other"]


@pytest.mark.slow
def test_scores_are_in_the_logs_of_other_callbacks_in_any_order(tiny, image_gan):
    score = tgs.callbacks.Evaluate(tiny.MeanScore())
    found = []
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: found.append(dict(logs)))
    stop = keras.callbacks.EarlyStopping("mean", min_delta=1e9, patience=0, mode="min")
    guard = tgs.callbacks.DivergenceGuard()
    order = in_order([note, stop, score, guard])
    assert order == [guard, score, note, stop]
    history = image_gan.fit(
        tiny.images(), epochs=4, steps_per_epoch=1, callbacks=[note, stop, score], verbose=0
    )
    assert len(history.epoch) == len(found) == 2
    assert [logs["mean"] for logs in found] == history.history["mean"]


def test_a_single_callback_needs_no_list():
    recorder, resumed = Recorder(), Resumed(Progress(0, 2), 2)
    recorder.fit(numbered(3), callbacks=resumed)
    assert recorder.batches == [[2.0, 2.0]]


def test_endless_examples_need_a_length_of_an_epoch():
    message = "`steps_per_epoch` is needed: .*mixture.* makes up examples without end"
    with pytest.raises(ValueError, match=message):
        Recorder().fit(tgs.data.mixture(batch_size=4))


def test_a_headline_tells_scheme_cost_and_compilation(capsys):
    Recorder().fit(numbered(2), verbose=2)
    printed = capsys.readouterr().out
    assert printed.startswith("GAN: namespace(")
    assert "field evaluations per step: 2\nXLA: off (of no use here); replicas: 1, prec" in printed
    Recorder().fit(numbered(2), verbose=0)
    assert capsys.readouterr().out == ""
    gan = Recorder()
    gan.penalties = (tgs.Consensus(0.5),)
    gan.fit(numbered(2), verbose=2)
    assert "step: 2\nPenalties: Consensus(weight=0.5)\nXLA" in capsys.readouterr().out


def test_averages_that_a_training_is_too_short_for_are_named(capsys):
    gan = Recorder()
    gan.averages = {
        "ema": tgs.ExponentialAverage(0.5),
        "slow": tgs.ExponentialAverage(0.99, at="sync"),
    }
    gan.average_periods = {"ema": 1, "slow": 2}
    gan.fit(numbered(2), epochs=3, verbose=2)
    printed = capsys.readouterr().out
    assert "Average 'slow' will still be 97% initial weights after 3 updates (6 steps)" in printed
    assert "'ema'" not in printed


@pytest.mark.slow
def test_classes_out_of_range_are_refused(conditional):
    with pytest.raises(ValueError, match="from 0 to 3. Received: 0 to 4"):
        conditional.fit(points(8), np.arange(8) % 5, verbose=0)


@pytest.mark.cases(full=4)
@pytest.mark.slow
@pytest.mark.parametrize(
    "scheme",
    [pytest.param(tgs.Simultaneous(), marks=pytest.mark.exhaustive), tgs.Alternating(2)],
    ids=repr,
)
@pytest.mark.parametrize("kind", ["array", "known", "unknown", "ours", "generator", "one batch"])
def test_floor_above_the_batch(kind, scheme):
    rule = tgs.TopK(floor=9)
    rows = scheme.minibatches * 8
    points = np.zeros([2 * rows, 2], "float32")
    data, settings = {
        "array": (points, {"batch_size": rows}),
        "known": (tf.data.Dataset.from_tensor_slices(points.reshape(2, rows, 2)), {}),
        "unknown": (tf.data.Dataset.from_tensor_slices(points).batch(rows), {}),
        "ours": (tgs.data.mixture(batch_size=8), {"steps_per_epoch": 2}),
        "generator": (
            ((points[:rows],) for _ in range(2)),
            {"steps_per_epoch": 2, "shuffle": False},
        ),
        "one batch": (points[:rows], {"batch_size": 100}),
    }[kind]
    gan = make(top_k=rule, scheme=scheme)
    with pytest.raises(ValueError, match="`floor` must be at most the batch, 8 fakes.*Received: 9"):
        gan.fit(data, verbose=0, **settings)
    assert gan.steps == (kind in ("unknown", "generator"))


@pytest.mark.cases(full=1)
@pytest.mark.slow
@pytest.mark.parametrize("calls", [1, 3])
@pytest.mark.parametrize("kind", ["array", "unknown"])
def test_floor_above_the_last_smaller_batch_only(kind, calls):
    points = np.zeros([2 * 8 + 3, 2], "float32")
    gan = make(top_k=tgs.TopK(floor=8), steps_per_execution=calls)
    if kind == "array":
        gan.fit(points, batch_size=8, verbose=0)
    else:
        gan.fit(tf.data.Dataset.from_tensor_slices(points).batch(8), verbose=0)
    assert gan.steps == 3


class TwoArguments(keras.Model):
    def call(self, z, labels, training=False):
        return z


def test_networks_that_take_latents_and_labels_apart_are_told_how_to():
    generator, discriminator = make().networks
    check_networks(Players(generator, discriminator))
    message = r"one list: def call\(self, inputs\): z, labels = inputs. Received: call\(self, z"
    with pytest.raises(TypeError, match=message):
        tgs.GAN(TwoArguments(), discriminator, latents=3, num_classes=4)


def test_networks_of_keras_2_are_refused_by_name():
    old = type("Sequential", (), {"__module__": "tf_keras.src.engine.sequential"})
    with pytest.raises(TypeError, match="`discriminator` must be a model of Keras 3.*tf_keras"):
        tgs.GAN(make().generator, old(), latents=3)


@pytest.mark.cases(fast=3)
@pytest.mark.parametrize(
    ("argument", "answer"),
    [
        ("d_optimizer", "discriminator_optimizer="),
        ("g_optimizer", "generator_optimizer="),
        ("generator_optimiser", "generator_optimizer="),
        ("optimizer", "generator_optimizer=... and discriminator_optimizer="),
        ("loss_fn", "loss='non_saturating'"),
        ("metrics", r"fit\(.*tgs.callbacks.Evaluate"),
        ("latent_dim", r"latents=... in GAN\("),
        ("n_critic", r"scheme=tgs.Alternating\(discriminator_steps=5\)"),
    ],
)
def test_arguments_of_other_programs_are_answered(argument, answer):
    with pytest.raises(TypeError, match=f"`compile` takes .*{argument}=.*Write {answer}"):
        make().compile(**{argument: "adam"})


def test_arguments_of_other_gans_are_answered():
    for argument, answer in (("latent_dim", "latents=128"), ("n_classes", "num_classes=10")):
        with pytest.raises(TypeError, match=f"`GAN` takes .*{argument}=3. Write {answer}"):
            tgs.GAN(*make().networks, **{argument: 3})


@pytest.mark.parametrize("settings", [{"steps_per_epoch": 64 / 16}, {"batch_size": 64 / 4}])
def test_numbers_that_were_divided_are_refused_by_name(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=f"`{name}` must be an integer.*Use // instead of /"):
        make().fit(points(), verbose=0, **settings)
