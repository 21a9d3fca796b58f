"""A number that is not finite is named in the step it appears, and undone, in every scheme."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from poisons import PoisonedSGD, finite, make, numbers, renewed, same, train
from schemes import FEW, SCHEMES, chosen

import tfgan_stab as tgs
from tfgan_stab._utils.errors import DivergenceError
from tfgan_stab.game.penalties import LossPenalty
from tfgan_stab.training.nan_monitor import Fault

Guard = tgs.callbacks.DivergenceGuard

QUICK = {"simultaneous"}
STEP = 4


def expected_fault(name, kind, evaluation):
    """How the event describes a spoiled call of the generator's first layer."""
    scheme = SCHEMES[name][0]
    turns = "alternating" in repr(scheme).lower()
    last = scheme.evaluations
    own = "discriminator" if turns and evaluation < last else "generator"
    minibatch = min(evaluation, scheme.minibatches) if scheme.minibatches > 1 else 1
    variable = {"loss": None, "gradient": "maker/poisoned/kernel"}[kind]
    fault = Fault(own, kind, variable, evaluation, minibatch, STEP, (last, scheme.minibatches))
    known = {"text": str(fault), **fault._asdict()}
    del known["of"]
    return known


@pytest.mark.cases(full=4)
@pytest.mark.slow
@chosen(quick={"simultaneous"}, usual=FEW)
def test_spoiled_evaluation_is_named_and_rolled_back(name):
    evaluations = SCHEMES[name][0].evaluations
    cases = {("loss", 1), ("loss", evaluations), ("gradient", evaluations)}
    for kind, evaluation in sorted(cases):
        call = (STEP - 1) * evaluations + evaluation
        gan = renewed(name, call, {"loss": "output", "gradient": "kernel"}[kind])
        (event,), history = train(gan, Guard("rollback", every=2))
        assert event.kind == "rollback"
        assert event.details["fault"] == expected_fault(name, kind, evaluation)
        assert (event.step, event.details["steps_lost"]) == (2, 2)
        assert f"evaluation {evaluation} of {evaluations}" in event.text
        assert (gan.steps, gan.steps_taken) == (8, 10)
        rates = [
            float(o.learning_rate) for o in (*gan.optimizers, *gan.optimizers_for_extrapolation)
        ]
        assert rates == pytest.approx([(0.05 - 0.04 * 8 / 100) / 2, 0.01] * 2)
        assert finite(gan)
        assert all(np.isfinite(values).all() for values in history.values())


MEASURED = {"gradient_angle", "spread_ratio"}
ALL = [(name, {}) for name in SCHEMES if name in {"alternating_3", "rk4_fresh", *QUICK}]
ALL += [("alternating_3", {"run_eagerly": True}), ("simultaneous", {"jit_compile": True})]


@pytest.mark.slow
@pytest.mark.parametrize(
    "watchers",
    [("guard", "both"), pytest.param(("diagnostics",), marks=pytest.mark.exhaustive)],
    ids="+".join,
)
@pytest.mark.parametrize(
    ("name", "settings"),
    [pytest.param(*each, marks=[] if each == ALL[0] else pytest.mark.exhaustive) for each in ALL],
)
def test_watching_changes_nothing(name, settings, watchers):
    gan = renewed(name, **settings)
    _, plain = train(gan)
    expected = numbers(gan)
    guard, diagnostics = Guard("rollback", every=2), tgs.callbacks.Diagnostics()
    watching = {"guard": [guard], "diagnostics": [diagnostics], "both": [diagnostics, guard]}
    for each in watchers:
        renewed(name, **settings)
        events, watched = train(gan, *watching[each])
        assert not events
        assert same(gan, expected)
        assert {name: watched[name] for name in plain} == plain
        more = {"generator_gradient_l2", "discriminator_gradient_l2"}
        more |= MEASURED if each != "guard" else set()
        assert set(watched) - set(plain) == more


@pytest.mark.parametrize(
    ("name", "kind", "settings"),
    [
        pytest.param("alternating", "loss", {"jit_compile": True}, marks=pytest.mark.exhaustive),
        ("rk4", "gradient", {"jit_compile": True}),
        ("simultaneous", "gradient", {"run_eagerly": True}),
    ],
)
@pytest.mark.slow
def test_faults_are_detected_under_xla_and_without_graphs(name, kind, settings):
    gan, poison = make(name, **settings)
    evaluations = SCHEMES[name][0].evaluations
    poison.spoil(STEP * evaluations, {"loss": "output", "gradient": "kernel"}[kind])
    (event,), _ = train(gan, Guard("rollback", every=2))
    assert event.details["fault"] == expected_fault(name, kind, evaluations)
    assert (gan.steps, finite(gan)) == (8, True)


