"""What FID, precision and recall cost, in seconds and in memory, beside other tools' routes.

.venv/bin/python -m pip install --editable ".[benchmarks]"    # Tools that are missing are skipped.
.venv/bin/python scripts/benchmarks/evaluation.py

Every route starts from the same float32 features and is timed turn by turn in one process; the
table shows medians, the smallest and the largest, and each value's relative difference from ours.
Memory is measured in a separate process for each piece of work: how much its peak exceeds what was
in use before. If torch-fidelity or pytorch-fid is installed, its own function is timed as well.
"""

import importlib
import statistics
import subprocess
import sys
import time

import numpy as np
from absl import app, flags

from tfgan_stab.evaluation import Moments, RunningMoments, precision_recall
from tfgan_stab.evaluation.extractors import tfgan
from tfgan_stab.evaluation.metrics.frechet import frechet_distance_from_moments

SAMPLES = flags.DEFINE_integer("samples", 10_000, "Samples on each side.", lower_bound=2)
FEATURES = flags.DEFINE_integer("features", 2_048, "Features of a sample.", lower_bound=1)
STREAMED = flags.DEFINE_integer("streamed", 50_000, "Samples that are streamed.", lower_bound=1)
TURNS = flags.DEFINE_integer("turns", 3, "How often every route is timed.", lower_bound=1)
ONLY = flags.DEFINE_list("only", [], "Routes to time, or 'memory'; all unless given.")
WORK = flags.DEFINE_enum("work", "", ["", "streaming", "neighbors"], "Measure this work's memory.")


def features_of(count, seed):
    """Features like a classifier's: correlated, never negative, many of them small."""
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).normal(size=[256, FEATURES.value]) / 16
    hidden = random.normal(size=[count, 256]) * np.geomspace(1, 0.05, 256) + 0.1 * (seed - 1)
    noise = 0.1 * random.normal(size=[count, FEATURES.value])
    return np.maximum(hidden @ mixing + noise + 0.2, 0).astype(np.float32)


def covariance_of(features):
    """Mean and covariance as SciPy's users take them."""
    features = features.astype(np.float64)
    return features.mean(axis=0), np.cov(features, rowvar=False)


def by_hand(real, fake, root_trace):
    """The distance by any route to Tr (C1 C2)^1/2."""
    (mean, first), (other, second) = covariance_of(real), covariance_of(fake)
    root = root_trace(first, second)
    return np.sum((mean - other) ** 2) + np.trace(first) + np.trace(second) - 2 * root


def ours_first(real, fake):
    """A first score: the moments of the real images are not known yet."""
    return frechet_distance_from_moments(Moments.of(real), Moments.of(fake))


def tfgans(real, fake):
    """TF-GAN's own function."""
    distance = tfgan.evaluation().frechet_classifier_distance_from_activations
    return float(distance(real.astype(np.float64), fake.astype(np.float64)))


def by_eigenvalues(real, fake):
    """As torch-fidelity and torchmetrics do: eigenvalues of the product, which may be complex."""
    return by_hand(
        real, fake, lambda c1, c2: np.sqrt(np.linalg.eigvals(c1 @ c2).astype(complex)).real.sum()
    )


def by_scipy(real, fake):
    """As pytorch-fid, clean-fid and the paper's code do."""
    sqrtm = importlib.import_module("scipy.linalg").sqrtm
    return by_hand(real, fake, lambda c1, c2: np.trace(sqrtm(c1 @ c2)).real)


def by_pytorch_fid(real, fake):
    """pytorch-fid's own function."""
    distance = importlib.import_module("pytorch_fid.fid_score").calculate_frechet_distance
    return float(distance(*covariance_of(real), *covariance_of(fake)))


def by_torch_fidelity(real, fake):
    """torch-fidelity's own function."""
    module = importlib.import_module("torch_fidelity.metric_fid")
    sides = [dict(zip(("mu", "sigma"), covariance_of(side), strict=True)) for side in (real, fake)]
    return float(module.fid_statistics_to_metric(*sides, False)["frechet_inception_distance"])


