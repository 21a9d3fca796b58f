"""In whatever order users swap, and wherever it fails: training goes on as if they never had."""

import keras
import numpy as np
import pytest

import tfgan_stab as tgs

pytestmark = pytest.mark.slow  # Each policy trains a model of its own.

layers = keras.layers
AVERAGES = {
    "ema": tgs.ExponentialAverage(half_life=12, unit="images", warmup="unbiased"),
    "both": tgs.UniformAverage(start=1, discriminator=True),
    "measured": tgs.ExponentialAverage(
        0.5, batch_statistics="recalibrate", recalibration_batches=2, recalibration_batch_size=4
    ),
}
HOOKS = [
    f"on_{workflow}_{moment}"
    for workflow in ("train", "test", "predict")
    for moment in ("begin", "end", "batch_begin", "batch_end")
] + ["on_epoch_begin", "on_epoch_end"]


HALF = [
    pytest.param(policy, marks=pytest.mark.exhaustive)
    for policy in ("mixed_bfloat16", "mixed_float16")
]


@pytest.fixture(scope="module", params=["float32", *HALF])
def compiled(request, tiny):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    try:
        generator = keras.Sequential(
            [
                keras.Input((3,)),
                layers.Dense(4),
                layers.BatchNormalization(),
                layers.Dropout(0.2, seed=1),
                layers.Dense(2, dtype="float32"),
            ]
        )
        discriminator = keras.Sequential(
            [
                keras.Input((2,)),
                # Keras' own cannot do it in float16.
                tgs.networks.SpectralNormalization(layers.Dense(4, dtype="float32")),
                layers.BatchNormalization(),
                layers.Dense(1, dtype="float32"),
            ]
        )
        gan = tgs.GAN(generator, discriminator, latents=3)
        optimizers = (keras.optimizers.Adam(0.02), keras.optimizers.Adam(0.02))
        gan.compile(*optimizers, averages=AVERAGES, jit_compile=False)
        yield gan, tiny.everything(gan)
    finally:
        keras.config.set_dtype_policy(before)


class Fails(Exception):
    """What goes wrong."""


def fail(hook):
    raise Fails(hook)


class Workflows:
    """What users do with a model, each with callbacks that swap and may fail."""

    def __init__(self, tiny, gan, random, folder):
        self.tiny, self.gan, self.random, self.folder = tiny, gan, random, folder
        self.points = random.normal(size=[8, 2]).astype("float32")

    def callbacks(self):
        name = str(self.random.choice(list(AVERAGES)))
        found = [tgs.callbacks.SwapWeights(name, swap_on_epoch=bool(self.random.randint(2)))]
        if self.random.uniform() < 0.5:
            hook = str(self.random.choice(HOOKS))
            found.insert(self.random.randint(2), self.tiny.Trace(fail, hook))
        return found

    def fit(self):
        self.gan.fit(
            tgs.data.mixture(batch_size=4),
            epochs=self.random.randint(1, 3),
            steps_per_epoch=self.random.randint(1, 3),
            validation_data=(self.points,) if self.random.randint(2) else None,
            callbacks=self.callbacks(),
            verbose=0,
        )

    def evaluate(self):
        self.gan.evaluate(self.points, batch_size=4, callbacks=self.callbacks(), verbose=0)

    def predict(self):
        latents = np.ones([4, 3], "float32")
        self.gan.predict(latents, batch_size=2, callbacks=self.callbacks(), verbose=0)

    def save(self):
        self.gan.save_weights(self.folder / "all.weights.h5")
        self.gan.generator.save(self.folder / "generator.keras")

    def sample(self):
        name = str(self.random.choice([*AVERAGES, "live"]))
        for _ in self.gan.sample_batches(6, batch_size=3, weights=name):
            if self.random.randint(2):
                break

    def inside(self):
        """Anything but training inside two swaps, and perhaps an exception."""
        names = [str(name) for name in self.random.choice([*AVERAGES, "live"], size=2)]
        with self.gan.using(names[0]), self.gan.using(names[1]):
            self.one(["evaluate", "predict", "save", "sample"])
            assert self.gan.weights_in_use.current == names[1]
            if self.random.randint(2):
                fail("inside")

    def one(self, names=("fit", "evaluate", "predict", "save", "sample", "inside")):
        getattr(self, str(self.random.choice(names)))()


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore:The file holds the average:UserWarning")  # Saved inside a swap.
def test_every_way_out_leaves_the_weights_of_a_model_that_was_never_swapped(
    tiny, compiled, tmp_path
):
    gan, new = compiled
    tiny.put_back(gan, new)
    random = np.random.RandomState(len(gan.precision[0]))  # Another one for each policy.
    workflows, seen, fails = Workflows(tiny, gan, random, tmp_path), {}, 0
    for _ in range(14):
        before, steps = tiny.everything(gan), gan.steps
        try:
            workflows.one()
        except Fails:
            fails += 1
        assert gan.weights_in_use.current == "live"
        if gan.steps == steps:
            assert tiny.same(tiny.everything(gan), before)
        seen[gan.steps] = tiny.everything(gan)
    assert fails and gan.steps
    tiny.put_back(gan, new)

    def compare(hook):
        if gan.steps in seen:
            assert tiny.same(tiny.everything(gan), seen.pop(gan.steps))

    compare("at the start")
    data = tgs.data.mixture(batch_size=4)
    trace = tiny.Trace(compare, "on_train_batch_end")
    gan.fit(data, steps_per_epoch=max(seen), callbacks=[trace], verbose=0)
    assert not seen


def test_averages_are_float32_or_better_whatever_the_policy(compiled):
    gan, _ = compiled
    for name, average in gan._averages.items():
        floats = {v.dtype for v in average.averages if "int" not in v.dtype}
        assert floats <= ({"float64", "float32"} if name == "both" else {"float32"})
    assert "float64" in {v.dtype for v in gan._averages["both"].averages}
