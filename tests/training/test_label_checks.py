"""Labels against classes: what bounds them, and what is said of labels that are none."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from point_gans import conditional_pair, points, points_pair

import tfgan_stab as tgs
from tfgan_stab.callbacks.run_log import metadata
from tfgan_stab.game.players import Players
from tfgan_stab.game.validation import Condition, Pair
from tfgan_stab.training import data_checks, label_checks
from tfgan_stab.training.fit_checks import check_data
from tfgan_stab.training.minibatches import check_batch
from tfgan_stab.training.xla import Compilation

layers = keras.layers

FLOATS = tf.TensorSpec([None, 8, 8, 1])
CONDITIONAL = Pair((8, 8, 1), Condition((), "int32", True))
NUMBERS = itertools.count(1)


class Embedded(keras.Model):
    """A conditional network that cannot say what its inputs are."""

    def call(self, inputs):
        return inputs[0]


def test_embeddings_of_labels_tell_how_many_classes_there_are():
    pair = Players(*conditional_pair(4))
    assert label_checks.known_classes(pair, None) == 4
    assert label_checks.known_classes(pair, 3) == 3
    assert label_checks.known_classes(Players(*points_pair()), None) is None
    assert label_checks.known_classes(Players(Embedded(), Embedded()), None) is None
    assert label_checks.known_classes(Players(Embedded(), Embedded()), 5) == 5


def taking_labels(function, first=False, shape=()):
    """A network whose labels a function looks up."""
    inputs = [keras.Input((3,)), keras.Input(shape, dtype="int32")]
    outputs = layers.Dense(1)(layers.Flatten()(function(inputs[1])))
    return keras.Model(inputs[::-1] if first else inputs, layers.Add()([inputs[0], outputs]))


def inner(*others):
    """A functional model in a functional model, which looks up what it is given."""
    inputs = keras.Input((1,), dtype="int32")
    return keras.Model(inputs, keras.Sequential([*others, layers.Embedding(4, 2)])(inputs))


def normalized_by_labels():
    """A network whose labels choose scales and shifts."""
    inputs = [keras.Input((3,)), keras.Input((), dtype="int32")]
    return keras.Model(inputs, tgs.networks.ConditionalBatchNormalization(4)(*inputs))


class Normalized(layers.Layer):
    """A layer of a user's own, with a table for classes."""

    def __init__(self):
        super().__init__()
        self.table = layers.Embedding(4, 2)

    def call(self, labels):
        return self.table(labels)


class Positions(Normalized):
    """One with another table too."""

    def __init__(self):
        super().__init__()
        self.positions = layers.Embedding(2, 2)
        self.positions.build()


TAKERS = {
    "embedding": lambda: taking_labels(layers.Embedding(4, 2)),
    "first": lambda: taking_labels(layers.Embedding(4, 2), first=True),
    "column": lambda: taking_labels(layers.Embedding(4, 2), shape=(1,)),
    "nested": lambda: taking_labels(inner(), shape=(1,)),
    "nested twice": lambda: taking_labels(inner(inner(layers.Reshape((1,)))), shape=(1,)),
    "moved": lambda: taking_labels(
        lambda x: layers.Embedding(4, 2)(layers.Reshape((1,))(keras.ops.cast(x, "int64")))
    ),
    "sequential": lambda: taking_labels(
        keras.Sequential([layers.Flatten(), layers.RepeatVector(2), layers.Embedding(4, 2)]),
        shape=(1,),
    ),
    "passed on by a model": lambda: taking_labels(
        lambda x: layers.Embedding(4, 2)(keras.Sequential([layers.Reshape((1,))])(x)), shape=(1,)
    ),
    "one-hot": lambda: taking_labels(lambda x: keras.ops.one_hot(x, 4)),
    "encoding": lambda: taking_labels(
        layers.CategoryEncoding(num_tokens=4, output_mode="one_hot"), shape=(1,)
    ),
    "wrapped": lambda: taking_labels(
        tgs.networks.SpectralNormalization(layers.Embedding(4, 2)), shape=(1,)
    ),
    "conditional normalization": normalized_by_labels,
    "of a user's own": lambda: taking_labels(Normalized()),
}