@pytest.mark.cases(fast=2)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("what", "kind", "variable"),
    [
        ("kernel", "gradient", "maker/poisoned/kernel"),
        ("bias", "gradient", "maker/poisoned/bias"),
        ("seen", "state", "maker/poisoned/seen"),
    ],
)
def test_nan_and_infinity_in_gradients_and_states(what, kind, variable, value):
    gan = renewed("simultaneous", 3, what, value)
    with pytest.raises(DivergenceError, match="Received: the generator's") as caught:
        train(gan, Guard(every=1))
    assert caught.value.fault[:3] == ("generator", kind, variable)
    assert caught.value.fault.step == 3
    assert (caught.value.step, gan.steps, finite(gan)) == (2, 2, True)


@pytest.mark.cases(full=3)
@pytest.mark.slow
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("player", [0, 1])
def test_loss_is_named_though_its_gradients_are_finite(player, value):
    calls = tf.Variable(0)

    def spoiled(real_logits, fake_logits):
        number = calls.assign_add(1)
        return tf.where(number == 3, value, 0.0) + tf.reduce_mean(fake_logits)

    def sound(real_logits, fake_logits):
        return -tf.reduce_mean(fake_logits)

    loss = (spoiled, sound) if player == 0 else (sound, spoiled)
    gan, _ = make("simultaneous", loss=loss, run_eagerly=True)
    calls.assign(0)
    with pytest.raises(DivergenceError, match="loss in step 3") as caught:
        train(gan, Guard())
    assert caught.value.fault[:3] == (("generator", "discriminator")[player], "loss", None)
    assert caught.value.step == 0


@pytest.mark.cases(full=3)
@pytest.mark.slow
@pytest.mark.parametrize("player", [0, 1])
@pytest.mark.parametrize("place", [0, 2])
def test_weights_spoiled_by_an_optimizer(player, place):
    optimizers = [PoisonedSGD(0.01), PoisonedSGD(0.01)]
    optimizers[player].at, optimizers[player].place = 3, place
    gan, _ = make("simultaneous", optimizers, run_eagerly=True)
    network = (gan.generator, gan.discriminator)[player]
    with pytest.raises(DivergenceError, match="weight of .*step 3, evaluation 1 of 1") as caught:
        train(gan, Guard(every=1))
    variable = network.trainable_variables[place].path
    assert caught.value.fault[:3] == (("generator", "discriminator")[player], "weight", variable)
    assert finite(gan)


@pytest.mark.slow
def test_weights_spoiled_by_a_scheme():
    class Overshoot(tgs.Simultaneous):
        def step(self, game, params, state):
            params, state = super().step(game, params, state)
            spoiled = [*params.discriminator[:1], params.discriminator[1] * np.inf]
            return params._replace(discriminator=spoiled + params.discriminator[2:]), state

    gan, _ = make("simultaneous")
    gan.compile("sgd", "sgd", scheme=Overshoot(), run_eagerly=True)
    message = "discriminator's weight of 'judge/first/bias' in step 1,"
    with pytest.raises(DivergenceError, match=message):
        train(gan, Guard())


@pytest.mark.slow
def test_trial_point_is_named_before_the_gradients_there():
    optimizers = [PoisonedSGD(0.01), PoisonedSGD(0.01)]
    optimizers[1].at = 5  # Two updates a step: the first of step 3.
    gan, _ = make("extragradient", optimizers)
    with pytest.raises(DivergenceError, match="step 3, evaluation 1 of 2") as caught:
        train(gan, Guard(every=1))
    assert caught.value.fault[:3] == ("discriminator", "weight", "judge/first/kernel")


@pytest.mark.slow
@pytest.mark.parametrize("steps", [3, pytest.param(5, marks=pytest.mark.exhaustive)])
def test_first_fault_of_several_steps_per_execution(steps):
    gan, poison = make("simultaneous", steps_per_execution=steps)
    poison.spoil(8, "kernel")
    (event,), _ = train(gan, Guard("rollback", every=1), epochs=1, steps=15)
    assert event.details["fault"]["step"] == 8
    before = 7 // steps * steps
    assert event.details["restored"] == before
    assert event.details["steps_lost"] == steps
    assert (gan.steps, gan.steps_taken, finite(gan)) == (15 - steps, 15, True)


