"""The model's settings are the arguments of `GAN.compile`, stated there alone."""

import functools
import inspect

import keras
import pytest

import tfgan_stab as tgs
from tfgan_stab.cli.jobs.train import build, train, with_arguments_of

PLAYERS = ("generator", "discriminator")
NETWORKS = {
    "generator": functools.partial(tgs.networks.mlp_generator, latents=2),
    "discriminator": tgs.networks.mlp_discriminator,
    "latents": 2,
}


def optimizers():
    return {f"{player}_optimizer": keras.optimizers.SGD(0.1) for player in PLAYERS}


@pytest.mark.parametrize("function", [build, train])
def test_signature_has_the_arguments_of_compile_and_their_defaults(function):
    stated = inspect.signature(function).parameters
    for name, parameter in inspect.signature(tgs.GAN.compile).parameters.items():
        if name != "self":
            assert stated[name].default == parameter.default
            assert stated[name].kind is inspect.Parameter.KEYWORD_ONLY
    assert not any(each.kind is each.VAR_KEYWORD for each in stated.values())


def test_arguments_reach_compile():
    gan = build(**NETWORKS, **optimizers(), run_eagerly=True, scheme=tgs.Simultaneous(), seed=3)
    assert (gan.run_eagerly, gan.scheme, gan.seed) == (True, tgs.Simultaneous(), 3)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"shceme": None}, TypeError, "Received: shceme=None. Write scheme="),
        ({"seed": -1}, ValueError, r"`seed` must be an integer in \[0, 2\*\*62\). Received: -1"),
    ],
)
def test_wrong_arguments(wrong, error, message):
    with pytest.raises(error, match=message):
        build(**NETWORKS, **optimizers(), **wrong)


def test_own_arguments_come_before_inner_ones():
    def inner(self, a, b=2, c=3):
        return a, b, c

    @with_arguments_of(inner)
    def outer(x, *, b=5, **others):
        return x, inner(None, b=b, **others)

    assert str(inspect.signature(outer)) == "(x, *, b=5, a, c=3)"
    assert outer(1, a=0) == (1, (0, 5, 3))