@pytest.mark.parametrize("taker", TAKERS)
def test_labels_are_followed_to_their_embeddings(taker):
    network = TAKERS[taker]()
    assert label_checks.known_classes([network], None) == 4
    assert label_checks.known_classes([network], 3) == 3


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: layers.Embedding(2, 2)(layers.Lambda(lambda x: x // 2)(x)), "Lambda 'lambda"),
        (Positions(), "Positions 'positions"),
        (lambda x: keras.ops.expand_dims(keras.ops.cast(x, "float32") / 9.0, -1), "TrueDivide"),
    ],
)
def test_labels_that_nothing_bounds_are_warned_of_once(function, name):
    network = taking_labels(function)
    with pytest.warns(UserWarning, match=f"Labels go to {name}.*Write GAN.*num_classes=10") as told:
        assert label_checks.known_classes([network, network], None) is None
    assert len(told) == 1
    assert label_checks.known_classes([network], 5) == 5


@pytest.mark.parametrize("taker", ["embedding", "nested", "wrapped"])
def test_more_classes_than_the_networks_have_room_for_are_refused(taker):
    network = TAKERS[taker]()
    assert label_checks.known_classes([network], 4) == 4
    message = "at most the 4 classes that both networks have room for. Received: num_classes=5"
    with pytest.raises(ValueError, match=message):
        label_checks.known_classes([network], 5)


def test_a_users_number_goes_before_a_guess():
    assert label_checks.known_classes([taking_labels(Normalized())], 9) == 9


def test_vectors_bound_nothing():
    inputs = [keras.Input((3,)), keras.Input((4,))]
    network = keras.Model(inputs, layers.Dense(1)(layers.Concatenate()(inputs)))
    assert label_checks.known_classes([network], None) is None


def labelled(labels):
    """Two batches of 8."""
    labels = np.asarray(labels)
    return tf.data.Dataset.from_tensor_slices((points(len(labels)), labels)).batch(8)


LATE = [0, 1, 2, 3] * 3 + [0, 1, 2, 4]
NEGATIVE = [0, 1, 2, 3] * 3 + [0, -2, 2, 3]


@pytest.mark.cases(full=1)
@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"jit_compile": False},
        {"jit_compile": True},
        {"jit_compile": True, "steps_per_execution": 2},
        {"run_eagerly": True, "jit_compile": False},
    ],
    ids=str,
)
def test_labels_that_are_no_classes_are_named_when_they_come(settings):
    gan = tgs.GAN(*conditional_pair(4), latents=3)
    gan.compile("sgd", "sgd", **settings)
    gan.fit(labelled(LATE[:8]), verbose=0)
    before = [v.numpy() for v in gan.generator.variables]
    for late, received in ((LATE, "0 to 4"), (NEGATIVE, "-2 to 3")):
        message = f"classes from 0 to 3. Received: {received}. Count classes from 0"
        with pytest.raises(ValueError, match=message):
            gan.fit(labelled(late[8:] if "-2" in received else late), verbose=0)
        with pytest.raises(ValueError, match=message):
            gan.fit(points(16), np.array(late), batch_size=8, verbose=0)
        with pytest.raises(ValueError, match=message):
            gan.train_on_batch(points(8), np.array(late[8:]))
        with pytest.raises(ValueError, match=message):
            gan.test_on_batch(points(8), np.array(late[8:]))
        with pytest.raises(ValueError, match=message):
            gan.evaluate(labelled(late), verbose=0)
    assert gan.steps == 2  # Of the batch before the bad one, in the first case.
    after = [v.numpy() for v in gan.generator.variables]
    assert not all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.slow
def test_labels_are_compared_once_where_the_whole_step_is_compiled(monkeypatch):
    compared, with_classes = [], label_checks.with_classes

    def noted(data, classes):
        compared.append(classes)
        return with_classes(data, classes)

    monkeypatch.setattr(label_checks, "with_classes", noted)
    gan = tgs.GAN(*conditional_pair(4), latents=3)
    gan.compile("sgd", "sgd", jit_compile=False)
    steps = gan._step_functions(Compilation("step", "a test"))
    steps.several.get_concrete_function(iter(labelled(LATE[:8])), tf.constant(1))
    assert compared == [4]


def test_data_of_ours_with_more_classes_than_embeddings_are_refused():
    gan = tgs.GAN(*conditional_pair(4), latents=3)
    gan.compile("sgd", "sgd", jit_compile=False)
    pictures = np.zeros([8, 2, 1, 1], "uint8")
    data = tgs.data.arrays(pictures, batch_size=4, labels=np.arange(8) % 4 + 1)
    message = "at most the 4 classes .* Received: 'array' with 5 classes, 0 to 4. Count classes"
    with pytest.raises(ValueError, match=message):
        check_data(data, None, gan.scheme, None, gan.maker.classes)


