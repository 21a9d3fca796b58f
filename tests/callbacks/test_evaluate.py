"""Evaluate scores the weights it says it scores, when it says, in logs and history."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.data.arrays import InMemory
from tfgan_stab.data.batches import Batches
from tfgan_stab.data.digits import loaded_digits
from tfgan_stab.training import distribution

Evaluate = tgs.callbacks.Evaluate


def run(tiny, gan, *callbacks, epochs=2, steps=3):
    history = gan.fit(
        tiny.images(), epochs=epochs, steps_per_epoch=steps, callbacks=callbacks, verbose=0
    )
    return history.history


def by_hand(gan, score, weights):
    """The score of samples drawn here, with its own seed."""
    return score.of(gan.sample(score.samples, weights=weights, seed=score.seed))


def test_history_holds_all_scores_of_all_weights(tiny, image_gan):
    score, expected = tiny.MeanScore(), []

    def note(hook):
        names = ("live", "ema", "late")
        expected.append([by_hand(image_gan, score, name) for name in names])

    note = tiny.Trace(note, "on_epoch_end")
    history = run(tiny, image_gan, Evaluate(score), note, steps=4)
    found = np.array([history["mean"], history["mean_ema"], history["mean_late"]])
    np.testing.assert_array_equal(found, np.transpose(expected))
    assert len(np.unique(found)) == found.size


def test_period_in_steps(tiny, image_gan):
    score, measured = tiny.MeanScore(), {}

    def note(hook):
        measured[image_gan.steps] = by_hand(image_gan, score, "live")

    evaluate = Evaluate(score, every=2, weights="live")
    events = []
    image_gan.listeners.append(events.append)
    history = run(tiny, image_gan, evaluate, tiny.Trace(note, "on_train_batch_end"), epochs=3)
    assert [m.step for m in events] == [2, 4, 6, 8]
    assert [m.result.value for m in events] == [measured[n] for n in (2, 4, 6, 8)]
    assert history["mean"] == [measured[2], measured[6], measured[8]]


def test_later_callbacks_see_the_scores_of_a_batch(tiny, image_gan):
    seen = []

    class Follow(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append("mean_ema" in logs)

    run(tiny, image_gan, Evaluate(tiny.MeanScore(), every=3, weights="ema"), Follow(), epochs=1)
    assert seen == [False, False, True]


def test_measurements_are_published(tiny, image_gan):
    events = []
    image_gan.listeners.append(events.append)
    score = tiny.MeanScore()
    run(tiny, image_gan, Evaluate([score, tiny.MeanScore("other", 4)], weights=["ema", "live"]))
    assert [(m.step, m.images, m.label) for m in events] == [
        (steps, steps * 8, label)
        for steps in (3, 6)
        for label in ("mean_ema", "mean", "other_ema", "other")
    ]
    assert events[0].result.protocol == "mean/fake=10/seed=3"
    times = [m.seconds for m in events]
    assert 0 < times[0] and times == sorted(times)


def test_measuring_again_gives_the_same_number(tiny, image_gan):
    evaluate = Evaluate(tiny.MeanScore())
    run(tiny, image_gan, evaluate)
    first = [m.result for m in evaluate.latest]
    assert [m.result for m in evaluate.measure()] == first


def test_live_weights_while_an_average_is_swapped_in(tiny, image_gan):
    score = tiny.MeanScore()
    swap = tgs.callbacks.SwapWeights("ema", swap_on_epoch=True)
    history = run(tiny, image_gan, swap, Evaluate(score, weights="live"), epochs=1)
    assert history["mean"] == [by_hand(image_gan, score, "live")]
    assert history["mean"] != [by_hand(image_gan, score, "ema")]


def test_scores_at_start_reach_later_callbacks(tiny, image_gan, tmp_path):
    score = tiny.MeanScore()
    expected = by_hand(image_gan, score, "live")
    evaluate = Evaluate(score, weights="live", at_start=True)
    history = run(tiny, image_gan, evaluate, tgs.callbacks.RunLog(tmp_path))
    run(tiny, image_gan, evaluate, tgs.callbacks.RunLog(tmp_path), epochs=1)
    lines = tiny.lines(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines] == [0, 3, 6, 9]
    assert lines[0]["value"] == expected
    assert [line["value"] for line in lines[1:3]] == history["mean"]


@pytest.mark.slow
def test_scoring_leaves_training_alone(tiny, image_gan):
    start = tiny.everything(image_gan)
    run(tiny, image_gan)
    expected = tiny.everything(image_gan)
    tiny.put_back(image_gan, start)
    run(tiny, image_gan, Evaluate(tiny.MeanScore(), every=1))
    assert tiny.same(tiny.everything(image_gan), expected)


@pytest.mark.slow
def test_real_images_are_read_once_and_noise_is_shared(tiny, image_gan, tmp_path, monkeypatch):
    real = np.concatenate(list(tiny.images().examples(limit=100).as_numpy_iterator()))
    extracted, noise = [], []
    draw = image_gan.latents

    class Halves:
        name, content_hash, feature_size = "halves", "1a2b3c4d", 2

        def __call__(self, images):
            extracted.append(np.asarray(images))
            return extracted[-1].reshape(len(images), 2, 32).mean(axis=2)

    def drawn(count, key):
        latents = draw(count, key)
        noise.extend([latents.numpy()] if tf.executing_eagerly() else [])
        return latents

    monkeypatch.setattr(image_gan, "latents", drawn)
    fid = tgs.FID(Halves(), real, samples=40, seed=1)
    run(tiny, image_gan, Evaluate(fid), tgs.callbacks.RunLog(tmp_path), epochs=2)
    fake_images = 2 * 3 * 40
    # Before training one image of each side is looked at.
    assert sum(map(len, extracted)) == len(real) + fake_images + 2
    of_real_images = [images for images in extracted if np.isin(images, real).all()]
    assert sum(map(len, of_real_images)) == len(real) + 1
    # Two epochs, three weights each, and the look before; training's own noise is of batches of 8.
    shown = [latents for latents in noise if len(latents) == 256]
    assert len(shown) == 7
    for latents in shown[1:]:
        np.testing.assert_array_equal(latents, shown[0])
    rows = [(line["step"], line["weights"]) for line in tiny.lines(tmp_path / "metrics.jsonl")]
    assert rows == [(step, weights) for step in (3, 6) for weights in ("live", "ema", "late")]


def test_measurements_tell_which_way_is_better(tiny, image_gan):
    events = []
    image_gan.listeners.append(events.append)
    larger = tiny.MeanScore("larger")
    larger.larger_is_better = True
    run(tiny, image_gan, Evaluate([larger, tiny.MeanScore()], weights="ema"), epochs=1)
    assert [(m.result.name, m.larger_is_better) for m in events] == [
        ("larger", True),
        ("mean", False),
    ]


def halves(images):
    """Features: the means of the upper and the lower half."""
    return np.asarray(images).reshape(len(images), 2, 32).mean(axis=2)


@pytest.mark.slow
def test_fid_in_history(tiny, image_gan):
    real = np.concatenate(list(tiny.images().examples(limit=100).as_numpy_iterator()))

    fid = tgs.FID(halves, real, samples=60, seed=1)
    history = run(tiny, image_gan, Evaluate(fid, weights="ema"), epochs=1)
    features = [
        np.asarray(halves(images), np.float64)
        for images in (real, image_gan.sample(60, weights="ema", seed=1))
    ]
    means = [f.mean(axis=0) for f in features]
    covariances = [np.cov(f, rowvar=False) for f in features]
    roots = np.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(0) ** 0.5
    expected = np.sum((means[0] - means[1]) ** 2) + sum(map(np.trace, covariances))
    np.testing.assert_allclose(history["fid_ema"], expected - 2 * roots.sum(), rtol=1e-5)


def test_scores_must_be_scores():
    for wrong in ("fid", 3, lambda images: 1.0, tgs.FID):
        with pytest.raises(TypeError, match=r"`scores` must be scores such as tgs.FID\('digits'"):
            Evaluate(wrong)


def test_scores_must_have_different_names(tiny):
    message = re.escape("different names") + ".*Received: .'mean', 'mean'"
    with pytest.raises(ValueError, match=message):
        Evaluate([tiny.MeanScore(), tiny.MeanScore()])


def test_nothing_to_score_raises(tiny):
    for settings in ({"scores": []}, {"scores": tiny.MeanScore(), "weights": []}):
        with pytest.raises(ValueError, match="Evaluate needs a score and weights to score"):
            Evaluate(**settings)


@pytest.mark.parametrize("every", [0, -1, 2.0, True, "batch", None])
def test_every_must_be_a_period(tiny, every):
    message = '`every` must be "epoch" or a number of steps, an integer >= 1. Received: '
    with pytest.raises(ValueError, match=message + re.escape(repr(every))):
        Evaluate(tiny.MeanScore(), every=every)


def test_unknown_weights_raise_before_training(tiny, image_gan):
    message = re.escape("Weights must be one of ['live', 'ema', 'late']. Received: 'mean'.")
    with pytest.raises(ValueError, match=message):
        run(tiny, image_gan, Evaluate(tiny.MeanScore(), weights=["live", "mean"]))
    assert image_gan.steps == 0


def test_unknown_classes_raise_before_training(tiny):
    gan = tiny.image_gan(eager=True, num_classes=10)
    gan.num_classes = None
    data = tgs.data.digits(batch_size=8, labels=True).take(2)
    with pytest.raises(ValueError, match="needs to know its classes.*num_classes=10"):
        gan.fit(data, callbacks=[Evaluate(tiny.MeanScore())], verbose=0)
    assert gan.steps == 0


def test_baseline_is_published_once(tiny, image_gan, tmp_path):
    real = np.concatenate(list(tiny.images().examples(limit=100).as_numpy_iterator()))

    fid = tgs.FID(halves, real, samples=30)
    evaluate = Evaluate([fid, tiny.MeanScore()], weights="live", baseline=True)
    run(tiny, image_gan, evaluate, tgs.callbacks.RunLog(tmp_path))
    expected = tgs.FID(halves, real, samples=30).baseline()
    assert evaluate.baselines == [expected]
    (line,) = tiny.lines(tmp_path / "events.jsonl")
    assert (line["event"], line["step"]) == ("baseline", 3)
    assert line["fid"] == {"value": expected.value, "protocol": str(expected.protocol)}


PICTURES = np.random.RandomState(0).uniform(-1, 1, [40, 8, 8, 1]).astype(np.float32)


def no_features(images):
    return images


@pytest.mark.cases(fast=4)
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: tgs.PerClass(tgs.FID("random", (PICTURES, np.arange(40) % 2), samples=10)),
            "Received: labels for an unconditional pair",
        ),
        (lambda: tgs.InceptionScore("random", samples=10), "needs a classifier's logits"),
        (lambda: tgs.FID(no_features, PICTURES, samples=10), "An extractor must return features"),
        (lambda: tgs.FID("random", (PICTURES * 99).astype(np.uint8), samples=10), "dtype uint8"),
        (lambda: tgs.FID("random", PICTURES[..., 0], samples=10), r"Received: shape \[1, 8, 8\]"),
        (lambda: tgs.ModeCoverage(tgs.data.mixture(), samples=10), "Points must have shape"),
    ],
)
def test_unfit_images_raise_before_training(tiny, image_gan, make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        run(tiny, image_gan, Evaluate(make()))
    assert image_gan.steps == 0


def per_class(classes):
    real = np.zeros([80, 8, 8, 1], "f4")

    def flat(images):
        return np.asarray(images).reshape(len(images), -1)[:, :2]

    return tgs.PerClass(tgs.FID(flat, (real, np.arange(80) % 20), samples=10), classes=classes)


def test_impossible_classes_raise_before_training(tiny, image_gan):
    score = per_class([3])
    with pytest.raises(ValueError, match="`labels` expects networks that take class labels"):
        run(tiny, image_gan, Evaluate(score))
    conditional = tiny.image_gan(eager=True, num_classes=10)
    data = tgs.data.digits(batch_size=8, labels=True).take(2)
    with pytest.raises(ValueError, match="Received: class '13' of real images alone, none of gen"):
        conditional.fit(data, callbacks=[Evaluate(per_class([3, 13]))], verbose=0)
    assert image_gan.steps == conditional.steps == 0


@pytest.mark.slow
def test_scores_of_another_model_are_forgotten(tiny, image_gan):
    evaluate = Evaluate(tiny.MeanScore(), every=3, weights="live")
    assert "mean" in run(tiny, image_gan, evaluate, epochs=1)
    assert "mean" in run(tiny, image_gan, evaluate, epochs=2, steps=1)
    other = run(tiny, tiny.image_gan(eager=True), evaluate, epochs=1, steps=1)
    assert "mean" not in other


@pytest.mark.slow
def test_each_class_has_its_own_images_on_all_devices(tiny, monkeypatch):
    gan = tiny.image_gan(eager=True, num_classes=10)
    device = tf.config.list_logical_devices("CPU")[0].name
    monkeypatch.setattr(distribution, "local_devices", lambda strategy: [device] * 2)
    asked, sample_batches = [], gan.sample_batches

    def noted(*args, **settings):
        asked.append(settings)
        return sample_batches(*args, **settings)

    monkeypatch.setattr(gan, "sample_batches", noted)
    evaluate = Evaluate(per_class([3, 7]), weights="ema")
    data = tgs.data.digits(batch_size=8, labels=True)
    gan.fit(data, epochs=1, steps_per_epoch=1, callbacks=[evaluate], verbose=0)
    drawn = [settings for settings in asked if settings.get("devices")]
    assert all(settings["devices"] == [device] * 2 for settings in drawn)
    assert [settings["labels"][0] for settings in drawn[-2:]] == [3, 7]
    monkeypatch.undo()
    expected = [
        part([gan.sample(10, weights="ema", labels=np.full(10, part.label))]).value
        for part in evaluate.scores[0].components
    ]
    found = [measurement.result.value for measurement in evaluate.latest]
    np.testing.assert_allclose(found, [*expected, np.mean(expected)], rtol=1e-6)
    assert expected[0] != expected[1]


class Named(InMemory):
    """Digits 0 and 1 that have names."""

    def __init__(self, *names):
        images, labels = loaded_digits()
        few = labels < 2
        super().__init__("named", images[few], labels[few], num_classes=2)
        self.names = names

    def metadata(self):
        return {"class_names": list(self.names)}


@pytest.mark.slow
def test_classes_of_real_images_are_matched_by_name(tiny):
    def flat(images):
        return np.asarray(images).reshape(len(images), -1)[:, :2]

    gan = tiny.image_gan(eager=True, num_classes=2)
    real = Batches(Named("one", "zero"), batch_size=8)
    evaluate = Evaluate(tgs.PerClass(tgs.FID(flat, real, samples=10)), weights="live")
    data = Batches(Named("zero", "one"), batch_size=8)
    gan.fit(data, steps_per_epoch=1, callbacks=[evaluate], verbose=0)
    found = {event.result.name: event.result for event in evaluate.latest}
    for number, (name, drawn) in enumerate({"one": 1, "zero": 0}.items()):
        result = found[f"fid_class_{number}"]
        score = evaluate.scores[0].components[number]
        expected = score([gan.sample(10, "live", labels=np.full(10, drawn))])
        assert result.value == pytest.approx(expected.value, rel=1e-6)
        assert result.remark == f"class {name!r}"
    other = Evaluate(
        tgs.PerClass(tgs.FID(flat, Batches(Named("one", "two"), batch_size=8), samples=10))
    )
    with pytest.raises(ValueError, match="by name. Received: class 'two' of real .*class 'zero'"):
        gan.fit(data, steps_per_epoch=1, callbacks=[other], verbose=0)


@pytest.mark.slow
def test_classes_are_scored_as_often_as_the_real_images_have_them(tiny):
    gan = tiny.image_gan(eager=True, num_classes=3)
    labels = np.repeat([0, 1], [30, 10])
    real = (PICTURES, labels)
    data = tf.data.Dataset.from_tensor_slices(real).batch(8)

    def scored(**settings):
        fid = tgs.FID(halves, real, samples=20)
        evaluate = Evaluate(fid, weights="live", **settings)
        gan.fit(data, steps_per_epoch=1, callbacks=[evaluate], verbose=0)
        return fid, evaluate.latest[0].result

    def by_hand(fid, drawn):
        return fid([gan.sample(20, labels=drawn)]).value

    fid, result = scored()
    assert result.value == by_hand(fid, np.resize([0, 0, 1, 0], 20)) != by_hand(fid, None)
    assert "/seed=0/labels=as-real/" in result.protocol
    found = gan.evaluate(data, scores=[fid], return_dict=True, verbose=0)
    assert found["fid"] == result.value
    chosen = np.arange(20) % 2
    fid, result = scored(labels=chosen)
    assert result.value == by_hand(fid, chosen) and "/labels=given@" in result.protocol
    found = gan.evaluate(data, scores=[fid], labels=chosen, return_dict=True, verbose=0)
    assert found["fid"] == result.value


@pytest.mark.slow
def test_few_real_images_are_warned_of(tiny, image_gan):
    evaluate = Evaluate(tgs.FID("random", PICTURES, samples=300), weights="live")
    with pytest.warns(UserWarning, match="FID from 40 real images, for 256 features.*Give more"):
        run(tiny, image_gan, evaluate, epochs=1, steps=1)


def test_each_number_tells_which_way_is_better(tiny, image_gan):
    class Both:
        name, samples = "both", 4

        def __call__(self, images):
            sizes = [len(batch) for batch in images]
            up = tgs.evaluation.ScoreResult("up", float(sum(sizes)), "up", larger_is_better=True)
            return [up, tgs.evaluation.ScoreResult("down", 1.0, "down")]

    evaluate = Evaluate(Both(), weights="live")
    run(tiny, image_gan, evaluate, epochs=1, steps=1)
    found = [(m.result.name, m.result.value, m.larger_is_better) for m in evaluate.latest]
    assert found == [("up", 4.0, True), ("down", 1.0, False)]


def test_numbers_must_have_different_names():
    real = np.zeros([20, 8, 8, 1], "f4")
    scores = [tgs.PrecisionRecall("random", real, samples=10, neighbors=k) for k in (3, 5)]
    scores[0].name = "renamed"
    with pytest.raises(ValueError, match="different names.*Received: .'precision', 'recall'"):
        Evaluate(scores)


def test_max_share_may_be_one(tiny):
    assert Evaluate(tiny.MeanScore(), max_share=1).share.largest == 1


def vector_gan(tiny):
    """A GAN whose points are its conditions, on batches of four."""
    pair = []
    for first, outputs in ((3, 2), (2, 1)):
        inputs = [keras.Input((first,)), keras.Input((2,))]
        joined = keras.layers.Concatenate()(inputs)
        pair.append(keras.Model(inputs, keras.layers.Dense(outputs, use_bias=False)(joined)))
    pair[0].set_weights([np.eye(5, 2, k=-3)])
    gan = tgs.GAN(*pair, latents=3)
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), run_eagerly=True)
    return gan


def test_conditions_of_what_is_scored(tiny):
    gan, score = vector_gan(tiny), tiny.MeanScore(samples=10)
    points, vectors = tiny.points(4), tiny.points(3, seed=1)
    history = gan.fit(points, points, callbacks=[Evaluate(score, labels=vectors)], verbose=0)
    expected = score.of(np.resize(vectors, [10, 2]))
    np.testing.assert_allclose(history.history["mean"], [expected], rtol=1e-6)
    found = gan.evaluate(points, points, [score], labels=vectors, return_dict=True, verbose=0)
    np.testing.assert_allclose(found["mean"], expected, rtol=1e-6)


def test_missing_conditions_are_refused_before_training(tiny):
    gan, points = vector_gan(tiny), tiny.points(4)
    message = "needs some to make examples for. Received: no `labels`"
    with pytest.raises(ValueError, match=message):
        gan.fit(points, points, callbacks=[Evaluate(tiny.MeanScore())], verbose=0)
    with pytest.raises(ValueError, match=message):
        gan.evaluate(points, points, [tiny.MeanScore()], verbose=0)
    assert gan.steps == 0
