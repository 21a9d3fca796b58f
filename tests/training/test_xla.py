"""XLA where the networks allow it, and the reason in words."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.training import xla

layers = keras.layers


def compiled(*extra, **settings):
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    discriminator = keras.Sequential([keras.Input((2,)), *extra, layers.Dense(1)])
    gan = tgs.GAN(generator, discriminator, latents=2)
    gan.compile("sgd", "sgd", **settings)
    return gan


def convolutional(**settings):
    generator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(64),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(1, 3, padding="same"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(2, 3, activation="tanh"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    gan = tgs.GAN(generator, discriminator, latents=3)
    gan.compile("sgd", "sgd", scheme=tgs.Simultaneous(), **settings)
    return gan


class Unsupported(layers.Layer):
    """Says that XLA cannot compile it."""

    def __init__(self):
        super().__init__()
        self.supports_jit = False

    def call(self, inputs):
        return inputs


class PythonInside(layers.Layer):
    """Calls back into Python, which XLA cannot, and does not say so."""

    def call(self, inputs):
        outputs = tf.numpy_function(lambda x: x, [inputs], inputs.dtype)
        return tf.ensure_shape(outputs, inputs.shape)


@pytest.mark.slow
def test_the_step_is_compiled_on_request_and_this_is_shown_before_training(capsys):
    """With batches whose labels are `None`, for which Keras puts in what XLA cannot take."""
    gan = compiled(jit_compile=True)
    assert gan.compilation.scope == "step" and gan.jit_compile
    assert "every operation" in gan.compilation.reason
    batches = [(np.zeros([4, 2], "float32"), None)]
    gan.fit((each for each in batches), steps_per_epoch=1, verbose=2)
    assert "XLA: step (every operation" in capsys.readouterr().out


@pytest.mark.slow
def test_one_field_is_compiled_for_schemes_that_evaluate_it_often():
    gan = compiled(scheme=tgs.RungeKutta(tgs.RK4), jit_compile=True)
    assert gan.compilation.scope == "field" and not gan.jit_compile
    assert "4 evaluations a step" in gan.compilation.reason
    gan.fit(np.zeros([4, 2], "float32"), verbose=0)


@pytest.mark.slow
def test_auto_falls_back_for_a_layer_that_says_it_is_not_supported():
    gan = compiled(Unsupported())
    assert gan.compilation.scope == "off"
    assert "layer 'unsupported" in gan.compilation.reason
    gan.fit(np.zeros([4, 2], "float32"), verbose=0)


@pytest.mark.slow
def test_auto_falls_back_where_an_operation_has_no_compiled_form():
    gan = compiled(PythonInside())
    assert gan.compilation.scope == "off" and not gan.jit_compile
    assert "XLA cannot lower the networks" in gan.compilation.reason
    gan.fit(np.zeros([4, 2], "float32"), verbose=0)


@dataclasses.dataclass(frozen=True)
class Gamma:
    """Latents by an operation that XLA lacks."""

    shape: tuple = (2,)

    def __call__(self, count, seed):
        return tf.random.stateless_gamma([count, 2], seed, alpha=1.0)


@pytest.mark.slow
def test_auto_falls_back_for_latents_that_have_no_compiled_form():
    networks = [keras.Sequential([keras.Input((2,)), layers.Dense(n)]) for n in (2, 2)]
    gan = tgs.GAN(*networks, latents=Gamma())
    gan.compile("sgd", "sgd")
    assert gan.compilation.scope == "off"
    gan.fit(np.zeros([4, 2], "float32"), verbose=0)


@pytest.mark.slow
def test_auto_falls_back_where_only_a_penaltys_derivative_has_no_compiled_form(float64):
    # In double precision XLA has no second derivative of pooling.
    gan = convolutional(penalties=[tgs.GeneratorGradientNorm(0.1)])
    assert gan.compilation.scope == "off" and "XLA cannot lower" in gan.compilation.reason
    gan.fit(np.ones([8, 8, 8, 1]), batch_size=4, verbose=0)
    assert convolutional().compilation.candidate == "step"


def test_compilation_that_is_asked_for_and_impossible_is_refused():
    with pytest.raises(ValueError, match="`jit_compile=True` expects.*layer 'unsupported"):
        compiled(Unsupported(), jit_compile=True)


def test_auto_leaves_replicas_on_cpus_alone_where_nothing_is_compared(monkeypatch):
    networks = [keras.Sequential([keras.Input((2,)), layers.Dense(n)]) for n in (2, 1)]
    arguments = (lambda x: x + 1, [tf.ones([2])], networks, 2, 4, False)
    chosen = xla.choose_compilation("auto", *arguments)
    assert (chosen.scope, chosen.candidate) == ("off", "")
    assert "2 replicas on CPUs: XLA is often the slower one" in chosen.reason
    assert xla.choose_compilation(True, *arguments).scope == "field"
    monkeypatch.setattr(xla, "has_accelerator", lambda: True)
    assert xla.choose_compilation("auto", *arguments).scope == "field"


def test_eager_runs_are_not_compiled():
    assert "run_eagerly" in compiled(run_eagerly=True).compilation.reason


def test_other_values_are_refused():
    with pytest.raises(
        ValueError, match="`jit_compile` must be one of True, False, 'auto'. Received: 'yes'"
    ):
        compiled(jit_compile="yes")


def _key(units=4, strides=None, trainable=True, settings=()):
    layer = layers.Dense(units, kernel_initializer="zeros", trainable=trainable)
    own = Configured(strides or {"height": 1})
    return xla.trial_key([keras.Sequential([keras.Input((2,)), own, layer])], settings, "[4, 2]")


@keras.saving.register_keras_serializable("tests")
class Configured(layers.Layer):
    """A layer whose settings are a dictionary."""

    def __init__(self, strides, **kwargs):
        super().__init__(**kwargs)
        self.strides = strides

    def call(self, inputs):
        return inputs

    def get_config(self):
        return {**super().get_config(), "strides": self.strides}


def test_a_trial_is_remembered_for_the_same_networks_whatever_their_names():
    first = _key()
    assert first == _key()  # Keras has counted the layers' names on.
    others = [_key(5), _key(strides={"height": 2}), _key(trainable=False), _key(settings=[1])]
    assert len({first, *others}) == 5


@pytest.mark.parametrize("interrupted", [False, True])
def test_steps_are_timed_as_many_at_once_as_the_run_takes_in_a_call(interrupted, monkeypatch):
    """One by one, the compiled steps would look slower."""
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])

    def steps(call, each):
        def take(count):
            taken = min(count, 2) if interrupted else count
            clock[0] += call + taken * each
            return taken

        return take

    times = xla.compare(steps(0.0, 0.01), lambda: steps(0.008, 0.005), None, lambda seconds: 10)
    assert times == pytest.approx(
        {"plain": 0.01, "compiled": 0.009 if interrupted else 0.0058, "turns": 8}, abs=1e-12
    )
    assert xla.chosen(times, "step").scope == "step"


def compare_by_turns(monkeypatch, plain, compiled, planned=None):
    """Compares steps whose seconds depend on the turn.

    Args:
        monkeypatch: Replaces the clock.
        plain: Seconds of a step without XLA, as a function of the turn.
        compiled: The same with XLA.
        planned: The run's steps.
    """
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])

    def steps(seconds):
        own = []

        def take(count):
            if count > 1:  # Before the turns, single steps are traced and timed.
                own.append(count)
            clock[0] += count * seconds(len(own))
            return count

        return take

    return xla.compare(steps(plain), lambda: steps(compiled), planned, lambda seconds: 5)


def test_one_lucky_turn_decides_nothing(monkeypatch):
    times = compare_by_turns(
        monkeypatch,
        lambda turn: 0.006 if turn == 3 else 0.010,
        lambda turn: 0.004 if turn == 5 else 0.008,
    )
    assert (times["plain"], times["compiled"]) == pytest.approx((0.010, 0.008))


@pytest.mark.parametrize(
    ("compiled", "planned", "turns"),
    [
        (0.005, None, 8),  # All say the same.
        (0.020, None, 8),
        (0.00951, 2000, 10),  # Not clearly: a twentieth of a run of 20 seconds, 0.0976 a turn.
        (0.00951, None, 103),  # 10 seconds.
        (0.00951, 1_000_000, 103),
    ],
)
def test_a_trial_ends_when_turns_agree_or_its_time_is_over(compiled, planned, turns, monkeypatch):
    doubtful = compiled == 0.00951

    def seconds(turn):
        return compiled * (1.03 if doubtful and turn % 2 else 1.0)

    times = compare_by_turns(monkeypatch, lambda turn: 0.010, seconds, planned)
    assert times["turns"] == pytest.approx(turns, abs=1)


@pytest.mark.parametrize(("turns", "kept"), [(2, False), (3, True)])
def test_what_few_turns_of_a_short_run_say_is_not_kept_for_long_ones(
    turns, kept, monkeypatch, tmp_path
):
    monkeypatch.setenv("TFGAN_STAB_CACHE", str(tmp_path))
    xla.remember("key", {"plain": 2.0, "compiled": 1.0, "turns": turns})
    assert xla.remembered("key") == ({"plain": 2.0, "compiled": 1.0} if kept else None)
