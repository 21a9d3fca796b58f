"""What of a Keras model shows in its hash, and what does not."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from tfgan_stab._utils.model_hash import model_hash
from tfgan_stab.evaluation.extractors.function import FunctionExtractor

IN_A_NEW_PROCESS = """
import keras, numpy as np
from tfgan_stab._utils.model_hash import model_hash
inputs = keras.Input([4])
hidden = keras.layers.Dense(3, activation="relu")(inputs)
model = keras.Model(inputs, keras.layers.Add()([hidden, keras.layers.Dense(3)(inputs)]))
model.set_weights([np.full(weight.shape, 0.5) for weight in model.get_weights()])
print(model_hash(model))
"""


def model(activation="relu", name=None, **options):
    layers = [
        keras.Input([4]),
        keras.layers.Dense(3, activation=activation, name=name, **options),
        keras.layers.BatchNormalization(),
    ]
    network = keras.Sequential(layers)
    network.set_weights([np.full(weight.shape, 0.5) for weight in network.get_weights()])
    return network


class Subclassed(keras.Model):
    def __init__(self, something):
        super().__init__()
        self.something = something
        self.dense = keras.layers.Dense(2, kernel_initializer="ones")

    def call(self, inputs):
        return self.dense(inputs)


def test_any_weight_shows():
    network = model()
    before = model_hash(network)
    for index, weight in enumerate(network.get_weights()):
        changed = network.get_weights()
        changed[index].reshape(-1)[-1] = np.nextafter(np.float32(0.5), np.float32(1))
        network.set_weights(changed)
        assert model_hash(network) != before, weight.shape
        network.set_weights([np.full(each.shape, 0.5) for each in changed])
        assert model_hash(network) == before


def test_what_a_layer_computes_shows():
    hashes = [model_hash(network) for network in (model("relu"), model("tanh"))]
    hashes += [model_hash(model(dtype=dtype)) for dtype in ("mixed_float16", "mixed_bfloat16")]
    assert len(set(hashes)) == 4


def test_an_activation_shows_where_the_layer_has_its_name():
    assert model_hash(model("relu", name="relu")) != model_hash(model("tanh", name="tanh"))


def test_what_feeds_what_shows():
    def difference(first, second):
        inputs = keras.Input([2])
        ends = [inputs, keras.layers.Dense(2, kernel_initializer="ones")(inputs)]
        return keras.Model(inputs, keras.layers.Subtract()([ends[first], ends[second]]))

    assert model_hash(difference(0, 1)) != model_hash(difference(1, 0))
    assert model_hash(difference(0, 1)) == model_hash(difference(0, 1))


def test_names_and_training_do_not_show():
    before = model_hash(model())
    assert model_hash(model(name="other")) == before
    assert model_hash(model(kernel_initializer="zeros", kernel_regularizer="l2")) == before
    assert model_hash(model(bias_constraint="non_neg")) == before
    compiled = model()
    compiled.compile(keras.optimizers.Adam(0.3), "mse")
    compiled.trainable = False
    assert model_hash(compiled) == before


def test_the_batch_that_a_model_was_built_with_does_not_show():
    def built_with(count):
        network = keras.Sequential([keras.layers.Dense(2, kernel_initializer="ones")])
        network(np.ones([count, 4]))
        return network

    def inside_another(network):
        inputs = keras.Input([4])
        return keras.Model(inputs, network(inputs))

    assert model_hash(built_with(5)) == model_hash(built_with(2))
    compiled = built_with(2)
    compiled.compile("sgd", "mse")
    assert model_hash(inside_another(built_with(5))) == model_hash(inside_another(compiled))


def test_a_model_that_is_saved_and_loaded_keeps_its_hash(tmp_path):
    network = model()
    network.save(tmp_path / "model.keras")
    assert model_hash(keras.saving.load_model(tmp_path / "model.keras")) == model_hash(network)


def test_layers_of_ones_own_need_no_configuration():
    network = Subclassed(keras.layers.ReLU())  # Which Keras cannot write down since 3.11.
    network(np.ones([1, 3]))
    again = Subclassed(keras.layers.ReLU())
    again(np.ones([1, 3]))
    assert model_hash(network) == model_hash(again)
    again.dense.bias.assign([1e-6, 0])
    assert model_hash(network) != model_hash(again)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_hash_is_the_same_in_any_process():
    command = [sys.executable, "-c", IN_A_NEW_PROCESS]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    keras.layers.Dense(1), keras.layers.Dense(1)  # So that Keras' numbers differ.
    here = {}
    exec(IN_A_NEW_PROCESS.replace("print(", "found = ("), here)
    assert result.stdout.strip() == here["found"] and len(here["found"]) == 64


def test_a_model_without_weights_has_no_hash_yet():
    with pytest.raises(RuntimeError, match="known once it has its weights.*not built"):
        model_hash(keras.Sequential([keras.layers.Dense(2)]))


@pytest.mark.slow
def test_an_extractor_of_a_model_that_is_trained_on_changes_its_hash():
    network = model()
    extractor = FunctionExtractor(network)
    before, features = extractor.content_hash, extractor(np.ones([2, 4], np.float32))
    network.compile(keras.optimizers.SGD(0.1), "mse")
    network.fit(np.ones([4, 4]), np.zeros([4, 3]), verbose=0)
    assert extractor.content_hash != before
    assert not np.array_equal(extractor(np.ones([2, 4], np.float32)), features)


def test_an_extractor_knows_the_hash_of_a_model_before_any_image():
    network = model()
    assert FunctionExtractor(network).content_hash == model_hash(network)[:8]