@pytest.mark.cases(full=1)
@pytest.mark.parametrize("name", ["alternating", "lookahead"])
@pytest.mark.slow
def test_rollback_restores_all_but_the_learning_rates(name):
    averages = {"ema": tgs.ExponentialAverage(0.5)}
    gan, poison = make(name, averages=averages)
    evaluations = SCHEMES[name][0].evaluations
    poison.spoil((STEP - 1) * evaluations + 1, "output")
    seen = []

    class Note(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((gan.steps, numbers(gan), logs))

    train(gan, Note(), Guard("rollback", every=3, rate_factor=0.25))
    before, after = seen[2], seen[3]
    assert (before[0], after[0]) == (3, 3)
    rates = [float(v.numpy()) for v in gan.discriminator_optimizer.variables[1:2]]
    assert rates == [pytest.approx(0.02 * 0.25)]
    differing = [
        (a, b) for a, b in zip(before[1], after[1], strict=True) if not np.array_equal(a, b)
    ]
    assert len(differing) == 1  # The constant learning rate.
    np.testing.assert_allclose(differing, [(0.02, 0.005)], rtol=1e-6)
    assert before[2] == after[2]  # The means over the epoch too.
    scheduled = 0.05 - (0.05 - 0.01) * gan.steps / 100
    rate = float(gan.generator_optimizer.learning_rate)
    assert rate == pytest.approx(scheduled * 0.25, rel=1e-5)


@pytest.mark.parametrize("policy", ["stop", "rollback"])
def test_number_of_rollbacks_is_limited(policy):
    gan = renewed("simultaneous", 3)
    poison = gan.generator.layers[0]
    fires = []

    class Again(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            fires.append(gan.steps)
            poison.spoil(1 if gan.steps == 3 else 0, "output")

    rollbacks = 2 if policy == "rollback" else 0
    guard = Guard(policy, every=2, max_rollbacks=2)
    with pytest.raises(DivergenceError, match=f"after {rollbacks} rollback.s.*that of step 2"):
        train(gan, Again(), guard)
    assert fires == [0, 1, 2, 3] + [2, 3] * rollbacks
    rate = float(gan.discriminator_optimizer.learning_rate)
    assert rate == pytest.approx(0.02 * 0.5**rollbacks)
    assert (gan.steps, gan.steps_taken) == (2, 2 + 2 * rollbacks)


@pytest.mark.slow
def test_earlier_copy_is_restored_if_the_first_step_fails_twice():
    # Weights that are finite, and lost: their first evaluation fails at any learning rate.
    gan = renewed("simultaneous", 3)
    poison, rates = gan.generator.layers[0], []

    class Lost(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            lost = gan.steps == 3 and gan.rollback_state.rollbacks < 4
            poison.spoil(1 if lost else 0, "output")
            rates.append(float(gan.discriminator_optimizer.learning_rate))

    events, _ = train(gan, Lost(), Guard("rollback", every=1, max_rollbacks=4))
    assert [event.details["restored"] for event in events] == [3, 2, 3, 2]
    assert [event.details["steps_lost"] for event in events] == [1, 2, 1, 2]
    # Whichever copy it was, each rollback halves the rates.
    in_steps = np.unique(np.float32(rates))[::-1]
    np.testing.assert_allclose(in_steps, 0.02 * 0.5 ** np.arange(5), rtol=1e-6)
    assert rates == sorted(rates, reverse=True)


@pytest.mark.cases(full=2)
@pytest.mark.parametrize("penalty", ["consensus", "outside", "first_stage"])
@pytest.mark.slow
def test_gradients_spoiled_by_a_penalty_are_called_penalized(penalty):
    def spoiled(cotangents):
        return tf.nest.map_structure(lambda c: None if c is None else c * np.inf, cotangents)

    class Spoiled(tgs.GeneratorGradientNorm):
        def cotangents(self, gradients):
            return spoiled(super().cotangents(gradients))

    class SpoiledConsensus(tgs.Consensus):
        def cotangents(self, gradients):
            return spoiled(super().cotangents(gradients))

    kind = {"consensus": lambda: SpoiledConsensus(0.1)}.get(
        penalty, lambda: Spoiled(0.1, placement=penalty)
    )
    settings = {"check_derivatives": False, "run_eagerly": True}
    gan, _ = make("simultaneous", penalties=[kind()], **settings)
    with pytest.raises(DivergenceError, match="'s penalized gradient of") as caught:
        train(gan, Guard())
    fault = caught.value.fault
    assert fault.player == ("generator" if penalty == "consensus" else "discriminator")
    assert (fault.kind, fault.step) == ("penalized gradient", 1)


@dataclasses.dataclass(frozen=True)
class SpoiledPenalty(LossPenalty):
    """A penalty on the discriminator's outputs that is NaN when the data are far away."""

    def terms(self, context, noise):
        far = tf.reduce_max(context.real_images) > 50.0
        value = tf.reduce_mean(context.real_logits**2)
        return tgs.Players(None, tf.where(far, np.nan, value))


@dataclasses.dataclass(frozen=True)
class SpoiledForOne(LossPenalty):
    """A penalty of both players that is NaN for one of them."""

    spoiled: str

    @property
    def players(self):
        return tgs.Players._fields

    def terms(self, context, noise):
        sound = tf.reduce_mean(context.fake_logits**2)
        return tgs.Players(sound, sound)._replace(**{self.spoiled: np.nan * sound})


@pytest.mark.slow
@pytest.mark.parametrize(("player", "evaluation"), [("discriminator", 1), ("generator", 2)])
def test_penalty_of_both_players_is_named_with_the_one_it_spoils(player, evaluation):
    penalties = [SpoiledForOne(player)]
    settings = {"check_derivatives": False, "run_eagerly": True}
    gan, _ = make("alternating", penalties=penalties, **settings)
    with pytest.raises(DivergenceError, match="penalty of 'spoiled_for_one'") as caught:
        train(gan, Guard(), epochs=1, steps=1)
    fault = caught.value.fault
    assert (fault.player, fault.evaluation) == (player, evaluation)


@pytest.mark.slow
def test_penalty_on_a_loss_is_named():
    gan, _ = make("simultaneous", penalties=[SpoiledPenalty()])
    rows = np.random.RandomState(0).normal(size=[6, 8, 2]).astype("float32")
    rows[3] += 100.0
    data = tf.data.Dataset.from_tensor_slices(rows)
    with pytest.raises(DivergenceError, match="discriminator's penalty of 'spoiled_penalty' in"):
        gan.fit(data, verbose=0, callbacks=[Guard(every=1)])
    assert gan.steps == 3


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("policy", "restart", "`policy` must be one of 'stop', 'rollback'. Received: 'restart'"),
        *(
            ("every", v, "`every` must be a number of steps.*>= 1.*Use 100")
            for v in (0, 1.5, "epoch", True)
        ),
        *(
            ("max_rollbacks", v, "`max_rollbacks` must be.*integer >= 1.*Use 3")
            for v in (0, -1, None)
        ),
        *(
            ("rate_factor", v, r"`rate_factor` must be a number in \(0, 1\]")
            for v in (0, 1.1, "half", np.nan)
        ),
    ],
)
def test_settings_out_of_range(setting, value, message):
    with pytest.raises(ValueError, match=message):
        Guard(**{setting: value})


@pytest.mark.cases(full=1)
@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"run_eagerly": True}, {"scheme": tgs.Alternating(2)}])
def test_examples_that_are_not_finite_are_blamed_and_not_the_learning_rates(tiny, settings):
    gan = tiny.image_gan(**({"eager": True} if "run_eagerly" in settings else settings))
    pictures = np.random.RandomState(0).uniform(-1, 1, [24, 8, 8, 1]).astype("float32")
    pictures[21, 3, 3, 0] = np.nan
    data = tf.data.Dataset.from_tensor_slices(pictures).batch(8)
    message = "real examples that are finite. Received: NaN or infinity in example 5 of the batch"
    with pytest.raises(
        DivergenceError, match=f"{message} of step 3.*state, that of step "
    ) as caught:
        gan.fit(data, callbacks=Guard(every=2), verbose=0)
    assert "learning rates" not in str(caught.value) and "0 / 0" in str(caught.value)
    assert caught.value.fault[:2] == ("data", "example") and gan.steps == 2
    rates = [float(optimizer.learning_rate) for optimizer in gan.optimizers]
    gan.fit(data.skip(1), callbacks=Guard("rollback", every=1), verbose=0)
    assert gan.rollback_state.rollbacks == 1 and gan.steps == 3
    assert float(gan.discriminator_optimizer.learning_rate) == rates[1]
    assert all(np.isfinite(v.numpy()).all() for v in gan.variables)