# Name: (route, the package it needs, the goal for its time over that of our first score).
ROUTES = {
    "ours, first score": (ours_first, None, None),
    "ours, later scores": (None, None, "<= 0.667"),
    "TF-GAN": (tfgans, "tensorflow_gan", ">= 1"),
    "numpy eigvals": (by_eigenvalues, None, None),
    "scipy sqrtm": (by_scipy, "scipy", ">= 2"),
    "pytorch-fid": (by_pytorch_fid, "pytorch_fid", None),
    "torch-fidelity": (by_torch_fidelity, "torch_fidelity", None),
}


def installed(package):
    """Whether a package can be found."""
    return package is None or importlib.util.find_spec(package) is not None


def timed(function, *arguments):
    """Returns how long a call takes, and its value."""
    start = time.perf_counter()
    value = function(*arguments)
    return time.perf_counter() - start, value


def compare_routes():
    """Prints the table of times and values."""
    real, fake = features_of(SAMPLES.value, 1), features_of(SAMPLES.value, 2)
    known = Moments.of(real)
    frechet_distance_from_moments(known, known)  # From now on the root of `known` is cached.

    def ours_later(_, fake):
        return frechet_distance_from_moments(known, Moments.of(fake))

    chosen = {
        name: route or ours_later
        for name, (route, package, _) in ROUTES.items()
        if installed(package) and (not ONLY.value or name in ONLY.value)
    }
    turns = {name: [] for name in chosen}
    for _ in range(TURNS.value):
        for name, route in chosen.items():
            turns[name].append(timed(route, real, fake))
    reference = ours_first(real, fake)
    print(f"2 x {SAMPLES.value:,} x {FEATURES.value:,} features, {TURNS.value} turns")
    print(
        f"{'route':20}{'seconds':>9}{'smallest':>10}{'largest':>9}{'ratio':>10}{'off by':>10}  goal"
    )
    for name, results in turns.items():
        seconds = sorted(result[0] for result in results)
        line = f"{name:20}{statistics.median(seconds):9.2f}{seconds[0]:10.2f}{seconds[-1]:9.2f}"
        if "ours, first score" in turns:
            pairs = zip(results, turns["ours, first score"], strict=True)
            line += f"{statistics.median(a[0] / b[0] for a, b in pairs):10.2f}"
        print(f"{line}{abs(results[0][1] / reference - 1):10.1e}  {ROUTES[name][2] or ''}")


def streaming():
    """Moments of features that arrive in batches of 256 and are not kept."""
    running = RunningMoments()
    batch = features_of(256, 1)
    for start in range(0, STREAMED.value, 256):
        running.add(batch[: STREAMED.value - start])
    return running.moments


def neighbors():
    """Precision and recall."""
    return precision_recall(features_of(SAMPLES.value, 1), features_of(SAMPLES.value, 2))


def megabytes(what):
    """Returns the memory that the process uses now (VmRSS), or used at its peak (VmHWM)."""
    with open("/proc/self/status", encoding="utf-8") as status:
        line = next(line for line in status if line.startswith(what))
    return int(line.split()[1]) / 1024


def measure_memory(work):
    """Prints how long a piece of work takes, and its peak memory."""
    np.ones([300, 300]) @ np.ones([300, 300])  # BLAS allocates memory of its own at first use.
    before = megabytes("VmRSS")
    seconds, _ = timed(work)
    peak = megabytes("VmHWM")
    beside = f"{peak - before:.0f} MB beside the {before:.0f} MB before"
    print(f"{seconds:.1f} s, {beside}, {peak:.0f} MB in all")


def main(argv):
    """Prints everything."""
    del argv
    if WORK.value:
        measure_memory({"streaming": streaming, "neighbors": neighbors}[WORK.value])
        return
    compare_routes()
    if not ONLY.value or "memory" in ONLY.value:
        for work, goal in (("streaming", "< 300 MB beside"), ("neighbors", "< 1,500 MB in all")):
            arguments = [*sys.argv[1:], f"--work={work}"]
            done = subprocess.run(
                [sys.executable, __file__, *arguments], check=True, capture_output=True, text=True
            )
            print(f"{work}: {done.stdout.strip()}  (goal {goal})")


if __name__ == "__main__":
    app.run(main)
