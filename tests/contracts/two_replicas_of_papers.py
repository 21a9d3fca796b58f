"""Networks of the papers on one and on two replicas; run by `test_replicas.py` in its process."""

import sys

import keras
import numpy as np
import tensorflow as tf
from devices import STRATEGIES
from paper_networks import CLASSES, LATENTS, PAIRS

import tfgan_stab as tgs

ROWS, STEPS = 4, 2


def train(name, replicas):
    """Takes steps with a gradient penalty; returns the model and the history.

    Batch normalization keeps its first statistics: each replica would have those of its own rows.
    """
    strategy = STRATEGIES[replicas]
    with strategy.scope():
        networks = PAIRS[name]()
        for network, start in zip(networks, started(name), strict=True):
            network.set_weights(start.get_weights())
            for layer in batch_normalizations(network):
                layer.trainable = False
        classes = CLASSES if "class" in name else None
        gan = tgs.GAN(*networks, latents=LATENTS, num_classes=classes)
        gan.compile(
            *(keras.optimizers.SGD(0.01) for _ in networks),
            penalties=[tgs.R1(1.0)],
            check_derivatives=False,
            jit_compile=False,
            seed=2,
        )
    history = gan.fit(examples(gan), verbose=0).history
    for variable in gan.variables:
        copies = [v.numpy() for v in strategy.experimental_local_results(variable.value)]
        synced = variable.value.synchronization != tf.VariableSynchronization.ON_READ
        assert not synced or all(np.array_equal(v, copies[0]) for v in copies), variable.path
    return gan, history


def started(name):
    """The networks with statistics of one batch: with 0 and 1 signals vanish in some of them."""
    keras.utils.set_random_seed(0)
    networks = PAIRS[name]()
    random = np.random.default_rng(1)
    labels = [np.arange(8, dtype="int32") % CLASSES]
    for network in networks:
        for layer in batch_normalizations(network):
            layer.momentum = 0.0
        values = random.normal(size=(8, *network.inputs[0].shape[1:])).astype("float32")
        network([values, *labels] if len(network.inputs) == 2 else values, training=True)
    return networks


def batch_normalizations(network):
    kind = keras.layers.BatchNormalization
    return [each for each in network._flatten_layers() if isinstance(each, kind)]


def examples(gan):
    """Batches of examples, with labels where the networks take them."""
    random = np.random.default_rng(0)
    count = STEPS * ROWS
    shape = gan.pair.example_shape
    low = -1 if len(shape) == 3 else 0  # Texts are probabilities.
    found = random.uniform(low, 1, [count, *shape]).astype("float32")
    labels = (np.arange(count, dtype="int32") % CLASSES,) if gan.pair.conditional else ()
    return tf.data.Dataset.from_tensor_slices((found, *labels) if labels else found).batch(ROWS)


def compare(name):
    """Exits with what differs."""
    (one, logs_of_one), (two, logs_of_two) = (train(name, replicas) for replicas in (1, 2))
    for ours, theirs, start in zip(one.networks, two.networks, started(name), strict=True):
        for a, b in zip(ours.variables, theirs.variables, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-6, err_msg=a.path)
        trained = {id(variable) for variable in ours.trainable_variables}
        pairs = zip(ours.variables, start.variables, strict=True)
        changed = [np.any(a.numpy() != b.numpy()) for a, b in pairs if id(a) in trained]
        assert np.mean(changed) > 0.5, changed
    for key, values in logs_of_one.items():
        np.testing.assert_allclose(values, logs_of_two[key], rtol=1e-4, err_msg=key)


for case in sys.argv[1:]:
    compare(case)
    print(f"{case} agrees")
