"""The model as a Keras user meets it."""

import dataclasses
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from point_gans import conditional_pair, make, points, points_pair

import tfgan_stab as tgs
from tfgan_stab.game import losses

layers = keras.layers


@pytest.mark.slow
def test_fit_reports_both_losses_per_epoch_and_counts_steps_and_images(trained):
    history = trained.history_of_two_epochs.history
    accuracies = ["accuracy_on_fake", "accuracy_on_real"]
    assert sorted(history) == [*accuracies, "discriminator_loss", "generator_loss"]
    assert all(len(values) == 2 and np.isfinite(values).all() for values in history.values())
    assert (trained.steps, trained.images_seen) == (8, 128)


def test_everything_is_built_by_compile_and_nothing_stray():
    gan = make()
    assert gan.built and gan.generator_optimizer.built and gan.discriminator_optimizer.built
    assert not gan.optimizer
    owners = {v.path.split("/")[0] for v in gan.variables}
    assert not [owner for owner in owners if "rmsprop" in owner]


def test_evaluate_gives_both_losses_of_the_networks_in_inference_mode(trained):
    values = trained.evaluate(points(), batch_size=32, verbose=0)
    assert values == trained.evaluate(points(), batch_size=32, verbose=0)
    real_logits = trained.discriminator(points(), training=False)
    expected = np.mean(np.log1p(np.exp(-real_logits)))
    named = trained.evaluate(points(), batch_size=32, verbose=0, return_dict=True)
    assert list(named) == ["generator_loss", "discriminator_loss"]
    assert list(named.values()) == values
    assert named["discriminator_loss"] > expected  # The fakes' half is positive.


def test_evaluate_adds_the_scores_asked_for(trained):
    class Spread:
        name, samples, seed = "spread", 10, 0

        def __call__(self, images):
            return tgs.evaluation.ScoreResult(
                "spread", float(np.std(np.concatenate(list(images)))), "s"
            )

    found = trained.evaluate(points(), scores=[Spread()], verbose=0, return_dict=True)
    np.testing.assert_allclose(found["spread"], trained.sample(10, seed=0).std(), rtol=1e-6)
    swap = tgs.callbacks.SwapWeights("ema")
    found = trained.evaluate(points(), scores=[Spread()], callbacks=swap, verbose=0)
    averaged = trained.sample(10, seed=0, weights="ema").std()
    np.testing.assert_allclose(found[-1], averaged, rtol=1e-6)


def test_predict_and_call_are_the_generator(trained):
    latents = np.random.RandomState(1).normal(size=[5, 3]).astype("float32")
    expected = trained.generator(latents, training=False)
    np.testing.assert_allclose(trained.predict(latents, verbose=0), expected, rtol=1e-6)
    np.testing.assert_allclose(trained(latents), expected, rtol=1e-6)


def test_summary_shows_both_networks_and_the_averages(trained, capsys):
    trained.summary()
    shown = capsys.readouterr().out
    assert "sequential" in shown and "ema" in shown


def test_saved_weights_hold_optimizers_and_averages(trained, tmp_path):
    path = tmp_path / "gan.weights.h5"
    trained.save_weights(path)
    other = make()
    other.load_weights(path)
    pairs = [
        (trained.variables, other.variables),
        (trained.generator_optimizer.variables, other.generator_optimizer.variables),
        (trained.discriminator_optimizer.variables, other.discriminator_optimizer.variables),
    ]
    metrics = {id(v) for gan in (trained, other) for m in gan.metrics for v in m.variables}
    for mine, theirs in pairs:
        for one, two in zip(mine, theirs, strict=True):
            # Keras' own files leave out the state of layers' random generators.
            if id(one) not in metrics and "seed_generator" not in one.path:
                np.testing.assert_array_equal(one.numpy(), two.numpy(), err_msg=one.path)
    assert other.steps == 8


@pytest.mark.slow
def test_a_saved_model_comes_back_compiled_and_trains_on(trained, tmp_path):
    path = tmp_path / "gan.keras"
    trained.save(path)
    loaded = keras.models.load_model(path)
    assert loaded.scheme == trained.scheme and loaded.averages == trained.averages
    assert loaded.generator_optimizer.learning_rate.numpy() == np.float32(1e-3)
    for weights in ("live", "ema"):
        np.testing.assert_allclose(
            loaded.sample(4, weights=weights), trained.sample(4, weights=weights), rtol=1e-6
        )
    loaded.fit(points(), batch_size=16, verbose=0)
    assert loaded.steps == trained.steps + 2


def test_the_configuration_rebuilds_the_same_networks(trained):
    copy = tgs.GAN.from_config(trained.get_config())
    assert copy.generator.count_params() == trained.generator.count_params()
    assert copy.latents == trained.latents and copy.name == trained.name


@pytest.mark.slow
def test_compiling_again_starts_over_without_leftovers():
    gan = make()
    count = len(gan.variables)
    gan.fit(points(), batch_size=16, verbose=0)
    with warnings.catch_warnings(record=True) as seen:  # Keras warns of something else.
        warnings.simplefilter("always")
        gan.compile(
            "adam", "adam", averages={"ema": tgs.ExponentialAverage(0.9)}, jit_compile=False
        )
    [said] = [str(each.message) for each in seen if each.category is UserWarning]
    assert said.startswith("`compile` begins a new training: the 2 steps so far are no longer")
    assert "averages 'ema' start over from the trained weights. To go on, call `fit`" in said
    assert gan.steps == 0 and len(gan.variables) == count
    gan.fit(points(), batch_size=16, verbose=0)
    assert gan.steps == 2


