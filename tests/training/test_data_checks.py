"""What is seen in data before they are trained on, whatever brings them."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from point_gans import make, points, points_pair

import tfgan_stab as tgs
from tfgan_stab.game.validation import Condition, Pair
from tfgan_stab.training import data_checks
from tfgan_stab.training.minibatches import check_batch

layers = keras.layers

RANDOM = np.random.RandomState(0)


class Rows(keras.utils.PyDataset):
    """Batches of 8 rows of an array."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def __len__(self):
        return len(self.rows) // 8

    def __getitem__(self, number):
        return (self.rows[8 * number : 8 * number + 8],)


def sliced(rows):
    return tf.data.Dataset.from_tensor_slices(rows).batch(8)


def once(rows):
    """A data set that gives each batch a single time, ever."""
    batches = iter(np.split(rows, len(rows) // 8))
    spec = tf.TensorSpec([None, *rows.shape[1:]])
    return tf.data.Dataset.from_generator(lambda: batches, output_signature=spec)


CONTAINERS = {
    "array": lambda rows: rows,
    "tensor": tf.constant,
    "tf.data": sliced,
    "once": once,
    "PyDataset": Rows,
    "generator": lambda rows: ((each,) for each in np.split(rows, len(rows) // 8)),
    "without labels": lambda rows: ((each, None) for each in np.split(rows, len(rows) // 8)),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_pictures_out_of_range_are_refused_in_any_container(image_gan, tiny, container):
    before = tiny.everything(image_gan)
    data = CONTAINERS[container](RANDOM.uniform(0, 255, [16, 8, 8, 1]).astype("float32"))
    message = r"must be floats in \[-1, 1\]. Received: values from .* to 2.*images / 127.5 - 1"
    for use in (image_gan.fit, image_gan.evaluate):
        if container in ("once", "generator", "without labels") and use == image_gan.evaluate:
            continue
        with pytest.raises(ValueError, match=message):
            use(data, verbose=0)
    assert tiny.same(tiny.everything(image_gan), before)


def test_a_batch_alone_is_examined(tiny):
    gan = tiny.image_gan(eager=True)
    with pytest.raises(ValueError, match=r"must be floats in \[-1, 1\]"):
        gan.train_on_batch(np.full([4, 8, 8, 1], 3.0, "float32"))


@pytest.mark.cases(full=1)
@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"run_eagerly": True}, {"steps_per_execution": 2}])
def test_first_batches_are_examined_in_other_loops(settings):
    gan = make(**settings)
    bad = points(16)
    bad[5] = np.inf
    message = "infinity in 1 of 8 examples of the first batch, the first at index 5"
    for use in (gan.fit, gan.evaluate):
        with pytest.raises(ValueError, match=message):
            use(sliced(bad), verbose=0)
    assert gan.steps == 0
    gan.fit(sliced(points(16)), validation_data=sliced(points(24)), verbose=0)
    assert (gan.steps, gan.images_seen) == (2, 16)


@pytest.mark.slow
@pytest.mark.parametrize("block", [pytest.param(None, marks=pytest.mark.exhaustive), 3])
@pytest.mark.parametrize(
    "container",
    [
        *(
            pytest.param(each, marks=pytest.mark.exhaustive)
            for each in ("tf.data", "shuffled", "PyDataset", "once")
        ),
        "without labels",
    ],
)
def test_looking_changes_no_batch(monkeypatch, container, block):
    """The weights after training are those without looking, to the last bit."""
    module = "tfgan_stab.training.steps_per_execution"
    monkeypatch.setattr(f"{module}.steps_worth_a_call", lambda seconds: block)
    rows = points(24)
    kinds = {**CONTAINERS, "shuffled": lambda rows: sliced(rows).shuffle(3, seed=1)}

    def trained():
        tf.random.set_seed(1)
        gan = make()
        gan.fit(sliced(rows), verbose=0)
        gan.execution.steps_per_call = block
        gan.fit(kinds[container](rows), steps_per_epoch=3, shuffle=False, verbose=0)
        return gan.steps, [v.numpy() for v in gan.variables]

    steps, examined = trained()
    monkeypatch.setattr(tgs.GAN, "_seen", lambda self, kind, iterator: None)
    without, expected = trained()
    assert steps == without == 6
    for one, two in zip(examined, expected, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.slow
def test_losses_of_an_evaluation_are_of_all_batches(trained):
    rows = points(24)
    expected = trained.evaluate(rows, batch_size=8, verbose=0)
    for container in ("tf.data", "once", "PyDataset"):
        assert trained.evaluate(CONTAINERS[container](rows), steps=3, verbose=0) == expected


def bounded(activation, shape=(8, 8, 1)):
    return keras.Sequential(
        [keras.Input((3,)), layers.Dense(int(np.prod(shape)), activation), layers.Reshape(shape)]
    )


class Own(keras.Model):
    """A generator of a class of its own."""

    def __init__(self):
        super().__init__()
        self.first = layers.Dense(3, "relu")
        self.last = layers.Dense(2, "tanh")

    def call(self, inputs):
        return self.last(self.first(inputs))


def functional(function):
    inputs = keras.Input((3,))
    return keras.Model(inputs, layers.Reshape((2, 1))(function(layers.Dense(2)(inputs))))


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (lambda: bounded("tanh"), "tanh"),
        (lambda: bounded("sigmoid"), "sigmoid"),
        (lambda: bounded("relu"), ""),
        (lambda: bounded(None), ""),
        (lambda: functional(layers.Activation("tanh")), "tanh"),
        (lambda: functional(keras.ops.tanh), "tanh"),
        (lambda: functional(lambda x: keras.activations.sigmoid(x)), "sigmoid"),
        (lambda: functional(lambda x: 2 * keras.ops.tanh(x)), ""),
        (lambda: functional(lambda x: layers.Activation("linear")(keras.ops.tanh(x))), "tanh"),
        (lambda: keras.Sequential([keras.Input((3,)), bounded("tanh")]), "tanh"),
        (lambda: tgs.networks.dcgan_generator(8, 1, 3, base_size=2, width=2), "tanh"),
        (lambda: keras.Sequential([layers.Reshape((3,))]), ""),
        (Own, "tanh"),
    ],
)
def test_last_activations(network, expected):
    assert data_checks.last_activation(network()) == expected


PICTURES = np.zeros([4, 2, 2, 1], "float32")


@pytest.mark.parametrize(
    ("low", "high", "ends_with", "message"),
    [
        (0, 255, "tanh", "If black is 0 and white is 255, use `images / 127.5 - 1`"),
        (0, 1.5, "", r"Pictures must be floats in \[-1, 1\].*values from 0 to 1.5"),
        (0, 4000, "tanh", "white is 4095, use `images / 2047.5 - 1`"),
        (0, 60000, "tanh", "white is 65535, use `images / 32767.5 - 1`"),
        (-1.1, 1.05, "tanh", r"tf.clip_by_value\(x, -1.0, 1.0\)"),
        (-1, 1, "sigmoid", r"ends in sigmoid.*\[0, 1\]. Received: values from -1 to 1"),
        (0, 255, "sigmoid", "white is 255, use `images / 255`"),
    ],
)
def test_ranges_of_pictures(low, high, ends_with, message):
    pictures = PICTURES.copy()
    pictures[1, 0, 0, 0], pictures[2, 1, 1, 0] = low, high
    with pytest.raises(ValueError, match=message):
        data_checks.check_values("x", pictures, ends_with)


def test_points_may_lie_anywhere_unless_the_generator_cannot_reach_them():
    far = np.array([[-3.0, 7.0], [0.0, 0.0]])
    data_checks.check_values("x", far, "")
    with pytest.raises(ValueError, match="ends in tanh.*values from -3 to 7 in x.*Without tanh"):
        data_checks.check_values("x", far, "tanh")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(6, 2), (6, 2, 2, 1)])
def test_examples_that_are_not_finite_have_a_place(shape, value):
    examples = np.zeros(shape, "float32")
    examples[3].flat[1] = examples[5].flat[0] = value
    with pytest.raises(ValueError, match="2 of 6 examples of x, the first at index 3. Leave it"):
        data_checks.check_values("x", examples, "")


def test_pictures_between_0_and_1_are_warned_of_where_the_generator_ends_in_tanh():
    half = RANDOM.uniform(0, 1, [4, 2, 2, 1])
    with pytest.warns(UserWarning, match="black is -1 and white is 1.*use `2 . images - 1`"):
        data_checks.check_values("the first batch", half, "tanh")
    for fine in (half - 0.1, PICTURES, PICTURES + 0.5):
        data_checks.check_values("x", fine, "tanh")
    data_checks.check_values("x", half, "")
    data_checks.check_values("x", half[:, 0, 0], "tanh")
    data_checks.check_values("x", half[:0], "tanh")


def test_one_hot_texts_are_right_for_a_generator_that_ends_in_softmax():
    generator = tgs.networks.text_generator(5, length=6, latents=2, width=4, blocks=1)
    texts = np.eye(5, dtype="float32")[np.random.default_rng(0).integers(0, 5, [4, 6])]
    ends_with = data_checks.last_activation(generator)
    assert ends_with == "softmax"
    data_checks.check_values("the first batch", texts, ends_with)
    with pytest.raises(
        ValueError, match=r"ends in softmax, so examples must be floats in \[0, 1\]"
    ):
        data_checks.check_values("the first batch", 2 * texts - 1, ends_with)


# -- Kinds, shapes and types ----------------------------------------------------------------------

FLOATS, INTEGERS = tf.TensorSpec([None, 8, 8, 1]), tf.TensorSpec([None], tf.int64)
PLAIN = Pair((8, 8, 1), None)
CONDITIONAL = Pair((8, 8, 1), Condition((), "int32", True))


@pytest.mark.parametrize("images", [FLOATS, np.zeros([2, 8, 8, 1]), tf.zeros([2, 8, 8, 1])])
def test_batches_that_fit(images):
    check_batch(images, None, None, PLAIN)
    for labels in (INTEGERS, np.arange(2, dtype="uint8"), tf.constant([1, 2])):
        check_batch(images, labels, None, CONDITIONAL)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (tf.TensorSpec([8, 8, 1]), ValueError, r"\[batch, 8, 8, 1\]"),
        (np.zeros([8, 8, 1]), ValueError, r"Received: single ones.*dataset.batch\(64\)"),
        (np.zeros([3, 1, 8, 8]), ValueError, r"generator returns, \[8, 8, 1\]. Received: \[1, 8"),
        ({"image": FLOATS, "label": INTEGERS}, TypeError, r"lambda element: element\['image'\]"),
        ({"x": FLOATS, "y": INTEGERS}, TypeError, r"dictionary of \['x', 'y'\]. Choose"),
        ((FLOATS, INTEGERS), TypeError, r"a tuple of 2. Labels are .*fit\(images, labels\)"),
        (tf.TensorSpec([None, 8, 8, 1], tf.uint8), TypeError, "must be floats.*Received: uint8"),
        ("photos", TypeError, "Received: <class 'str'>"),
    ],
)
def test_examples_that_do_not_fit(images, error, message):
    with pytest.raises(error, match=message):
        check_batch(images, None, None, PLAIN)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (({"image": 0, "label": 1}, None), r"dictionary of \['image', 'label'\]. Choose: fit\(x"),
        ((list(points(5)), None), r"Received: a list of 5. .* numpy.stack\(images\)"),
        ((points(4), [0, 1, 2, 3]), r"`y` must be an array of classes.*numpy.asarray\(labels\)"),
    ],
)
def test_kinds_that_keras_takes_for_something_else(data, message):
    gan = make()
    for use in (gan.fit, gan.evaluate, gan.train_on_batch):
        with pytest.raises(TypeError, match=message):
            use(*data)


