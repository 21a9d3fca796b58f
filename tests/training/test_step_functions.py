"""The graphs that take steps: compiled as a whole, with lazy penalties chosen outside."""

import collections

import keras
import numpy as np
import pytest
import tensorflow as tf
from point_gans import make, points

import tfgan_stab as tgs
from tfgan_stab.callbacks import Diagnostics, DivergenceGuard
from tfgan_stab.training import xla
from tfgan_stab.training.resume import Progress


def operations(gan):
    """Counts the operations of a call from Python, outside of what XLA compiles."""
    data = tf.data.Dataset.from_tensor_slices(points(32)).batch(8, drop_remainder=True)
    call = gan.execution.functions.several.get_concrete_function(iter(data), tf.constant(1))
    graph = call.graph.as_graph_def()
    library = {each.signature.name: each for each in graph.library.function}
    seen = collections.Counter()

    def walk(nodes):
        for node in nodes:
            called = [value.func.name for value in node.attr.values() if value.HasField("func")]
            called += [each.name for value in node.attr.values() for each in value.list.func]
            compiled = node.attr["_XlaMustCompile"].b
            seen["compiled" if compiled else node.op] += 1
            for name in () if compiled else called:
                walk(library[name].node_def)

    walk(graph.node)
    return seen


EVERYTHING = {
    "scheme": tgs.Lookahead(tgs.RungeKutta("rk4"), 5),
    "penalties": [tgs.R1(1.0, interval=4), tgs.GeneratorGradientNorm(0.1)],
    "top_k": tgs.TopK(decay=0.9, every=5, floor=0.5),
    "averages": {"ema": tgs.ExponentialAverage(0.9), "mean": tgs.UniformAverage(start=9)},
}
# What moves data and decides, and computes nothing.
PLUMBING = {"Placeholder", "Const", "Identity", "NoOp", "Pack", "StridedSlice", "ReadVariableOp"}
READING = {
    "While": 1,
    "IteratorGetNext": 1,
    "AddV2": 2,
    "Less": 1,
    "LogicalNot": 1,
    "LogicalAnd": 1,
}
WATCHING = {"Greater": 1, "Equal": 1, "LogicalOr": 1}
CHOOSING = {
    "StatefulPartitionedCall": 1,
    "FloorMod": 1,
    "Equal": 3,
    "All": 2,
    "ArgMax": 1,
    "Case": 1,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "kinds", "outside"),
    [
        pytest.param({}, 1, [READING], marks=pytest.mark.exhaustive),
        (EVERYTHING, 2, [READING, WATCHING, CHOOSING]),
    ],
    ids=["default", "everything"],
)
def test_on_accelerators_all_but_reading_the_batch_is_one_compiled_call(
    settings, kinds, outside, monkeypatch
):
    monkeypatch.setattr(xla, "has_accelerator", lambda: True)
    gan = make(jit_compile=True, **settings)
    assert gan.compilation.scope == "step"
    watching = [DivergenceGuard(), Diagnostics()] if settings else []
    # Traced only: to compile it takes half a minute.
    gan._attach_monitor(watching, Progress(0, 0), True)
    gan.make_train_function()
    found = operations(gan)
    assert found.pop("compiled") == kinds  # Of which each step makes one.
    found = {op: count for op, count in found.items() if op not in PLUMBING}
    assert found == sum(map(collections.Counter, outside), collections.Counter())


@pytest.mark.slow
def test_without_xla_the_same_count_finds_all_operations():
    gan = make(jit_compile=False)
    gan.fit(points(8), batch_size=8, verbose=0)
    found = operations(gan)
    assert found["compiled"] == 0 and found["MatMul"] > 6


def numbers(gan):
    return [np.asarray(variable) for variable in gan.variables]


LAZY = {"penalties": [tgs.R1(1.0, interval=3)], "jit_compile": False}


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_loop_of_ones_own_takes_the_same_steps_with_lazy_penalties():
    fitted, own, eager = make(), make(), make()
    for gan in (fitted, own, eager):
        gan.compile("sgd", "sgd", run_eagerly=gan is eager, **LAZY)
    batches = tf.data.Dataset.from_tensor_slices(points(56)).batch(8, drop_remainder=True)
    fitted.fit(batches, verbose=0)
    step = tf.function(own.train_step)
    for batch in batches:
        step(batch)
        eager.train_step(batch)
    own.epochs = eager.epochs = 1
    for one, two, three in zip(*map(numbers, (fitted, own, eager)), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(one, three, rtol=1e-5, atol=1e-6)


class Calls(keras.callbacks.Callback):
    """Notes after how many steps it is called."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(self.model.steps)


@pytest.mark.slow
@pytest.mark.parametrize(
    "penalties",
    [None, pytest.param([tgs.R1(1.0, interval=2)], marks=pytest.mark.exhaustive)],
    ids=["plain", "lazy"],
)
def test_steps_per_call_of_ones_own_end_with_the_data(penalties):
    """Eleven batches of unknown number, four per call: the last call takes three."""
    signature = tf.TensorSpec([8, 2], tf.float32)
    batches = points(88).reshape([11, 8, 2])
    data = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=signature)
    gans = [
        make(steps_per_execution=count, penalties=penalties, jit_compile=False) for count in (4, 1)
    ]
    calls = [Calls(), Calls()]
    histories = []
    for gan, own in zip(gans, calls, strict=True):
        with pytest.warns(UserWarning, match="ran out of data"):
            histories.append(gan.fit(data, epochs=2, verbose=0, callbacks=[own]).history)
    assert calls[0].steps == [4, 8, 11, 15, 19, 22]
    assert calls[1].steps == list(range(1, 23))
    assert histories[0] == histories[1]
    for one, other in zip(*map(numbers, gans), strict=True):
        np.testing.assert_array_equal(one, other)
