"""SwapWeights shows averages to evaluate, predict and callbacks, and restores the weights."""

import re

import keras
import numpy as np
import pytest

import tfgan_stab as tgs

SwapWeights = tgs.callbacks.SwapWeights


@pytest.fixture
def trained(tiny, image_gan):
    image_gan.fit(tiny.images(), steps_per_epoch=6, verbose=0)
    return image_gan


@pytest.fixture
def latents():
    return np.random.RandomState(2).normal(size=[16, 3]).astype("float32")


def watch(tiny, gan, seen, *hooks):
    """A callback that notes whose weights the generator really holds."""

    def note(hook):
        now = tiny.network(gan)
        names = [name for name in gan.averages if tiny.same(now, tiny.average(gan, name))]
        seen.append((hook, names[0] if names else "live"))

    return tiny.Trace(note, *hooks)


def test_predict_uses_the_average(tiny, trained, latents):
    live = tiny.network(trained)
    plain = trained.predict(latents, batch_size=8, verbose=0)
    averaged = trained.predict(latents, batch_size=8, verbose=0, callbacks=[SwapWeights("ema")])
    assert tiny.same(tiny.network(trained), live)
    for weights, predicted in (("live", plain), ("ema", averaged)):
        with trained.using(weights):
            expected = trained.generator(latents, training=False).numpy()
        np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(plain - averaged).max() > 1e-3


@pytest.mark.slow
def test_evaluate_uses_the_average(tiny, trained):
    live = tiny.network(trained)
    losses = trained.evaluate(tiny.few_images(), verbose=0)
    averaged = trained.evaluate(tiny.few_images(), verbose=0, callbacks=[SwapWeights("ema")])
    assert tiny.same(tiny.network(trained), live)
    with trained.using("ema"):
        expected = trained.evaluate(tiny.few_images(), verbose=0)
    assert averaged == expected
    assert averaged != losses


def test_only_validation_sees_the_average_within_fit(tiny, trained):
    seen = []
    hooks = ("on_train_batch_end", "on_test_batch_begin", "on_epoch_end", "on_train_end")
    trained.fit(
        tiny.images(),
        steps_per_epoch=2,
        validation_data=tiny.few_images().take(1),
        callbacks=[SwapWeights("ema"), watch(tiny, trained, seen, *hooks)],
        verbose=0,
    )
    assert seen == [
        ("on_train_batch_end", "live"),
        ("on_train_batch_end", "live"),
        ("on_test_batch_begin", "ema"),
        ("on_epoch_end", "live"),
        ("on_train_end", "live"),
    ]


def test_swap_on_epoch_shows_the_average_to_later_callbacks(tiny, trained):
    seen = []
    hooks = ("on_epoch_begin", "on_train_batch_end", "on_epoch_end", "on_train_end")
    trained.fit(
        tiny.images(),
        steps_per_epoch=1,
        epochs=2,
        callbacks=[SwapWeights("late", swap_on_epoch=True), watch(tiny, trained, seen, *hooks)],
        verbose=0,
    )
    epoch = [("on_epoch_begin", "live"), ("on_train_batch_end", "live"), ("on_epoch_end", "late")]
    assert seen == [*epoch, *epoch, ("on_train_end", "live")]


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_swapping_does_not_change_training(tiny, image_gan, swap_on_epoch):
    settings = {
        "steps_per_epoch": 3,
        "epochs": 2,
        "validation_data": tiny.few_images(),
        "verbose": 0,
    }
    start = tiny.everything(image_gan)
    image_gan.fit(tiny.images(), **settings)
    expected = tiny.everything(image_gan)
    tiny.put_back(image_gan, start)
    swap = SwapWeights("ema", swap_on_epoch=swap_on_epoch)
    image_gan.fit(tiny.images(), callbacks=[swap], **settings)
    assert tiny.same(tiny.everything(image_gan), expected)


