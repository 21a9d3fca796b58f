"""Every rule, through `fit`, against sums written out in NumPy."""

import dataclasses

import keras
import numpy as np
import pytest

import tfgan_stab as tgs

pytestmark = pytest.mark.slow  # Nearly all wait for one run with all averages.

layers = keras.layers
PERIOD, SIZES = 2, [8, 8, 4]  # Lookahead's period; the images of each step of an epoch.
Exponential, Uniform = tgs.ExponentialAverage, tgs.UniformAverage


@dataclasses.dataclass(frozen=True)
class ThreeQuarters(tgs.Average):
    """The simplest rule a user may write."""

    def weight_of_point(self, point):
        return 0.25


@dataclasses.dataclass(frozen=True)
class SlowerEachStep(tgs.Average):
    """A user's rule that asks for the step."""

    def weight_of_point(self, point):
        return 1 / point.step


@dataclasses.dataclass(frozen=True)
class SinceTheFourth(tgs.Average):
    """A user's rule that starts late by itself and asks for its points."""

    start: int = 3

    def weight_of_point(self, point):
        return 2 / (1 + point.number)


RULES = {
    "plain": Exponential(0.75),
    "none": Exponential(0.0),
    "late": Exponential(0.75, start=3),
    "unbiased": Exponential(0.75, warmup="unbiased"),
    "late_unbiased": Exponential(0.75, warmup="unbiased", start=4),
    "steps": Exponential(half_life=3.0),
    "steps_unbiased": Exponential(half_life=3.0, warmup="unbiased"),
    "images": Exponential(half_life=20, unit="images"),
    "images_unbiased": Exponential(half_life=20, unit="images", warmup="unbiased", start=2),
    "sync": Exponential(0.75, at="sync"),
    "sync_unbiased": Exponential(0.75, at="sync", warmup="unbiased"),
    "sync_late": Exponential(0.75, at="sync", start=3),
    "sync_steps": Exponential(half_life=3.0, at="sync", start=3),
    "sync_images": Exponential(half_life=20, unit="images", at="sync", warmup="unbiased"),
    "mean": Uniform(),
    "mean_late": Uniform(start=4),
    "mean_sync": Uniform(start=3, at="sync"),
    "never": Uniform(start=99),
    "copied": Exponential(0.75, batch_statistics="copy"),
    "mean_copied": Uniform(start=1, batch_statistics="copy"),
    "both": Exponential(0.75, discriminator=True),
    "mean_both": Uniform(discriminator=True, batch_statistics="copy"),
    "users": ThreeQuarters(),
    "users_late": SlowerEachStep(start=3),
    "users_points": SinceTheFourth(),
}


def networks(dropout=0.2):
    generator = keras.Sequential(
        [
            keras.Input((3,)),
            tgs.networks.SpectralNormalization(layers.Dense(6)),
            layers.BatchNormalization(momentum=0.5),
            layers.Dropout(dropout, seed=1),
            layers.Dense(2),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(5),
            layers.BatchNormalization(momentum=0.5),
            layers.Dropout(dropout, seed=2),
            layers.Dense(1),
        ]
    )
    return generator, discriminator


@pytest.fixture(scope="module")
def run(tiny):
    """A trained GAN with all these averages, and its weights after each step."""
    keras.utils.set_random_seed(3)
    gan = tgs.GAN(*networks(), latents=3)
    gan.compile(
        keras.optimizers.Adam(0.05),
        keras.optimizers.Adam(0.05),
        scheme=tgs.Lookahead(tgs.Alternating(), sync_period=PERIOD),
        averages=RULES,
        run_eagerly=True,
        jit_compile=False,
    )
    recorded = [numbers(gan)]
    trace = tiny.Trace(lambda hook: recorded.append(numbers(gan)), "on_train_batch_end")
    data = np.random.RandomState(0).normal(size=[sum(SIZES), 2]).astype("float32")
    gan.fit(data, batch_size=8, epochs=3, shuffle=False, callbacks=[trace], verbose=0)
    return gan, recorded


def numbers(gan):
    return [v.numpy() for v in [*gan.generator.variables, *gan.discriminator.variables]]


def shares(rule, steps):
    """How much the weights after each step count, those before the first included."""
    images = (SIZES * steps)[:steps]
    start, waits = rule.start, rule.at == "sync"
    taken = [r for r in range(start + 1, steps + 1) if not waits or r % PERIOD == 0]
    found = np.zeros(steps + 1)
    if not taken:
        found[min(start, steps)] = 1.0
        return found
    if isinstance(rule, Uniform):
        found[taken] = 1 / len(taken)
        return found
    if isinstance(rule, SinceTheFourth):  # Weights 1, 2, 3, ...
        found[taken] = np.arange(1, len(taken) + 1) / np.arange(1, len(taken) + 1).sum()
        return found
    kept = []
    for before, this in zip([start, *taken[:-1]], taken, strict=True):
        if isinstance(rule, SlowerEachStep):
            kept.append(1 - 1 / this)
        elif isinstance(rule, ThreeQuarters) or rule.half_life is None:
            kept.append(0.75 if isinstance(rule, ThreeQuarters) else rule.decay)
        else:
            age = this - before if rule.unit == "steps" else sum(images[before:this])
            kept.append(0.5 ** (age / rule.half_life))
    for i, this in enumerate(taken):
        found[this] = (1 - kept[i]) * np.prod(kept[i + 1 :])
    if getattr(rule, "warmup", "copy") == "unbiased":
        return found / found.sum()
    found[start] = np.prod(kept)
    return found