def test_data_sets_are_checked_before_training():
    gan = make()
    single = tf.data.Dataset.from_tensor_slices(points(16))
    with pytest.raises(ValueError, match=r"in batches, shape \[batch, 2\].*dataset.batch\(64\)"):
        gan.fit(single, verbose=0)
    with pytest.raises(ValueError, match="Received: single ones"):
        gan.fit(single.batch(8), validation_data=single, verbose=0)
    named = tf.data.Dataset.from_tensors({"point": points(8), "label": np.arange(8)})
    with pytest.raises(TypeError, match=r"dataset.map\(lambda element: element\['point'\]\)"):
        gan.fit(named, verbose=0)
    assert gan.steps == 0


class Endless(Rows):
    num_batches = None


@pytest.mark.parametrize("data", [sliced(points(16)).repeat(), Endless(points(16))])
def test_data_without_end_need_a_number_of_steps(data):
    gan = make()
    message = "{} is needed: the data have no end.*Received: None. Write .*=500"
    with pytest.raises(ValueError, match=message.format("`steps_per_epoch`")):
        gan.fit(data)
    with pytest.raises(ValueError, match=message.format("`validation_steps`")):
        gan.fit(points(16), validation_data=data)
    with pytest.raises(ValueError, match=message.format("`steps`")):
        gan.evaluate(data)
    data_checks.check_end(data, 3, "steps")
    data_checks.check_end(tgs.data.mixture(batch_size=4), None, "steps")


