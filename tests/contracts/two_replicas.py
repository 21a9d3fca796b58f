"""Trains on one and on two replicas and compares; run by `test_replicas.py` in its own process."""

import sys
import zlib

import keras
import numpy as np
import tensorflow as tf
from devices import STRATEGIES
from penalties import PENALTIES
from schemes import SCHEMES

import tfgan_stab as tgs
from tfgan_stab.training import distribution
from tfgan_stab.training.workers import num_workers

layers = keras.layers
ROWS, STEPS = 8, 4


def networks(normalized):
    extra = [layers.BatchNormalization()] if normalized else []
    generator = keras.Sequential(
        [keras.Input((3,)), layers.Dense(6, "tanh"), *extra, layers.Dense(2)]
    )
    hidden = tgs.networks.SpectralNormalization(layers.Dense(6, "tanh"))
    discriminator = keras.Sequential([keras.Input((2,)), hidden, layers.Dense(1)])
    return generator, discriminator


def train(scheme, penalties, replicas, jit_compile, normalized=False):
    strategy = STRATEGIES[replicas]
    with strategy.scope():
        keras.utils.set_random_seed(1)
        gan = tgs.GAN(*networks(normalized), latents=3)
        gan.compile(
            keras.optimizers.Adam(0.05, beta_1=0.5, clipnorm=0.05),
            keras.optimizers.Adam(0.1, beta_1=0.5, global_clipnorm=0.05, weight_decay=0.01),
            scheme=scheme,
            penalties=penalties,
            averages={"ema": tgs.ExponentialAverage(0.5)},
            jit_compile=jit_compile,
            seed=2,
        )
    data = np.random.RandomState(0).normal(size=[STEPS, ROWS * scheme.data_minibatches, 2])
    # Replicas take the first and the second half of a batch and cut their minibatches from it:
    # order the rows so that both replicas' minibatch m together is minibatch m of the single one.
    if replicas == 2:
        data = data.reshape([STEPS, scheme.data_minibatches, 2, ROWS // 2, 2]).swapaxes(1, 2)
        data = data.reshape([STEPS, ROWS * scheme.data_minibatches, 2])
    dataset = tf.data.Dataset.from_tensor_slices(data.astype("float32"))
    history = gan.fit(dataset, verbose=0).history
    for variable in gan.variables:
        copies = [v.numpy() for v in strategy.experimental_local_results(variable.value)]
        synced = variable.value.synchronization != tf.VariableSynchronization.ON_READ
        if synced and any(np.any(copy != copies[0]) for copy in copies):
            sys.exit(f"copies of {variable.path} differ")
    check_workers(gan)
    return gan, history


def check_workers(gan):
    """Processes that have a replica each have the same weights to the last bit."""
    bits = b"".join(value.tobytes() for value in weights(gan).values())
    if num_workers(gan.distribute_strategy) > 1:
        found = distribution.of_all(gan.distribute_strategy, zlib.crc32(bits))
        assert len(set(found)) == 1 and len(found) == 2, found


def weights(gan):
    metrics = {id(v) for m in gan.metrics for v in m.variables}
    return {v.path: v.numpy() for v in gan.variables if id(v) not in metrics}


def compare(name, xla, penalty):
    """Trains a scheme on one and on two replicas, and exits with what differs."""
    jit_compile = {"auto": "auto", "off": False}[xla]
    scheme, penalties = SCHEMES[name][0], PENALTIES[penalty]
    one, history_of_one = train(scheme, penalties, 1, False)
    two, history_of_two = train(scheme, penalties, 2, jit_compile)
    assert two.compilation.scope == ("field" if jit_compile else "off"), two.compilation
    for (path, a), b in zip(weights(one).items(), weights(two).values(), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5, err_msg=f"{name} {path}")
    for key, values in history_of_one.items():
        np.testing.assert_allclose(values, history_of_two[key], rtol=1e-4, err_msg=f"{name} {key}")
    assert int(two.images_seen) == STEPS * ROWS * scheme.data_minibatches
    for own in ("live", "ema"):
        samples = [gan.sample(5, weights=own, seed=3) for gan in (one, two)]
        np.testing.assert_allclose(*samples, rtol=1e-3, atol=1e-4)


def uneven(replicas, rows):
    """Trains on a batch and a smaller last one, whose rows replicas cannot share evenly."""
    strategy = STRATEGIES[replicas]
    with strategy.scope():
        keras.utils.set_random_seed(1)
        gan = tgs.GAN(*networks(False), latents=3)
        gan.compile("sgd", "sgd", scheme=tgs.Simultaneous(), jit_compile=False, seed=2)
    data = np.random.RandomState(0).normal(size=[rows, 2]).astype("float32")
    gan.fit(data, batch_size=8, shuffle=False, verbose=0)
    found = gan.evaluate(data, batch_size=8, verbose=0)
    return gan, found


def check_uneven():
    for rows in (8 + 1, 8 + 5):  # One replica without a row; 3 and 2 rows.
        gan, losses = uneven(2, rows)
        assert gan.images_seen == rows, gan.images_seen
        assert np.isfinite(losses).all(), losses
        assert all(np.isfinite(value).all() for value in weights(gan).values())
        for variable in gan.variables:
            copies = STRATEGIES[2].experimental_local_results(variable.value)
            if variable.value.synchronization != tf.VariableSynchronization.ON_READ:
                assert all(np.all(c.numpy() == copies[0].numpy()) for c in copies), variable.path


def operations(scheme, penalties, rows, jit_compile=False):
    """Returns the operations of the graph of a step on both replicas."""
    with STRATEGIES[2].scope():
        gan = tgs.GAN(*networks(True), latents=3)
        gan.compile("sgd", "sgd", scheme=scheme, penalties=penalties, jit_compile=jit_compile)

    @tf.function
    def step(data):
        return STRATEGIES[2].run(gan.train_step, args=(data,))

    return step.get_concrete_function(tf.TensorSpec([rows, 2])).graph.get_operations()


def reductions(*arguments):
    """Counts what the graph of a step communicates: operations per replica."""
    found = [o for o in operations(*arguments) if o.type.startswith("CollectiveReduce")]
    return len(found) / len(STRATEGIES[2].extended.worker_devices)


def compiled_calls(*arguments):
    """Counts what XLA compiles in the graph of a step: calls per replica."""
    found = operations(*arguments, True)
    called = [o for o in found if "_XlaMustCompile" in o.node_def.attr]
    return len(called) / len(STRATEGIES[2].extended.worker_devices)


def check_reductions(name):
    """One reduction for each evaluation, and one more where the number of rows is not known."""
    scheme, _ = SCHEMES[name]
    known = reductions(scheme, [], ROWS * scheme.data_minibatches)
    assert known == scheme.evaluations, (name, known)
    # One compiled call before each reduction: the whole evaluation of the gradients.
    compiled = compiled_calls(scheme, [], ROWS * scheme.data_minibatches)
    assert compiled == scheme.evaluations, (name, compiled)
    if name in ("simultaneous", "rk4"):
        unknown = reductions(scheme, [], None)
        assert unknown == scheme.evaluations + 1, (name, unknown)
        # The penalty takes the gradients of the first evaluation, and communicates its own.
        penalized = reductions(
            scheme, PENALTIES["generator_gradient_norm"], ROWS * scheme.data_minibatches
        )
        assert penalized == scheme.evaluations + 1, (name, penalized)


def check_conditions():
    """Pictures that are made from pictures: each replica sees the conditions of its own rows."""
    pictures = np.random.RandomState(0).uniform(-1, 1, [16, 4, 4, 1]).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((pictures, -pictures)).batch(8)
    found = []
    for strategy in STRATEGIES.values():
        with strategy.scope():
            keras.utils.set_random_seed(1)
            generator = keras.Sequential(
                [keras.Input((4, 4, 1)), layers.Conv2D(1, 3, padding="same")]
            )
            discriminator = keras.Sequential(
                [keras.Input((4, 4, 2)), layers.Flatten(), layers.Dense(1)]
            )
            gan = tgs.GAN(generator, discriminator, latents=0)
            penalties = [tgs.Reconstruction(10.0)]
            gan.compile("sgd", "sgd", penalties=penalties, jit_compile=False)
        found.append(gan.fit(data, verbose=0, shuffle=False).history)
    for name, values in found[0].items():
        np.testing.assert_allclose(values, found[1][name], rtol=1e-5, err_msg=name)


def check_augmentation():
    """Replicas draw what one would have drawn for the same rows, and adapt alike."""
    pictures = np.random.RandomState(0).uniform(-1, 1, [48, 8, 8, 1]).astype("float32")
    found = []
    for strategy in STRATEGIES.values():
        with strategy.scope():
            keras.utils.set_random_seed(1)
            generator = keras.Sequential([keras.Input((3,)), layers.Dense(64)])
            generator.add(layers.Reshape((8, 8, 1)))
            discriminator = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten()])
            discriminator.add(layers.Dense(1))
            gan = tgs.GAN(generator, discriminator, latents=3)
            rule = tgs.augment.Adaptive(probability=0.5, interval=2, images=100)
            rates = (0.01, 0.01)
            gan.compile(*map(keras.optimizers.SGD, rates), augment=rule, jit_compile=False)
        history = gan.fit(pictures, batch_size=8, shuffle=False, verbose=0).history
        state = gan._scheme_memory["augmentation"].weights[0].value
        copies = [copy.numpy() for copy in strategy.experimental_local_results(state)]
        assert all(np.array_equal(copy, copies[0]) for copy in copies), copies
        assert copies[0][0] not in (0.0, 0.5, 1.0), copies
        found.append((history, copies[0]))
    np.testing.assert_array_equal(found[0][1], found[1][1])
    for name, values in found[0][0].items():
        np.testing.assert_allclose(values, found[1][0][name], rtol=1e-5, err_msg=name)


def check_power_iteration():
    """In an ordinary training step, where nothing keeps a layer from writing its vector."""
    vectors = []
    for strategy in STRATEGIES.values():
        with strategy.scope():
            layer = tgs.networks.SpectralNormalization(layers.Dense(4), seed=1)
            layer.layer.kernel_initializer = keras.initializers.RandomNormal(seed=2)
            layer.build((None, 3))
        step = tf.function(lambda layer=layer: layer(tf.ones([2, 3]), training=True))
        strategy.run(step)
        copies = strategy.experimental_local_results(layer.vector.value)
        vectors += [copy.numpy() for copy in copies]
    assert len(vectors) >= 2 and np.any(vectors[0] != layer._initial_vector((4,), "float32"))
    for vector in vectors:
        np.testing.assert_array_equal(vector, vectors[0])


for case in sys.argv[1:]:
    if case == "one scheme":
        train(SCHEMES["simultaneous"][0], [], 2, False, normalized=True)
        check_uneven()
        check_conditions()
        check_augmentation()
        check_power_iteration()
    else:
        name, xla, penalty = case.split(":")
        compare(name, xla, penalty)
        check_reductions(name)
    print(f"{case} agrees")
