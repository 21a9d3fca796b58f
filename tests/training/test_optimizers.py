"""Schedules count steps, and are saved as what the user gave."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from point_gans import make, points

import tfgan_stab as tgs
from tfgan_stab.training.optimizers import ByStep, check_optimizers, slow_down


class Mine(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that Keras has not been told of."""

    def __call__(self, step):
        return 0.1 / (1.0 + keras.ops.cast(step, "float32"))

    def get_config(self):
        return {}


def compiled(tiny, rate, scheme=None, optimizer=keras.optimizers.SGD, **settings):
    gan = tgs.GAN(*tiny.image_networks(), latents=3)
    settings = {"jit_compile": False, **settings}
    gan.compile(optimizer(rate), optimizer(1e-3), scheme=scheme, **settings)
    return gan


def train(gan, steps=3):
    gan.fit(tgs.data.digits(batch_size=8), epochs=1, steps_per_epoch=steps, verbose=0)
    return gan


@pytest.mark.slow
def test_a_schedule_is_asked_about_the_step_and_saved_as_it_was(tiny, tmp_path):
    decay = keras.optimizers.schedules.PolynomialDecay(0.1, 10, 0.0)
    gan = train(compiled(tiny, decay, tgs.Extragradient()))
    assert float(gan.generator_optimizer.learning_rate) == pytest.approx(0.07)
    assert int(gan.generator_optimizer.iterations.numpy()) == 6
    gan.save(tmp_path / "gan.keras")
    again = keras.models.load_model(tmp_path / "gan.keras")
    assert float(again.generator_optimizer.learning_rate) == pytest.approx(0.07)
    config = again.generator_optimizer.get_config()["learning_rate"]
    restored = keras.saving.deserialize_keras_object(config)
    assert type(restored) is keras.optimizers.schedules.PolynomialDecay
    assert isinstance(gan.generator_optimizer._learning_rate, ByStep)


@pytest.mark.slow
def test_optimizers_for_trial_steps_share_a_schedule_that_keras_does_not_know(tiny):
    gan = train(compiled(tiny, Mine(), tgs.Extragradient(state="separate"), run_eagerly=True))
    for optimizers in (gan.optimizers, gan.optimizers_for_extrapolation):
        assert float(optimizers.generator.learning_rate) == pytest.approx(0.1 / 4)


def test_a_rate_that_is_set_later_holds_for_trial_steps_too(tiny):
    gan = compiled(tiny, 0.1, tgs.Extragradient(state="separate"))
    gan.generator_optimizer.learning_rate = 0.5
    assert float(gan.optimizers_for_extrapolation.generator.learning_rate) == pytest.approx(0.5)


@pytest.mark.parametrize("state", ["shared", "separate"])
@pytest.mark.parametrize("scales_losses", [False, True])
def test_slowing_down_multiplies_each_rate_once(tiny, state, scales_losses):
    def optimizer(rate):
        plain = keras.optimizers.SGD(rate)
        return keras.optimizers.LossScaleOptimizer(plain) if scales_losses else plain

    decay = keras.optimizers.schedules.PolynomialDecay(0.1, 10, 0.0)
    gan = compiled(tiny, decay, tgs.Extragradient(state=state), optimizer)
    optimizers = [*gan.optimizers, *gan.optimizers_for_extrapolation]
    for times in (1, 2):
        slow_down(optimizers, 0.5)
        rates = [float(tf.convert_to_tensor(each.learning_rate)) for each in optimizers]
        assert rates == pytest.approx([0.1 * 0.5**times, 1e-3 * 0.5**times] * 2)


@pytest.mark.slow
def test_optimizers_for_trial_steps_spare_the_same_weights_from_decay(tiny):
    def optimizer(rate):
        made = keras.optimizers.AdamW(rate, weight_decay=0.1)
        made.exclude_from_weight_decay(var_names=["bias"])
        return made

    scheme = tgs.Extragradient(state="separate")
    gan = train(compiled(tiny, 0.0, scheme, optimizer, run_eagerly=True))
    for own, other in zip(gan.optimizers, gan.optimizers_for_extrapolation, strict=True):
        assert other._exclude_from_weight_decay_pattern == own._exclude_from_weight_decay_pattern
        for variable in own._trainable_variables:
            assert own._use_weight_decay(variable) == other._use_weight_decay(variable)


