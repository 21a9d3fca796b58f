"""What every scheme states of itself is what it does; what is no scheme is refused."""

import dataclasses

import pytest

from tfgan_stab.game.players import Players
from tfgan_stab.updates.alternating import Alternating
from tfgan_stab.updates.extragradient import Extragradient
from tfgan_stab.updates.optimistic import OptimisticGradient
from tfgan_stab.updates.runge_kutta import RK4, RungeKutta
from tfgan_stab.updates.scheme import Scheme, check_scheme
from tfgan_stab.updates.simultaneous import Simultaneous


@dataclasses.dataclass(frozen=True)
class OnlyStep(Scheme):
    """The least that a scheme must have."""

    def step(self, game, params, state):
        return game.update(params, game.field(params)), state


@pytest.mark.parametrize(
    "scheme",
    [
        Simultaneous(),
        Alternating(3),
        Alternating(2, reuse_batch=True),
        Extragradient(),
        Extragradient(batches="fresh"),
        OptimisticGradient(),
        RungeKutta(RK4),
        RungeKutta(RK4, batches="fresh"),
        OnlyStep(),
    ],
    ids=repr,
)
def test_stated_evaluations_and_minibatches_are_used(tiny, scheme):
    game = tiny.Rotation(0.1, (1.0,) * scheme.minibatches)
    tiny.play(scheme, game, 1)
    assert len(game.asked) == scheme.evaluations
    assert {minibatch for minibatch, _ in game.asked} == set(range(scheme.minibatches))


def test_defaults():
    scheme, state = OnlyStep(), object()
    assert scheme.minibatches == scheme.data_minibatches == 1
    assert scheme.init(Players(1.0, 2.0)) == ()
    assert scheme.restarted(state, Players(1.0, 2.0)) is state
    assert scheme.first_weight is scheme.synchronization_period is None
    assert scheme.separate_extrapolation is False
    assert check_scheme(scheme) is scheme


class NotDerived:
    """Looks like a scheme, and is none."""

    minibatches = evaluations = 1
    step = OnlyStep.step

    def __repr__(self):
        return "NotDerived()"


@pytest.mark.parametrize("scheme", ["euler", NotDerived()], ids=repr)
def test_scheme_must_derive_from_base_class(scheme):
    message = f"`scheme` must be an update scheme.*Received: {scheme!r}.*from tgs.updates.Scheme"
    with pytest.raises(TypeError, match=message.replace("()", r"\(\)")):
        check_scheme(scheme)


def test_class_instead_of_instance_is_refused():
    message = r"Received: Simultaneous itself. Write `Simultaneous\(...\)`"
    with pytest.raises(TypeError, match=message):
        check_scheme(Simultaneous)