def test_later_callback_saves_the_averaged_weights(tiny, trained, tmp_path):
    path = str(tmp_path / "generator.weights.h5")

    class SaveGenerator(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.generator.save_weights(path)

    trained.fit(
        tiny.images(),
        steps_per_epoch=2,
        callbacks=[SwapWeights("ema", swap_on_epoch=True), SaveGenerator()],
        verbose=0,
    )
    live = tiny.network(trained)
    trained.generator.load_weights(path)
    assert tiny.same(tiny.network(trained), tiny.average(trained))
    assert not tiny.same(tiny.network(trained), live)


HOOKS = [
    "on_test_begin",
    "on_test_batch_begin",
    "on_test_batch_end",
    "on_test_end",
    "on_predict_begin",
    "on_predict_batch_begin",
    "on_predict_batch_end",
    "on_predict_end",
    "on_epoch_begin",
    "on_epoch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_train_begin",
    "on_train_end",
]


# Each hook fails in another callback before and after, by an error and by Ctrl-C in turn.
FAILURES = [
    (hook, first, KeyboardInterrupt if (number + first) % 2 else RuntimeError)
    for number, hook in enumerate(HOOKS)
    for first in (False, True)
]


@pytest.mark.cases(full=8)
@pytest.mark.slow
@pytest.mark.parametrize(("hook", "first", "error"), FAILURES)
def test_exception_at_any_hook_restores_the_trained_weights(
    tiny, trained, latents, hook, first, error
):
    def fail(hook):
        nonlocal live
        # What is trained when it happens; the average may be in the network.
        live = [tensor.numpy() for tensor in trained.weights_in_use.values("live")]
        raise error(hook)

    live = []
    swap = SwapWeights("ema", swap_on_epoch=True)
    other = tiny.Trace(fail, hook)
    callbacks = [other, swap] if first else [swap, other]
    with pytest.raises(error, match=hook):
        if "predict" in hook:
            trained.predict(latents, verbose=0, callbacks=callbacks)
        else:
            trained.fit(
                tiny.images(),
                steps_per_epoch=2,
                validation_data=tiny.few_images(),
                callbacks=callbacks,
                verbose=0,
            )
    assert tiny.same(tiny.network(trained), live)
    assert trained.weights_in_use.current == "live"
    # The same callback serves again.
    averaged = trained.predict(latents, batch_size=8, verbose=0, callbacks=[swap])
    with trained.using("ema"):
        expected = trained.predict(latents, batch_size=8, verbose=0)
    np.testing.assert_array_equal(averaged, expected)
    assert tiny.same(tiny.network(trained), live)


def test_evaluate_and_predict_inside_using_restore_what_was_in_use(tiny, trained, latents):
    seen = []
    later = watch(tiny, trained, seen, "on_predict_end")
    with trained.using("late"):
        trained.predict(latents, verbose=0, callbacks=[SwapWeights("ema"), later])
        assert seen == [("on_predict_end", "late")]
        assert tiny.same(tiny.network(trained), tiny.average(trained, "late"))
        with pytest.raises(RuntimeError, match="test_end"):
            fail = tiny.Trace(_raise, "on_test_end")
            trained.evaluate(tiny.few_images(), verbose=0, callbacks=[fail, SwapWeights("ema")])
        assert tiny.same(tiny.network(trained), tiny.average(trained, "late"))


def _raise(hook):
    raise RuntimeError(hook)


def test_two_callbacks_nest(tiny, trained, latents):
    seen = []
    trained.predict(
        latents,
        verbose=0,
        callbacks=[
            SwapWeights("ema"),
            watch(tiny, trained, seen, "on_predict_begin"),
            SwapWeights("late"),
            watch(tiny, trained, seen, "on_predict_batch_begin"),
        ],
    )
    assert seen == [("on_predict_begin", "ema"), ("on_predict_batch_begin", "late")]
    assert trained.weights_in_use.current == "live"


def test_predict_inside_evaluate_nests(tiny, trained, latents):
    swap, predicted = SwapWeights("ema"), []

    def predict(hook):
        predicted.append(trained.predict(latents, verbose=0, callbacks=[swap]))
        assert trained.weights_in_use.current == "ema"

    live = tiny.network(trained)
    trained.evaluate(
        tiny.few_images(), verbose=0, callbacks=[swap, tiny.Trace(predict, "on_test_batch_end")]
    )
    with trained.using("ema"):
        expected = trained.predict(latents, verbose=0)
    np.testing.assert_array_equal(predicted[0], expected)
    assert tiny.same(tiny.network(trained), live)


@pytest.mark.cases(full=2)
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The file holds the average:UserWarning")
@pytest.mark.parametrize("seed", range(3))
def test_random_workflows_and_failures_do_not_change_training(
    tiny, image_gan, latents, tmp_path, seed
):
    random = np.random.RandomState(seed)
    start = tiny.everything(image_gan)
    swap = SwapWeights("ema", swap_on_epoch=True)

    def fit(callbacks):
        image_gan.fit(tiny.images(), steps_per_epoch=1, verbose=0, callbacks=callbacks)

    def evaluate(callbacks):
        image_gan.evaluate(tiny.few_images(), verbose=0, callbacks=callbacks)

    def predict(callbacks):
        image_gan.predict(latents, verbose=0, callbacks=callbacks)

    def save(callbacks):
        with image_gan.using(random.choice(["live", "ema", "late"])):
            image_gan.save_weights(tmp_path / "all.weights.h5")
            random.choice([evaluate, predict])(callbacks)

    for _ in range(12):
        workflow = random.choice([fit, evaluate, predict, save])
        callbacks = [swap]
        if random.uniform() < 0.5:
            hook = random.choice(HOOKS[:8] + ["on_epoch_end", "on_train_end"])
            callbacks.insert(random.randint(2), tiny.Trace(_raise, str(hook)))
        before, steps = tiny.network(image_gan), image_gan.steps
        try:
            workflow(callbacks)
        except RuntimeError as error:
            assert str(error) in HOOKS
        assert image_gan.weights_in_use.current == "live"
        assert image_gan.steps > steps or tiny.same(tiny.network(image_gan), before)

    found, steps = tiny.everything(image_gan), image_gan.steps
    tiny.put_back(image_gan, start)
    if steps:
        image_gan.fit(tiny.images(), steps_per_epoch=steps, verbose=0)
    assert tiny.same(tiny.everything(image_gan), found)


def test_unknown_average_is_refused(tiny, image_gan):
    message = re.escape("Weights must be one of ['live', 'ema', 'late']. Received: 'mean'.")
    with pytest.raises(ValueError, match=message):
        image_gan.fit(tiny.images(), steps_per_epoch=1, verbose=0, callbacks=[SwapWeights("mean")])
    assert image_gan.steps == 0