def test_fitting_before_compiling_is_refused():
    with pytest.raises(ValueError, match="must be compiled before `fit`"):
        tgs.GAN(*points_pair(), latents=3).fit(points())


@pytest.mark.slow
def test_a_loss_per_example_is_refused():
    def per_example(real_logits, fake_logits):
        return tf.nn.softplus(-fake_logits)[:, 0]

    gan = make(loss=(per_example, tgs.game.losses.hinge.discriminator))
    with pytest.raises(ValueError, match=r"generator's loss must be a scalar.*tf.reduce_mean"):
        gan.fit(points(), verbose=0)


@pytest.mark.slow
def test_a_second_fit_reads_new_data_from_their_beginning():
    gan = make()
    gan.fit(points(64), batch_size=16, verbose=0)
    seen = []

    def record(batch):
        seen.append(float(batch[0, 0]))
        return batch

    numbered = tf.data.Dataset.range(5).map(lambda i: tf.fill([4, 2], tf.cast(i, tf.float32)))
    spied = numbered.map(lambda b: tf.ensure_shape(tf.py_function(record, [b], tf.float32), [4, 2]))
    gan.fit(spied, steps_per_epoch=5, verbose=0)
    assert seen[:5] == [0.0, 1.0, 2.0, 3.0, 4.0]


@pytest.mark.slow
def test_training_on_a_batch_while_an_average_is_in_use_is_refused():
    gan = make()
    with gan.using("ema"), pytest.raises(RuntimeError, match="'ema' in use"):
        gan.train_on_batch(points(8))
    gan.train_on_batch(points(8))
    assert gan.steps == 1


@pytest.mark.parametrize("loss", [tgs.game.losses.hinge, "least_squares"])
def test_a_model_with_a_loss_object_is_saved_and_comes_back(loss, tmp_path):
    gan = make(loss=loss)
    gan.save(tmp_path / "gan.keras")
    assert keras.models.load_model(tmp_path / "gan.keras").loss_pair == gan.loss_pair


@pytest.mark.parametrize("seed", [-1, 1.5, True])
def test_impossible_seeds_are_refused(seed):
    with pytest.raises(ValueError, match="`seed` must be an integer"):
        make(seed=seed)


@pytest.mark.parametrize(
    ("averages", "error", "message"),
    [
        ([0.9], TypeError, "`averages` must be a dictionary"),
        ({"ema": 0.9}, TypeError, "`averages` must be a dictionary"),
        ({"live": tgs.ExponentialAverage()}, ValueError, "identifier other than 'live'"),
        ({"my ema": tgs.ExponentialAverage()}, ValueError, "identifier other than 'live'"),
    ],
)
def test_impossible_averages_are_refused(averages, error, message):
    with pytest.raises(error, match=message):
        make(averages=averages)


@pytest.mark.slow
def test_a_conditional_pair_learns_its_classes_from_images_and_labels(conditional):
    labels = np.repeat(np.arange(4), 100)
    samples = conditional.sample(400, weights="ema", labels=labels)
    means = samples.reshape([4, 100, 2]).mean(axis=1)
    assert np.all(np.diff(means[:, 0]) > 0.3) and np.all(np.diff(means[:, 1]) < -0.3)


class Subclassed(keras.Model):
    """Takes `[first, labels]`, and cannot say so beforehand."""

    def __init__(self, outputs):
        super().__init__()
        self.embedding = layers.Embedding(4, 3)
        self.dense = layers.Dense(outputs)

    def call(self, inputs):
        first, labels = inputs
        return self.dense(tf.concat([first, self.embedding(labels)], axis=1))


@pytest.mark.slow
def test_subclassed_models_are_conditional_with_a_number_of_classes():
    gan = tgs.GAN(Subclassed(2), Subclassed(1), latents=3, num_classes=4)
    gan.compile("sgd", "sgd", jit_compile=False)
    gan.fit(points(8), np.arange(8) % 4, verbose=0)
    assert gan.steps == 1 and gan.sample(4).shape == (4, 2)


@pytest.mark.parametrize("classes", ["ten", 0, True])
def test_impossible_numbers_of_classes_are_refused(classes):
    with pytest.raises(ValueError, match="`num_classes` must be a number of classes"):
        tgs.GAN(*conditional_pair(), latents=3, num_classes=classes)


def test_classes_for_networks_without_labels_are_refused():
    with pytest.raises(ValueError, match="`num_classes` expects networks that take class labels"):
        tgs.GAN(*points_pair(), latents=3, num_classes=4)


@pytest.mark.parametrize(
    "loss",
    [
        losses.hinge,
        dataclasses.replace(losses.hinge, larger_is_real=False),
        dataclasses.replace(losses.relativistic_average, name="mine", boundary=0.0),
    ],
    ids=["ours", "flipped", "renamed"],
)
def test_a_saved_model_comes_back_with_its_loss_and_not_one_of_that_name(loss, tmp_path):
    gan = tgs.GAN(*points_pair(), latents=3)
    gan.compile("sgd", "sgd", loss=loss, top_k=tgs.TopK(), jit_compile=False)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert loaded.loss_pair == loss
