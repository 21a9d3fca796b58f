"""Trains on one and on two replicas and compares; run by `test_replicas.py` in its own process.

After a folder for what one replica ends with come cases: scheme:optimizer:penalties, with ":xla"
where XLA compiles the gradients of the two; "uneven:" first for a smaller last batch. "scores" is
a case of its own, with the calls that XLA compiles.
"""

import gc
import itertools
import os
import pathlib
import pickle
import sys
import zlib

import keras
import naive_conditional_gan as naive
import numpy as np
import replica_scores
import tensorflow as tf
from collectives import in_order
from devices import STRATEGIES
from penalties import MIXED, PENALTIES
from schemes import SCHEMES

import tfgan_stab as tgs
from tfgan_stab.training import distribution
from tfgan_stab.training.workers import num_workers

layers = keras.layers
ROWS, STEPS = 8, 10
TOLERANCE = 1e-5
OPTIMIZERS = {
    "sgd": lambda: (keras.optimizers.SGD(0.02), keras.optimizers.SGD(0.04)),
    "adam": lambda: (
        keras.optimizers.Adam(0.01, beta_1=0.5, clipnorm=0.05),
        keras.optimizers.Adam(0.02, beta_1=0.5, global_clipnorm=0.05, weight_decay=0.01),
    ),
}


def networks(normalized=False):
    extra = [layers.BatchNormalization()] if normalized else []
    generator = keras.Sequential(
        [keras.Input((3,)), layers.Dense(6, "tanh"), *extra, layers.Dense(2)]
    )
    hidden = tgs.networks.SpectralNormalization(layers.Dense(6, "tanh"))
    discriminator = keras.Sequential([keras.Input((2,)), hidden, layers.Dense(1)])
    return generator, discriminator


class Alike:
    """Latents that do not depend on the number of a row."""

    shape = (3,)

    def __call__(self, count, seed):
        return tf.ones([count, 3]) * tgs.data.latents.Normal(3)(1, seed)


def made(replicas, case, jit_compile=False, latents=3, **settings):
    """A GAN on so many replicas, with top-k over all of them together and an average."""
    name, optimizer, penalties = case.split(":")[:3]
    top_k = tgs.TopK(decay=0.8, every=2, floor=0.3, scope="global")
    with STRATEGIES[replicas].scope():
        keras.utils.set_random_seed(1)
        gan = tgs.GAN(*networks(), latents=latents)
        gan.compile(
            *OPTIMIZERS[optimizer](),
            scheme=SCHEMES[name][0],
            penalties={**PENALTIES, **MIXED}[penalties],
            jit_compile=jit_compile,
            seed=2,
            check_derivatives=False,
            **{"top_k": top_k, "averages": {"ema": tgs.ExponentialAverage(0.5)}, **settings},
        )
    return gan


