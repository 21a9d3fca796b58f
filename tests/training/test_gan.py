"""The model as a Keras user meets it."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.game import losses

layers = keras.layers


def points_pair(latents=3):
    generator = keras.Sequential(
        [keras.Input((latents,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(2)]
    )
    discriminator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4, "relu"), layers.Dropout(0.2), layers.Dense(1)]
    )
    return generator, discriminator


def make(latents=3, **settings):
    keras.utils.set_random_seed(0)
    gan = tgs.GAN(*points_pair(latents), latents=latents)
    gan.compile(
        keras.optimizers.Adam(1e-3, beta_1=0.5),
        keras.optimizers.Adam(4e-3, beta_1=0.5),
        **{"jit_compile": False, "averages": {"ema": tgs.ExponentialAverage(0.5)}, **settings},
    )
    return gan


def points(rows=32):
    return np.random.RandomState(0).normal(size=[rows, 2]).astype("float32")


@pytest.fixture(scope="module")
def trained():
    gan = make()
    gan.history_of_two_epochs = gan.fit(points(64), batch_size=16, epochs=2, verbose=0)
    return gan


def test_fit_reports_both_losses_per_epoch_and_counts_steps_and_images(trained):
    history = trained.history_of_two_epochs.history
    assert sorted(history) == ["discriminator_loss", "generator_loss"]
    assert all(len(values) == 2 and np.isfinite(values).all() for values in history.values())
    assert (trained.steps, trained.images_seen) == (8, 128)


def test_everything_is_built_by_compile_and_nothing_stray():
    gan = make()
    assert gan.built and gan.generator_optimizer.built and gan.discriminator_optimizer.built
    assert gan.optimizer is None
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


def test_samples_repeat_by_seed_differ_between_seeds_and_do_not_depend_on_batches(trained):
    first = trained.sample(20, seed=1)
    assert first.shape == (20, 2) and first.dtype == np.float32
    np.testing.assert_array_equal(first, trained.sample(20, seed=1))
    assert np.any(first != trained.sample(20, seed=2))
    batches = list(trained.sample_batches(20, batch_size=8, seed=1))
    assert [len(batch) for batch in batches] == [8, 8, 4]
    assert np.any(first != trained.sample(20, weights="ema", seed=1))


def test_pictures_stay_in_range_for_a_generator_without_tanh():
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4, kernel_initializer="ones"), layers.Reshape((2, 2, 1))]
    )
    discriminator = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(1)])
    gan = tgs.GAN(generator, discriminator, latents=2)
    samples = gan.sample(100)
    assert samples.min() == -1.0 and samples.max() == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "`count` and `batch_size` must be integers >= 1"),
        ({"count": 4, "weights": "mean"}, r"one of \['live', 'ema'\]. Received: 'mean'"),
        ({"count": 4, "labels": [0, 1, 2, 3]}, "expects networks that take class labels"),
        ({"count": 4, "seed": -1}, "`seed` must be an integer"),
    ],
)
def test_impossible_samples_are_refused(trained, arguments, message):
    with pytest.raises(ValueError, match=message):
        trained.sample(**arguments)


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
    gan.compile("adam", "adam", averages={"ema": tgs.ExponentialAverage(0.9)}, jit_compile=False)
    assert gan.steps == 0 and len(gan.variables) == count
    gan.fit(points(), batch_size=16, verbose=0)
    assert gan.steps == 2


def test_fitting_before_compiling_is_refused():
    with pytest.raises(ValueError, match="must be compiled before `fit`"):
        tgs.GAN(*points_pair(), latents=3).fit(points())


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


@pytest.mark.slow
def test_an_optimizer_that_scales_losses_takes_the_steps_of_the_plain_one():
    plain, scaled = make(), make()
    for gan, wrap in ((plain, lambda o: o), (scaled, keras.optimizers.LossScaleOptimizer)):
        gan.compile(
            wrap(keras.optimizers.SGD(0.1)),
            keras.optimizers.SGD(0.1, loss_scale_factor=None if gan is plain else 64.0),
            jit_compile=False,
        )
        gan.fit(points(), batch_size=16, verbose=0)
    for one, other in zip(plain.variables, scaled.variables, strict=False):
        if "seed" not in one.path and one.dtype == "float32":
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-6)


def test_optimizers_that_average_by_themselves_are_refused():
    with pytest.raises(ValueError, match=r"use_ema=True. Write compile\(..., averages="):
        make().compile(keras.optimizers.Adam(use_ema=True), "adam")


@pytest.mark.parametrize("name", ["adamm", {"class_name": "x"}])
def test_unknown_optimizers_are_refused_with_the_players_name(name):
    with pytest.raises(ValueError, match="`discriminator_optimizer` must be an optimizer"):
        make().compile("adam", name)


def test_a_loss_per_example_is_refused():
    def per_example(real_logits, fake_logits):
        return tf.nn.softplus(-fake_logits)[:, 0]

    gan = make(loss=(per_example, tgs.game.losses.hinge.discriminator))
    with pytest.raises(ValueError, match=r"generator's loss must be a scalar.*tf.reduce_mean"):
        gan.fit(points(), verbose=0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # Keras' word for the end.
def test_data_that_end_unannounced_end_the_step_before_it_counts():
    gan = make()
    data = tf.data.Dataset.from_tensor_slices(points(40)).batch(8).filter(lambda x: True)
    gan.fit(data, epochs=3, verbose=0)
    iterations = gan.generator_optimizer.iterations.numpy()
    assert (gan.steps, int(iterations), gan.images_seen) == (15, 15, 120)


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


@pytest.mark.slow
def test_a_batch_of_unknown_size_that_does_not_divide_is_refused():
    gan = make(scheme=tgs.Alternating(2))
    data = tf.data.Dataset.from_tensor_slices(points(9)).batch(9)  # Its size is not in the spec.
    with pytest.raises(tf.errors.InvalidArgumentError, match="into 2 equal minibatches"):
        gan.fit(data, verbose=0)


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


@pytest.mark.slow
def test_single_batches_too_start_from_the_weights_that_were_set_after_compile(tiny):
    gan = tgs.GAN(*tiny.image_networks(), latents=3)
    gan.compile(
        keras.optimizers.SGD(0.0),
        keras.optimizers.SGD(0.0),
        scheme=tgs.Lookahead(tgs.Simultaneous(), sync_period=1),
        averages={"ema": tgs.ExponentialAverage(0.5)},
        jit_compile=False,
    )
    kernel = gan.generator.trainable_variables[0]
    kernel.assign(np.full(kernel.shape, 7.0))
    gan.train_on_batch(np.zeros([4, 8, 8, 1], "float32"))
    np.testing.assert_array_equal(kernel.numpy(), np.full(kernel.shape, 7.0))
    np.testing.assert_array_equal(tiny.average(gan)[0], np.full(kernel.shape, 7.0))


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


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (np.zeros([8, 2], "uint8"), TypeError, "Examples must be floats.*Received: uint8"),
        (np.zeros([8, 3], "float32"), ValueError, r"shape.*\[2\]. Received: \[3\]"),
        ((points(8), np.zeros(8, "int32")), ValueError, "take no class labels.*Drop them"),
    ],
)
def test_batches_that_do_not_fit_are_refused(data, error, message):
    dataset = tf.data.Dataset.from_tensors(data)
    with pytest.raises(error, match=message):
        make().fit(dataset, verbose=0)


def conditional_pair(classes=4):
    noise, labels = keras.Input((3,)), keras.Input((), dtype="int32")
    joined = layers.Concatenate()([noise, layers.Embedding(classes, 3)(labels)])
    generator = keras.Model([noise, labels], layers.Dense(2)(joined))
    image, label = keras.Input((2,)), keras.Input((), dtype="int32")
    joined = layers.Concatenate()([image, layers.Embedding(classes, 2)(label)])
    discriminator = keras.Model([image, label], layers.Dense(1)(layers.Dense(8, "relu")(joined)))
    return generator, discriminator


@pytest.fixture(scope="module")
def conditional():
    """Class c lies at (c, -c): 600 steps are enough to see the classes apart."""
    keras.utils.set_random_seed(0)
    gan = tgs.GAN(*conditional_pair(), latents=3, num_classes=4)
    gan.compile(
        keras.optimizers.Adam(0.01, beta_1=0.5),
        keras.optimizers.Adam(0.02, beta_1=0.5),
        scheme=tgs.Alternating(2),
        averages={"ema": tgs.ExponentialAverage(0.99)},
        jit_compile=False,
    )
    random = np.random.RandomState(0)
    labels = random.randint(4, size=4096).astype("int32")
    real_points = np.stack([labels, -labels], axis=1) + random.normal(size=[4096, 2], scale=0.1)
    gan.fit(real_points.astype("float32"), labels, batch_size=64, epochs=10, verbose=0)
    return gan


@pytest.mark.slow
def test_a_conditional_pair_learns_its_classes_from_images_and_labels(conditional):
    labels = np.repeat(np.arange(4), 100)
    samples = conditional.sample(400, weights="ema", labels=labels)
    means = samples.reshape([4, 100, 2]).mean(axis=1)
    assert np.all(np.diff(means[:, 0]) > 0.3) and np.all(np.diff(means[:, 1]) < -0.3)


def test_labels_default_to_the_classes_in_turn(conditional):
    in_turn = conditional.sample(8, seed=3)
    np.testing.assert_array_equal(in_turn, conditional.sample(8, seed=3, labels=[0, 1, 2, 3] * 2))


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


def test_classes_out_of_range_are_refused(conditional):
    with pytest.raises(ValueError, match="from 0 to 3. Received: 9 to 9"):
        conditional.sample(2, labels=[9, 9])
    with pytest.raises(ValueError, match="from 0 to 3. Received: 0 to 4"):
        conditional.fit(points(8), np.arange(8) % 5, verbose=0)


@pytest.mark.parametrize("classes", ["ten", 0, True])
def test_impossible_numbers_of_classes_are_refused(classes):
    with pytest.raises(ValueError, match="`num_classes` must be a number of classes"):
        tgs.GAN(*conditional_pair(), latents=3, num_classes=classes)


def test_classes_for_networks_without_labels_are_refused():
    with pytest.raises(ValueError, match="`num_classes` expects networks that take class labels"):
        tgs.GAN(*points_pair(), latents=3, num_classes=4)


def test_a_conditional_pair_needs_labels(conditional):
    with pytest.raises(ValueError, match="batches must be .examples, labels."):
        conditional.fit(points(), verbose=0)
    with pytest.raises(ValueError, match=r"one class per example, shape \[3\]"):
        conditional.sample(3, labels=[1, 2])
    unknown = tgs.GAN(*conditional_pair(), latents=3)
    with pytest.raises(ValueError, match="needs to know its classes"):
        unknown.sample(3)


def test_float_labels_are_refused(conditional):
    dataset = tf.data.Dataset.from_tensors((points(8), np.zeros(8, "float32")))
    with pytest.raises(TypeError, match="Labels must be integers"):
        conditional.fit(dataset, verbose=0)


@pytest.mark.slow
def test_training_with_and_without_averages_is_the_same():
    with_average, without = make(), make(averages=None)
    for gan in (with_average, without):
        gan.fit(points(), batch_size=16, epochs=2, verbose=0)
    for one, other in zip(
        with_average.generator.variables, without.generator.variables, strict=True
    ):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


@pytest.mark.slow
def test_several_steps_per_call_are_the_same_steps():
    once, several = make(), make(steps_per_execution=4)
    for gan in (once, several):
        gan.fit(tf.data.Dataset.from_tensor_slices(points(64)).batch(8), verbose=0)
    assert once.steps == several.steps == 8
    for one, other in zip(once.generator.variables, several.generator.variables, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-7)


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
