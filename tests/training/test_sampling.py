"""Samples: which they are by seed, weights and classes, and what cannot be drawn."""

import keras
import numpy as np
import pytest
from point_gans import conditional_pair

import tfgan_stab as tgs
from tfgan_stab.cli.sources.opening import open_source

layers = keras.layers


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "`count` must be an integer >= 1. Received: 0"),
        ({"count": 1.5}, "`count` must be an integer >= 1. Received: 1.5"),
        ({"count": 4, "weights": "mean"}, r"one of \['live', 'ema'\]. Received: 'mean'"),
        ({"count": 4, "labels": [0, 1, 2, 3]}, "expects networks that take class labels"),
        ({"count": 4, "seed": -1}, "`seed` must be an integer"),
    ],
)
def test_impossible_samples_are_refused(trained, arguments, message):
    with pytest.raises(ValueError, match=message):
        trained.sample(**arguments)


@pytest.mark.slow
def test_labels_default_to_the_classes_in_turn(conditional):
    in_turn = conditional.sample(8, seed=3)
    np.testing.assert_array_equal(in_turn, conditional.sample(8, seed=3, labels=[0, 1, 2, 3] * 2))


def test_labels_out_of_range_are_refused(conditional):
    with pytest.raises(ValueError, match="from 0 to 3. Received: 9 to 9"):
        conditional.sample(2, labels=[9, 9])


def test_names_are_no_labels(conditional):
    with pytest.raises(TypeError, match="must be numbers, .*Received: .'cat' 'dog'.. Give each cl"):
        conditional.sample(2, labels=["cat", "dog"])


def test_each_sample_needs_one_label(conditional):
    with pytest.raises(ValueError, match=r"one class per example, shape \[3\]"):
        conditional.sample(3, labels=[1, 2])
    unknown = tgs.GAN(*conditional_pair(), latents=3)
    with pytest.raises(ValueError, match="needs to know its classes"):
        unknown.sample(3)


def taker(noise, condition, outputs):
    """A generator and a discriminator that join conditions to what they take."""
    pair = []
    for first, count in ((noise, outputs), (outputs, 1)):
        inputs = [keras.Input((first,)), keras.Input((condition,))]
        joined = layers.Concatenate()(inputs)
        pair.append(keras.Model(inputs, layers.Dense(count, use_bias=False)(joined)))
    return pair


def test_vectors_are_repeated_in_turn_whatever_the_batches():
    gan = tgs.GAN(*taker(2, 3, 4), latents=2)
    gan.generator.set_weights([np.eye(5, 4, k=-1)])  # The second latent, and the condition.
    vectors = np.arange(15.0).reshape(5, 3)
    found = gan.sample(12, labels=vectors)
    np.testing.assert_array_equal(found[:, 1:], np.resize(vectors, [12, 3]))
    assert len(np.unique(found[:, 0])) == 12
    pieces = list(gan.sample_batches(12, batch_size=4, labels=vectors))
    np.testing.assert_array_equal(np.concatenate(pieces)[:, 1:], found[:, 1:])
    np.testing.assert_array_equal(gan.sample(3, labels=vectors)[:, 1:], vectors[:3])


def test_one_hot_classes_take_turns_and_may_be_given_as_numbers():
    gan = tgs.GAN(*taker(2, 3, 4), latents=2, num_classes=3)
    in_turn = gan.sample(6, seed=1)
    classes = np.arange(6) % 3
    np.testing.assert_array_equal(in_turn, gan.sample(6, seed=1, labels=classes))
    np.testing.assert_array_equal(in_turn, gan.sample(6, seed=1, labels=np.eye(3)[classes]))
    assert np.abs(in_turn - gan.sample(6, seed=1, labels=[0] * 6)).max() > 0.1
    with pytest.raises(ValueError, match="from 0 to 2. Received: 3 to 3"):
        gan.sample(1, labels=[3])


def test_a_generator_without_noise_gives_what_it_makes_of_its_conditions(tmp_path):
    generator = keras.Sequential([keras.Input((4, 4, 2)), layers.Conv2D(3, 1, activation="tanh")])
    image, condition = keras.Input((4, 4, 3)), keras.Input((4, 4, 2))
    joined = layers.Flatten()(layers.Concatenate()([image, condition]))
    gan = tgs.GAN(generator, keras.Model([image, condition], layers.Dense(1)(joined)), latents=0)
    pictures = np.random.RandomState(0).uniform(-1, 1, [6, 4, 4, 2]).astype("float32")
    expected = generator(pictures)
    np.testing.assert_allclose(gan.sample(6, labels=pictures), expected, rtol=1e-5, atol=1e-6)
    gan.save(tmp_path / "translation.keras")
    loaded = keras.models.load_model(tmp_path / "translation.keras")
    assert loaded.pair == gan.pair
    np.testing.assert_allclose(loaded.sample(6, labels=pictures), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (None, ValueError, r"takes conditions, float32 \[batch, 3\], needs some.*no `labels`"),
        (np.zeros([4, 2]), ValueError, r"Conditions must be float32 \[batch, 3\]"),
        (np.zeros([0, 3]), ValueError, "`labels` must hold a condition. Received: none"),
        ([0, 1, 2, 0], ValueError, "to_categorical.labels, 3."),
        (["a", "b"], TypeError, "Received: string"),
    ],
)
def test_conditions_that_are_missing_or_of_another_kind(labels, error, message):
    gan = tgs.GAN(*taker(2, 3, 4), latents=2)
    with pytest.raises(error, match=message):
        gan.sample(4, labels=labels)


@keras.saving.register_keras_serializable("tests")
class Masked(layers.Layer):
    """Dropout in training and inference alike."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1)

    def call(self, inputs):
        return keras.random.dropout(inputs, 0.5, seed=self.seed_generator)


def test_layers_that_stay_random_repeat_by_seed(tmp_path):
    generator = keras.Sequential([keras.Input((3,)), layers.Dense(8), Masked(), layers.Dense(4)])
    gan = tgs.GAN(generator, keras.Sequential([keras.Input((4,)), layers.Dense(1)]), latents=3)
    first = gan.sample(300, seed=1)
    np.testing.assert_array_equal(first, gan.sample(300, seed=1))
    assert np.any(first != gan.sample(300, seed=2))
    generator.save(tmp_path / "generator.keras")
    source = open_source(tmp_path / "generator.keras")
    np.testing.assert_array_equal(np.concatenate(list(source.draw(300, seed=1))), first)


def test_masks_of_inference_differ_between_layers_and_batches():
    inputs = keras.Input((64,))
    ones = layers.Lambda(keras.ops.ones_like)(inputs)
    masks = layers.Concatenate()([Masked()(ones), Masked()(ones)])
    generator = keras.Model(inputs, layers.Dense(128)(masks))
    generator.layers[-1].set_weights([np.eye(128), np.zeros(128)])
    gan = tgs.GAN(generator, keras.Sequential([keras.Input((128,)), layers.Dense(1)]), latents=64)
    one, other = np.split(np.concatenate(list(gan.sample_batches(16, batch_size=8))), 2)
    assert set(np.unique(one)) == {0.0, 2.0}
    for each in (other, np.roll(one, 64, axis=1)):
        assert 0.3 < np.mean(one != each) < 0.7