@pytest.mark.slow
def test_optimizers_that_scale_losses_are_copied_with_what_they_wrap(tiny):
    def optimizer(rate):
        return keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(rate), initial_scale=8.0)

    decay = keras.optimizers.schedules.PolynomialDecay(0.1, 10, 0.0)
    scheme = tgs.Extragradient(state="separate")
    gan = train(compiled(tiny, decay, scheme, optimizer, run_eagerly=True))
    for optimizers in (gan.optimizers, gan.optimizers_for_extrapolation):
        assert float(optimizers.generator.learning_rate) == pytest.approx(0.07)
        assert optimizers.generator.initial_scale == 8.0


@pytest.mark.exhaustive
@pytest.mark.slow
def test_optimizers_of_every_kind_train():
    for name in ("SGD", "RMSprop", "Adagrad", "AdamW", "Lion", "Nadam"):
        gan = make()
        kind = getattr(keras.optimizers, name)
        gan.compile(kind(1e-3, clipnorm=1.0), kind(1e-3, weight_decay=1e-3), jit_compile=False)
        before = [v.numpy() for v in gan.generator.trainable_variables]
        gan.fit(points(), batch_size=16, verbose=0)
        after = gan.generator.trainable_variables
        assert all(np.isfinite(v.numpy()).all() for v in after), name
        assert any(np.any(b != a.numpy()) for b, a in zip(before, after, strict=True)), name


def test_optimizers_that_average_by_themselves_are_refused():
    with pytest.raises(ValueError, match=r"use_ema=True. Write compile\(..., averages="):
        make().compile(keras.optimizers.Adam(use_ema=True), "adam")


@pytest.mark.parametrize("name", ["adamm", {"class_name": "x"}])
def test_unknown_optimizers_are_refused_with_the_players_name(name):
    with pytest.raises(ValueError, match="`discriminator_optimizer` must be an optimizer"):
        make().compile("adam", name)


def test_one_optimizer_for_both_players_is_refused():
    gan = make()
    shared = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="Each player needs an optimizer of its own"):
        gan.compile(shared, shared)


def test_a_used_optimizer_is_refused():
    gan = make()
    with pytest.raises(ValueError, match="`generator_optimizer` must be new"):
        gan.compile(gan.generator_optimizer, "adam")


def test_optimizers_that_gather_gradients_over_calls_are_refused(tiny):
    gan = tgs.GAN(*tiny.image_networks(), latents=3)
    gathering = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    with pytest.raises(ValueError, match="must update at each call.*gradient_accumulation_steps=2"):
        gan.compile("sgd", gathering)


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -1e-3])
def test_learning_rates_that_are_none_are_refused(tiny, rate):
    gan = tgs.GAN(*tiny.image_networks(), latents=3)
    with pytest.raises(ValueError, match="`discriminator_optimizer` must have a finite learning"):
        gan.compile("sgd", keras.optimizers.SGD(rate))
    schedule = keras.optimizers.schedules.ExponentialDecay(rate, 10, 0.9)
    with pytest.raises(ValueError, match="`generator_optimizer` must have a finite learning rate"):
        gan.compile(keras.optimizers.SGD(schedule), "sgd")


def test_what_is_no_optimizer_is_refused():
    with pytest.raises(TypeError, match="`generator_optimizer` must be an optimizer"):
        make().compile(None, "adam")


def test_optimizers_made_outside_of_the_strategy_are_made_again_inside():
    rate = keras.optimizers.schedules.PolynomialDecay(0.5, 10)
    given = [keras.optimizers.SGD(rate, momentum=0.25), keras.optimizers.Adam(0.5, beta_1=0.25)]
    same = check_optimizers(*given)
    assert all(one is two for one, two in zip(same, given, strict=True))
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    with strategy.scope():
        made = check_optimizers(*given)
    for mine, other in zip(made, given, strict=True):
        assert mine is not other and mine._distribution_strategy is strategy
        assert mine.get_config() == other.get_config()
    assert made.generator._learning_rate is rate