@pytest.mark.parametrize("name", RULES)
def test_an_average_is_the_sum_that_its_rule_stands_for(run, name):
    gan, recorded = run
    rule, own = RULES[name], gan._averages[name].averages
    variables = [*gan.generator.variables, *gan.discriminator.variables]
    both = rule.discriminator
    assert len(own) == (len(variables) if both else len(gan.generator.variables))
    share = shares(rule, len(recorded) - 1)
    assert share.sum() == pytest.approx(1)
    copies = rule.batch_statistics == "copy"
    waits = rule.at == "sync"
    latest = (len(recorded) - 1) // PERIOD * PERIOD if waits and share[-1] != 1 else -1
    for i, (variable, mine) in enumerate(zip(variables, own, strict=False)):
        history = [weights[i] for weights in recorded]
        is_state = any(word in variable.path for word in ("seed", "/vector"))
        if is_state or (copies and "moving" in variable.path):
            np.testing.assert_array_equal(mine.numpy(), history[latest], err_msg=variable.path)
            continue
        expected = np.tensordot(share, np.array(history, np.float64), axes=1)
        np.testing.assert_allclose(mine.numpy(), expected, 1e-5, 1e-6, err_msg=variable.path)


def test_the_run_has_all_that_averages_may_treat_differently(run):
    gan, recorded = run
    paths = " ".join(v.path for v in gan.generator.variables)
    for word in ("moving_mean", "moving_variance", "/vector", "seed", "kernel"):
        assert word in paths
    assert gan.steps == len(recorded) - 1 == 9
    assert gan.images_seen == 3 * sum(SIZES)
    for values in zip(*recorded, strict=True):
        assert np.any(values[0] != values[-1])


def test_swapping_puts_in_the_discriminator_too_where_it_is_averaged(run):
    gan, _ = run
    live = numbers(gan)
    count = len(gan.generator.variables)
    losses = {}
    for name in ("both", "plain", "mean_both", "live"):
        with gan.using(name):
            held = numbers(gan)
            losses[name] = gan.evaluate(np.ones([8, 2], "float32"), verbose=0)
            if name != "live":
                own = [v.numpy() for v in gan._averages[name].averages]
                expected = [*own, *live[len(own) :]]
                for mine, theirs in zip(held, expected, strict=True):
                    np.testing.assert_array_equal(mine, theirs.astype(mine.dtype))
            if name == "both":
                with gan.using("plain"):
                    inner = numbers(gan)
                assert all(map(np.array_equal, inner[count:], live[count:]))
                assert all(map(np.array_equal, numbers(gan), held))
    for mine, theirs in zip(numbers(gan), live, strict=True):
        assert mine.tobytes() == theirs.tobytes()
    assert len({tuple(found) for found in losses.values()}) == 4


def test_a_saved_model_remembers_its_averages_and_how_they_go_on(run, tmp_path):
    gan, _ = run
    gan.save_weights(tmp_path / "all.weights.h5")
    again = tgs.GAN(*networks(), latents=3)
    again.compile("adam", "adam", scheme=gan.scheme, averages=RULES, jit_compile=False)
    again.load_weights(tmp_path / "all.weights.h5")
    for name in RULES:
        for one, other in zip(
            gan._averages[name].weights, again._averages[name].weights, strict=True
        ):
            np.testing.assert_array_equal(one.numpy(), other.numpy())
    for rule in RULES.values():
        written = keras.saving.serialize_keras_object(rule)
        assert keras.saving.deserialize_keras_object(written) == rule


COMPILED = ("late_unbiased", "sync_images", "mean_sync", "both")
MORE = ("users", "mean_late")


@pytest.mark.parametrize(
    ("compiled", "names"),
    [
        pytest.param(False, (*COMPILED, *MORE), marks=pytest.mark.exhaustive, id="graph"),
        pytest.param(True, COMPILED, id="XLA"),
        pytest.param(True, MORE, marks=pytest.mark.exhaustive, id="XLA, more"),
    ],
)
def test_a_compiled_step_averages_as_an_eager_one(run, compiled, names):
    found = []
    for settings in ({"run_eagerly": True, "jit_compile": False}, {"jit_compile": compiled}):
        keras.utils.set_random_seed(3)
        gan = tgs.GAN(*networks(dropout=0.0), latents=3)  # XLA drops others.
        averages = {name: RULES[name] for name in names}
        gan.compile("sgd", "sgd", scheme=run[0].scheme, averages=averages, **settings)
        data = np.random.RandomState(0).normal(size=[6 * 8, 2]).astype("float32")
        gan.fit(data, batch_size=8, shuffle=False, verbose=0)
        found.append({n: [v.numpy() for v in gan._averages[n].weights] for n in names})
    for name in names:
        for mine, theirs in zip(found[0][name], found[1][name], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5, err_msg=name)