@pytest.mark.parametrize(
    ("labels", "classes"), [(np.uint8, 256), (np.uint8, 300), (np.int8, 128), (np.int64, 300)]
)
def test_labels_of_narrow_types_fit_many_classes(labels, classes):
    label_checks.check_classes(np.array([3, 100], labels), classes)
    found = label_checks.with_classes((tf.zeros([2]), tf.constant([3, 100], labels)), classes)
    np.testing.assert_array_equal(found[1], [3, 100])
    message = "from 0 to 99. Received: 3 to 100. Count"
    with pytest.raises(ValueError, match=message), data_checks.plain_errors():
        label_checks.with_classes((tf.zeros([2]), tf.constant([3, 100], labels)), 100)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.zeros([4, 1], int), ValueError, r"shape \[batch\].*shape \[4, 1\].*labels\[:, 0\]"),
        (np.zeros([4, 10], int), ValueError, r"one-hot rows .*tf.argmax\(labels, axis=-1\)"),
        (np.zeros([4, 10]), TypeError, r"Received: float64. Of one-hot rows .*tf.argmax"),
        (np.zeros([4]), TypeError, r"Received: float64. Use tf.cast\(labels, tf.int32\)"),
        (np.array(["cat", "dog"]), TypeError, "Received: string. Number the words: numpy.unique"),
        (np.array([True]), TypeError, "Received: bool"),
        (tf.TensorSpec([], tf.int32), ValueError, r"dataset.batch\(64\)"),
    ],
)
def test_labels_that_do_not_fit(labels, error, message):
    with pytest.raises(error, match=message):
        check_batch(FLOATS, labels, None, CONDITIONAL)


def zeros(count, seed):
    """All fakes are of one class."""
    return tf.zeros([count], tf.int64)


def refused(networks, message, error=ValueError, num_classes=None, **settings):
    """Holds that `compile` answers so."""
    gan = tgs.GAN(*networks, latents=3, num_classes=num_classes)
    with pytest.raises(error, match=message):
        gan.compile("sgd", "sgd", **{"fake_labels": "uniform", "jit_compile": False, **settings})


@pytest.mark.parametrize(
    ("fake_labels", "error", "message"),
    [
        ("real", TypeError, 'must be None, "uniform" or a function .* Received: .real.'),
        ([0, 1], TypeError, r"Received: \[0, 1\]. With None fakes have the labels of the reals"),
        (np.array([0, 1]), TypeError, r"Received: array\(\[0, 1\]\). With None"),
        (Embedded, TypeError, r"\(count, seed\) -> integers \[count\]. Received: <class"),
        (lambda count, seed: tf.zeros([count]), TypeError, "integers, .* float32. Use tf.cast"),
        (
            lambda count, seed: zeros(count, seed)[:, None],
            ValueError,
            r"here \[1000\]. .* \[1000, 1",
        ),
        (lambda count, seed: tf.range(8), ValueError, r"shape \[8\]. Write def fake_labels"),
        (lambda count, seed: [0] * count, ValueError, r"here \[1000\]. Received: shape \[1\]"),
        (lambda count, seed: zeros(count, seed) + 4, ValueError, "from 0 to 3. Received: 4 to 4"),
        (lambda count, seed: zeros(count, seed) - 1, ValueError, "must draw classes. .* -1 to -1"),
        (
            lambda count, seed: np.random.default_rng(seed).integers(4, size=count),
            TypeError,
            r"operations of TensorFlow: .* Received: \w+Error: .* Use tf.random.stateless_uniform",
        ),
        (lambda count: zeros(count, 0), TypeError, r"a function \(count, seed\) .* takes 1 pos"),
        (
            lambda count, seed: tf.fill([count], int(seed[0]) % 4),
            TypeError,
            "neither has a value. Received: TypeError: ",
        ),
        (
            lambda count, seed: tf.random.uniform([count], maxval=4, dtype=tf.int32, seed=1),
            ValueError,
            "same classes from the same seed, .* others the second time. Use tf.random.stateless",
        ),
        (
            lambda count, seed: tf.range(count) * next(NUMBERS) % 4,
            ValueError,
            "same classes from the same seed",
        ),
    ],
)
def test_fake_labels_that_are_none_are_refused(fake_labels, error, message):
    refused(conditional_pair(4), message, error, fake_labels=fake_labels)