def batches(scheme, replicas):
    """Each step's points, float32 `[steps, rows, 2]`."""
    count = scheme.data_minibatches
    data = np.random.RandomState(0).normal(size=[STEPS, ROWS * count, 2]).astype("float32")
    if replicas == 1:
        return data
    # Replicas take the first and the second half of a batch and cut their minibatches from it:
    # order the rows so that both replicas' minibatch m together is minibatch m of the single one.
    halves = data.reshape([STEPS, count, 2, ROWS // 2, 2]).swapaxes(1, 2)
    return halves.reshape(data.shape)


def check_copies(gan):
    """All replicas have the same bits of whatever a step changes, metrics aside."""
    strategy = gan.distribute_strategy
    own = changed(gan)
    for path, variable in own.items():
        copies = [v.numpy() for v in strategy.experimental_local_results(variable.value)]
        if any(copy.tobytes() != copies[0].tobytes() for copy in copies):
            sys.exit(f"copies of {path} differ")
    if num_workers(strategy) > 1:
        bits = b"".join(variable.numpy().tobytes() for variable in own.values())
        found = distribution.of_all(strategy, [zlib.crc32(bits)])
        assert len(found) == 2 and found[0] == found[1], found


def changed(gan):
    """What a step changes, optimizers' state included; metrics are each replica's own."""
    metrics = {id(v) for m in gan.metrics for v in m.variables}
    found = [v for v in gan._all_variables() if id(v) not in metrics]
    return {f"{number} {v.path}": v for number, v in enumerate(found)}


def outcome(gan, logs):
    """All numbers that a training ends with, by name."""
    found = {path: variable.numpy() for path, variable in changed(gan).items()}
    return list(found) + list(logs), [*found.values(), *map(np.asarray, logs.values())]


def difference(one, two):
    """The largest difference of any number of theirs, of logs relative to their size."""
    names, numbers = two
    assert len(names) == len(one) > 10
    found = {}
    for name, mine, other in zip(names, one, numbers, strict=True):
        scale = 1.0 if other.shape != (1,) else np.abs(mine)
        apart = np.abs(mine.astype("float64") - other) / scale
        found[name] = float(np.max(apart, initial=0.0))
    worst = max(found, key=found.get)
    assert found[worst] <= TOLERANCE, (worst, found[worst])
    return found[worst]


def compare(case, references):
    """Trains on one and on two replicas; returns the largest difference."""
    scheme, jit_compile = SCHEMES[case.split(":")[0]][0], case.endswith(":xla")
    two = made(2, case, jit_compile)
    logs = trained(two, batches(scheme, 2))
    assert two.compilation.scope == ("field" if jit_compile else "off"), two.compilation
    assert int(two.images_seen) == STEPS * ROWS * scheme.data_minibatches
    check_copies(two)
    # Tracing takes most of the time: what one replica ends with is kept for others to compare.
    kept = references / f"{case.replace(':', '-')}.npy"
    if not kept.exists():
        one = made(1, case)
        _, numbers = outcome(one, trained(one, batches(scheme, 1)))
        own = kept.with_suffix(f".{os.getpid()}")
        own.write_bytes(pickle.dumps(numbers))
        os.replace(own, kept)
    return difference(pickle.loads(kept.read_bytes()), outcome(two, logs))


def trained(gan, data):
    """The logs of a training whose steps are given."""
    data = tf.data.Dataset.from_tensor_slices(data)
    return gan.fit(data, verbose=0).history


def compare_uneven(case):
    """The same with a smaller last batch; latents are all alike, as its replicas draw others."""
    found = []
    for rows in (8 + 1, 8 + 5):  # One replica without a row; 3 and 2 rows.
        data = np.random.RandomState(0).normal(size=[rows, 2]).astype("float32")
        ends = []
        for replicas in (1, 2):
            gan = made(replicas, case, latents=Alike())
            logs = gan.fit(data, batch_size=8, shuffle=False, verbose=0).history
            ends.append(outcome(gan, logs))
            assert gan.images_seen == rows, gan.images_seen
        check_copies(gan)
        found.append(difference(ends[0][1], ends[1]))
    return max(found)


def check_normalized():
    """Batch statistics are means over replicas, and alike on all."""
    with STRATEGIES[2].scope():
        gan = tgs.GAN(*networks(True), latents=3)
        gan.compile("sgd", "sgd", jit_compile=False)
    data = np.random.RandomState(0).normal(size=[32, 2]).astype("float32")
    gan.fit(data, batch_size=8, verbose=0)
    check_copies(gan)


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


def check_fake_labels():
    """Each replica draws the classes that one would have drawn for the same rows."""
    random = np.random.RandomState(0)
    points = random.normal(size=[6 * ROWS, naive.SIZE]).astype("float32")
    labels = random.randint(naive.CLASSES, size=6 * ROWS).astype("int32")
    found = []
    for replicas, jit_compile in ((1, False), (2, False), (2, True)):
        with STRATEGIES[replicas].scope():
            gan = tgs.GAN(*naive.networks(), latents=naive.LATENTS)
            gan.compile(
                *OPTIMIZERS["sgd"](),
                scheme=tgs.Alternating(2),
                penalties=[tgs.R1(0.5)],
                top_k=tgs.TopK(floor=0.5, every=1, decay=0.8, scope="global"),
                jit_compile=jit_compile,
                fake_labels="uniform",
            )
        # The rows of both replicas' minibatch m are those of minibatch m of the single one.
        order = np.arange(6 * ROWS).reshape([3, 2, 2, ROWS // 2])
        order = (order.swapaxes(1, 2) if replicas == 2 else order).ravel()
        data = points[order], labels[order]
        history = gan.fit(*data, batch_size=2 * ROWS, shuffle=False, verbose=0).history
        check_copies(gan)
        found.append(outcome(gan, history))
    for two in found[1:]:
        difference(found[0][1], two)


def check_steps_per_execution():
    """Keras calls fewer times, for the same steps; a call ends where the data do."""
    data = np.random.RandomState(0).normal(size=[3 * ROWS, 2]).astype("float32")
    found = []
    for count in (1, 2):
        gan = made(2, "simultaneous:sgd:none", steps_per_execution=count)
        logs = gan.fit(data, batch_size=ROWS, shuffle=False, verbose=0).history
        assert gan.steps == 3
        found.append(outcome(gan, logs)[1])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


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


def check_compiled_calls():
    """Where XLA compiles, each replica makes one compiled call between two reductions."""
    settings = {"averages": {"ema": tgs.ExponentialAverage(0.5)}, "top_k": None}
    gan = made(2, "alternating:adam:r1_and_gradient_norm", jit_compile=True, **settings)
    gan.make_train_function()
    data = tf.data.Dataset.from_tensors(tf.zeros([ROWS, 2]))
    spec = STRATEGIES[2].experimental_distribute_dataset(data).element_spec
    call = gan.execution.functions.one.get_concrete_function(spec)  # Traced, not compiled.
    found = [(kind, len(list(own))) for kind, own in itertools.groupby(in_order(call.graph))]
    # Two updates, the generator's gradient at the start, its penalty's derivative, the average.
    assert found == 5 * [("compiled", 2), ("reduce", 2)], found


if __name__ == "__main__":
    gc.disable()  # It would look through the graphs of all cases again and again.
    for case in sys.argv[2:]:
        if case == "scores":
            replica_scores.check()
            check_compiled_calls()
            print(f"{case} agrees")
            continue
        if case == "one scheme":
            check_normalized()
            check_conditions()
            check_augmentation()
            check_fake_labels()
            check_power_iteration()
            check_steps_per_execution()
            print(f"{case} agrees")
            continue
        plain = case.removeprefix("uneven:")
        largest = (
            compare(case, pathlib.Path(sys.argv[1])) if plain == case else compare_uneven(plain)
        )
        print(f"{case} agrees, largest difference {largest:.1e}", flush=True)