def test_discriminators_that_end_in_a_sigmoid_are_warned_of():
    generator, _ = points_pair()
    discriminator = keras.Sequential([keras.Input((2,)), layers.Dense(1, "sigmoid")])
    gan = tgs.GAN(generator, discriminator, latents=3)
    with warnings.catch_warnings(record=True) as seen:  # Keras warns of something else.
        warnings.simplefilter("always")
        gan.compile("sgd", "sgd", loss="hinge", jit_compile=False)
    said = [str(w.message) for w in seen if w.category is UserWarning]
    assert said[0].startswith("The discriminator ends in a sigmoid, and the loss 'hinge' takes")
    data_checks.warn_of_sigmoid(discriminator, tgs.game.losses.least_squares)
    own = tgs.game.losses.get((lambda real, fake: real, lambda real, fake: fake))
    data_checks.warn_of_sigmoid(discriminator, own)
    data_checks.warn_of_sigmoid(generator, tgs.game.losses.hinge)


def test_a_softmax_at_the_end_is_warned_of_too():
    discriminator = keras.Sequential([keras.Input((2,)), layers.Dense(2, "softmax")])
    with pytest.warns(UserWarning, match="ends in a softmax, .* 'non_saturating' takes logits"):
        data_checks.warn_of_sigmoid(discriminator, tgs.game.losses.non_saturating)