def test_fake_labels_need_networks_that_take_classes():
    refused(points_pair(), "expects networks that take classes. Received: an unconditional pair")
    image, condition = keras.Input((3,)), keras.Input((2,))
    joined = layers.Concatenate()([image, condition])
    networks = [keras.Model([image, condition], layers.Dense(n)(joined)) for n in (3, 1)]
    message = (
        r"Received: networks for float32 \[batch, 2\]. Leave it out: fakes are made for the con"
    )
    refused(networks, message)


def test_uniform_fake_labels_need_the_number_of_classes():
    message = r"how many classes there are.*Received: num_classes=None. Write GAN\(..., num_classes"
    networks = []
    for outputs in (3, 1):
        network = taking_labels(layers.Lambda(lambda x: x[:, None]))
        networks.append(keras.Model(network.inputs, layers.Dense(outputs)(network.outputs[0])))
    with pytest.warns(UserWarning, match="does not say how many classes"):
        refused(networks, message)


@pytest.mark.parametrize(
    ("settings", "received"),
    [
        ({"loss": "relativistic"}, "loss='relativistic'"),
        ({"penalties": [tgs.R1(1.0), tgs.Reconstruction(2.0)]}, "Reconstruction.weight=2.0"),
    ],
)
def test_fake_labels_are_refused_where_fake_and_real_images_are_compared(settings, received):
    message = f"do not compare a fake with a real .* Received: {received}.*Leave one of them out"
    refused(conditional_pair(4), message, **settings)


def test_fake_labels_are_drawn_from_the_classes_that_are_known():
    pair = Players(*conditional_pair(4))
    for classes, given in ((4, None), (3, 3)):
        known = label_checks.known_classes(pair, given)
        draw = label_checks.fake_label_sampler(
            "uniform", CONDITIONAL.condition, known, tgs.game.losses.hinge, ()
        )
        assert set(draw(100, [0, 1]).numpy()) == set(range(classes))
    # Losses of a user's own, and means over all fakes, may have them.
    own = tgs.game.losses.get((lambda real, fake: 0.0, lambda real, fake: 0.0))
    for loss in (own, tgs.game.losses.relativistic_average):
        assert label_checks.fake_label_sampler(zeros, CONDITIONAL.condition, 4, loss, ()) is zeros


def uniform_gan(classes, fake_labels="uniform"):
    """A GAN on points by class whose fakes have labels of their own."""
    gan = tgs.GAN(*conditional_pair(classes), latents=3)
    gan.compile("sgd", "sgd", fake_labels=fake_labels, jit_compile=False, run_eagerly=True)
    return gan


def test_uniform_fake_labels_of_classes_without_examples_are_warned_of():
    expected = "expects examples of all 8 classes that it draws. Received: "
    fix = "from 0 to 1, and make both networks, and num_classes, for 2; or leave `fake_labels` out"
    gan = uniform_gan(8)
    with pytest.warns(UserWarning, match=f"{expected}`y` with 2, so 75% of the fakes .* {fix}"):
        gan.fit(points(4), np.array([0, 7, 7, 0]), batch_size=4, verbose=0)
    data = tgs.data.mixture(4, layout="ring", modes=6, labels=True)
    with pytest.warns(UserWarning, match=f"{expected}'.*' with 6, so 25% of the fakes"):
        gan.fit(data, steps_per_epoch=1, verbose=0)


def test_fake_labels_of_classes_with_examples_are_not_warned_of():
    gan = uniform_gan(4)
    gan.fit(points(4), np.arange(4), batch_size=4, verbose=0)
    unknown = tf.data.Dataset.from_tensors((points(4), np.zeros(4, "int32")))
    gan.fit(unknown, verbose=0)
    for other in (None, zeros):
        uniform_gan(4, other).fit(points(4), np.zeros(4, "int32"), batch_size=4, verbose=0)


class Zeros:
    """Draws one class, from an object that does not say what it is called."""

    def __call__(self, count, seed):
        return zeros(count, seed)


@pytest.mark.parametrize(
    ("fake_labels", "name"),
    [
        ("uniform", "uniform"),
        (zeros, "zeros"),
        (Zeros(), f"<{__name__}.Zeros object>"),
        (functools.partial(zeros), "functools.partial(<function zeros>)"),
        (None, None),
    ],
)
def test_fake_labels_are_told(capsys, fake_labels, name):
    gan = uniform_gan(4, fake_labels)
    gan.fit(points(4), np.arange(4), batch_size=4, verbose=2)
    printed = capsys.readouterr().out
    assert f"\nLabels of fakes: {name}\n" in printed if name else "Labels of fakes" not in printed
    assert metadata(gan)["fake_labels"] == name
