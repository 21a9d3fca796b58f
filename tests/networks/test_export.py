"""Networks rebuilt with Keras' own layers."""

import keras
import numpy as np
import pytest

import tfgan_stab as tgs

layers = keras.layers
LATENTS = np.random.default_rng(0).standard_normal((3, 4)).astype("float32")


def trained(network):
    """Gives every weight, moving statistics included, a value of its own."""
    random = np.random.default_rng(1)
    weights = [np.abs(random.standard_normal(w.shape)) + 0.1 for w in network.get_weights()]
    network.set_weights(weights)
    return network


def image_generator(*middle):
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(32), layers.Reshape((4, 4, 2)), *middle, layers.Flatten()]
    )


def with_branches():
    inputs = keras.Input((4,))
    shared = tgs.networks.BatchNormalization()
    joined = layers.Add()([shared(inputs), shared(layers.Dense(4)(inputs))])
    return keras.Model(inputs, keras.Sequential([tgs.networks.LayerNormalization()])(joined))


CASES = {
    "dcgan": lambda: tgs.networks.dcgan_generator(8, 1, latents=4, width=4),
    "resnet": lambda: tgs.networks.resnet_generator(8, 1, latents=4, width=4, multiples=(2, 1)),
    "batch": lambda: image_generator(tgs.networks.BatchNormalization(momentum=0.5)),
    "layer": lambda: image_generator(tgs.networks.LayerNormalization(axis=(1, 2, 3))),
    "group": lambda: image_generator(tgs.networks.GroupNormalization(groups=2)),
    "upsampling": lambda: image_generator(tgs.networks.UpSampling2D(interpolation="bilinear")),
    "resizing": lambda: image_generator(tgs.networks.Resizing(7, 5)),
    "branches, shared and nested": with_branches,
}


@pytest.mark.parametrize("name", CASES)
def test_copy_has_keras_layers_and_equal_outputs(name):
    network = trained(CASES[name]())
    copy = tgs.networks.with_keras_layers(network)
    kinds = {type(layer).__module__.split(".")[0] for layer in copy._flatten_layers()}
    assert kinds == {"keras"}
    assert [w.name for w in copy.weights] == [w.name for w in network.weights]
    np.testing.assert_allclose(copy(LATENTS), network(LATENTS), rtol=1e-5, atol=1e-6)
    # The network itself is unchanged.
    kinds = {type(layer).__module__.split(".")[0] for layer in network._flatten_layers()}
    assert "tfgan_stab" in kinds


RESNET = {"latents": 4, "width": 4, "num_classes": 3, "output_activation": "linear"}
CONDITIONAL = {
    "dcgan": lambda: tgs.networks.dcgan_generator(8, 1, latents=4, width=4, num_classes=3),
    "resnet": lambda: tgs.networks.resnet_generator(8, 1, multiples=(2, 1), **RESNET),
    "shared embedding": lambda: tgs.networks.resnet_generator(
        8, 1, multiples=(2, 1), shared_embedding=5, hierarchical=True, **RESNET
    ),
}


@pytest.mark.parametrize("name", CONDITIONAL)
def test_copy_of_a_conditional_network(name):
    network = trained(CONDITIONAL[name]())
    copy = tgs.networks.with_keras_layers(network)
    labels = np.array([0, 2, 1], "int32")
    np.testing.assert_allclose(copy([LATENTS, labels]), network([LATENTS, labels]), rtol=1e-5)
    assert not np.allclose(copy([LATENTS, labels]), copy([LATENTS, labels[::-1]]))


class Custom(keras.Model):
    """A model that cannot be cloned layer by layer."""

    def __init__(self):
        super().__init__()
        self.normalize = tgs.networks.BatchNormalization()

    def call(self, inputs):
        return self.normalize(inputs)


@keras.saving.register_keras_serializable("test_export")
class Half(keras.Sequential):
    """A model whose outputs its layers alone do not define."""

    def call(self, inputs, training=None, mask=None):
        return 0.5 * super().call(inputs, training=training, mask=mask)


@pytest.mark.parametrize("outside", [False, True])
def test_custom_models_keep_their_outputs(outside):
    own = Half([keras.Input((4,)), tgs.networks.LayerNormalization()])
    network = keras.Sequential([keras.Input((4,)), own]) if outside else own
    copy = tgs.networks.with_keras_layers(network)
    np.testing.assert_array_equal(copy(LATENTS), network(LATENTS))


def test_networks_with_nothing_to_replace_are_returned():
    custom = Custom()
    custom(LATENTS)
    plain = keras.Sequential([keras.Input((4,)), layers.BatchNormalization()])
    assert tgs.networks.with_keras_layers(custom) is custom
    assert tgs.networks.with_keras_layers(plain) is plain
    spectral = tgs.networks.SpectralNormalization(layers.Dense(2))
    spectral = keras.Sequential([keras.Input((4,)), spectral])
    assert tgs.networks.with_keras_layers(spectral) is spectral