def test_pictures_of_a_sigmoid_would_be_shown_gray():
    with pytest.warns(UserWarning, match="ends in a sigmoid.*show it gray. End it in tanh"):
        data_checks.check_values("x", np.zeros([2, 8, 8, 1]), "sigmoid")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (200.0, "Pictures must be floats in .*values from 0 to 200 in the conditions of"),
        (np.nan, "NaN or infinity in 1 of 8 examples of the conditions of the batch, .* index 3"),
    ],
)
def test_conditions_are_examined_as_examples_are(value, message):
    shape = (4, 4, 1)
    inputs = [keras.Input((3,)), keras.Input(shape)]
    made = layers.Reshape(shape)(layers.Dense(16)(inputs[0]))
    generator = keras.Model(inputs, layers.Add()([made, inputs[1]]))
    both = [keras.Input(shape), keras.Input(shape)]
    logits = layers.Dense(1)(layers.Flatten()(layers.Concatenate()(both)))
    gan = tgs.GAN(generator, keras.Model(both, logits), latents=3)
    gan.compile("sgd", "sgd", jit_compile=False)
    pictures = np.zeros([8, *shape], "float32")
    conditions = pictures.copy()
    conditions[3, 1, 2] = value
    with pytest.raises(ValueError, match=message):
        gan.train_on_batch(pictures, conditions)
    assert gan.steps == 0


@pytest.mark.slow
def test_networks_that_are_frozen_as_a_whole_are_refused():
    gan = make()
    gan.discriminator.trainable = False
    with pytest.raises(ValueError, match="discriminator must have weights that train.*Leave out"):
        gan.compile("sgd", "sgd")


@pytest.mark.parametrize(
    ("shape", "fix"),
    [
        ((4, 6), r"images\[..., None\]"),
        ((1, 4, 6), "channels last: numpy.transpose"),
        ((5, 6, 1), "Resize"),
    ],
)
def test_missing_and_leading_channels_are_told_from_other_sizes(shape, fix):
    with pytest.raises(ValueError, match=fix):
        data_checks.check_shape([8, *shape], (4, 6, 1))


def test_weights_of_examples_are_refused():
    gan = make()
    for name in ("sample_weight", "class_weight"):
        for use in (gan.fit, gan.evaluate, gan.train_on_batch, gan.test_on_batch):
            with pytest.raises(ValueError, match=f"`{name}` has no meaning.*Leave it out"):
                use(points(8), **{name: np.ones(8)})
    assert gan.steps == 0


def test_data_sets_have_their_own_batch_size():
    gan = make()
    for data, fix in (
        (tgs.data.digits(batch_size=8), r"batch_size=4\); here it is 8"),
        (sliced(points(16)), r"dataset.batch\(4\)"),
        (Rows(points(16)), r"dataset.batch\(4\)"),
    ):
        with pytest.raises(ValueError, match=f"`batch_size` is for arrays.*{fix}"):
            gan.fit(data, batch_size=4)
    with pytest.raises(ValueError, match="`batch_size` is for arrays"):
        gan.evaluate(data, batch_size=4)
    assert gan.steps == 0


def test_no_examples_are_refused():
    with pytest.raises(ValueError, match="`x` must hold examples. Received: none"):
        make().fit(points(8)[:0])


def test_later_batches_alone_are_examined_too():
    gan = make(run_eagerly=True)
    bad = points(8)
    bad[5] = np.nan
    for use in (gan.train_on_batch, gan.test_on_batch):
        use(points(8))
        with pytest.raises(ValueError, match="1 of 8 examples of the batch, the first at index 5"):
            use(bad)
    assert gan.steps == 1


@pytest.mark.slow
def test_later_batches_of_another_size_are_told_in_plain_words():
    shapes = iter([(4, 2), (4, 3)])
    data = tf.data.Dataset.from_generator(
        lambda: (np.zeros(shape, "float32") for shape in shapes),
        output_signature=tf.TensorSpec([None, None]),
    )
    with pytest.raises(ValueError, match=r"have the shape \[\?,2\]. Received: \[4,3\] in a later"):
        make().fit(data, verbose=0)
