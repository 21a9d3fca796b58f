"""Counts what the graph of a step on two replicas communicates; run by `test_replicas.py`.

After what is added, separated by commas, come schemes. It prints a line for each with the
reductions and gathers, which must be what the docs say.
"""

import gc
import pathlib
import sys

import tensorflow as tf
from collectives import of_training
from devices import STRATEGIES
from penalties import MIXED, PENALTIES
from schemes import SCHEMES
from two_replicas import ROWS, keras, networks

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "scripts" / "benchmarks"))

import communication  # noqa: E402

import tfgan_stab as tgs  # noqa: E402
from tfgan_stab.callbacks import Diagnostics, DivergenceGuard  # noqa: E402

AVERAGES = {
    "ema": tgs.ExponentialAverage(0.5, batch_statistics="average"),
    "late": tgs.UniformAverage(start=2),
}
TOP_K = tgs.TopK(decay=0.8, every=2, floor=0.3, scope="global")
VARIANTS = {
    "plain": {},
    "averages": {"averages": AVERAGES},
    "gradient_norm": {"penalties": PENALTIES["generator_gradient_norm"]},
    "consensus": {"penalties": PENALTIES["consensus"]},
    "r1": {"penalties": [tgs.R1(0.5)]},
    "r1_and_gradient_norm": {"penalties": MIXED["r1_and_gradient_norm"]},
    "interpolated_and_consensus": {"penalties": MIXED["interpolated_and_consensus"]},
    "top_k": {"top_k": TOP_K},
    "watched": {},
    "unknown_rows": {},
}


def counts(name, variant):
    """Returns the reductions and gathers of a step of `fit`."""
    scheme = SCHEMES[name][0]
    with STRATEGIES[2].scope():
        keras.utils.set_random_seed(1)
        gan = tgs.GAN(*networks(True), latents=3)
        optimizers = keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.02)
        settings = {"scheme": scheme, "jit_compile": False, "check_derivatives": False}
        gan.compile(*optimizers, **settings, **VARIANTS[variant])
    rows = ROWS * scheme.data_minibatches
    data = tf.data.Dataset.from_tensors(tf.zeros([rows, 2])).repeat(1)
    if variant == "unknown_rows":
        data = tf.data.Dataset.from_tensor_slices(tf.zeros([rows, 2])).batch(rows)
    watchers = [DivergenceGuard(), Diagnostics()] if variant == "watched" else []
    gan.fit(data, verbose=0, callbacks=watchers)
    found = of_training(gan)
    if variant == "plain":
        check_bytes(gan, found)
    kinds = [each.kind for each in found]
    return kinds.count("reduce"), kinds.count("gather")


def check_bytes(gan, found):
    """The bytes of the graph are those of which the docs have a table, and four for each log."""
    numbers = communication.numbers_of([gan.generator, gan.discriminator])
    expected = communication.size_of_step(numbers, gan.scheme) + 4 * len(gan.metrics)
    assert sum(each.size for each in found) == expected, (found, expected)


def expected(name, variant):
    """The reductions and gathers of a step."""
    scheme = SCHEMES[name][0]
    asked = communication.evaluations(scheme)
    assert len(asked) == scheme.evaluations
    reductions, gathers = communication.reductions(scheme), 0
    if variant == "gradient_norm" or variant == "r1_and_gradient_norm":
        # The derivative; and the generator's gradient at the start, where the scheme takes none.
        reductions += 1 + ("generator" not in asked[0])
    if "consensus" in variant:
        # The derivative; beside penalties on losses the gradients without them, too.
        reductions += len(asked) * (2 if "interpolated" in variant else 1)
    if variant == "watched":
        reductions += 1
    if variant == "unknown_rows":
        reductions += 1
    if variant == "top_k":
        # TensorFlow gathers how many rows each has before the rows.
        gathers = 2 * sum("generator" in players for players in asked)
    return reductions, gathers


if __name__ == "__main__":
    gc.disable()  # It would look through all graphs again and again.
    wrong = []
    for name in sys.argv[2:]:
        found = {}
        for variant in sys.argv[1].split(","):
            found[variant] = counts(name, variant)
            print(name, variant, *found[variant], flush=True)
        wrong += [(name, v, each) for v, each in found.items() if each != expected(name, v)]
    assert not wrong, wrong
