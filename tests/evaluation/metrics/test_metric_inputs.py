"""Whatever metrics are given, they return right numbers or say what is wrong."""

import math

import ml_dtypes
import numpy as np
import pytest

from tfgan_stab.evaluation.metrics.inception_score import inception_score
from tfgan_stab.evaluation.metrics.kernel import kernel_distance
from tfgan_stab.evaluation.metrics.mixtures import mixture_quality
from tfgan_stab.evaluation.metrics.ms_ssim import ms_ssim
from tfgan_stab.evaluation.metrics.precision_recall import precision_recall
from tfgan_stab.evaluation.metrics.sliced_wasserstein import (
    sliced_wasserstein,
    sliced_wasserstein_of_images,
)

OF_FEATURES = {
    "kernel_distance": kernel_distance,
    "inception_score": lambda real, fake: inception_score(fake, splits=2),
    "precision_recall": lambda real, fake: precision_recall(real, fake, neighbors=1),
    "sliced_wasserstein": sliced_wasserstein,
    "mixture_quality": lambda real, fake: mixture_quality(fake, real, std=1.0),
}
OF_IMAGES = {
    "sliced_wasserstein_of_images": lambda real, fake: sliced_wasserstein_of_images(
        real, fake, patches_per_image=2, patch_size=3
    ),
    "ms_ssim": lambda real, fake: ms_ssim(fake),
}
DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.int8, np.uint8, np.int64, bool]


def numbers(result):
    """Yields every number of a result."""
    for each in result if isinstance(result, tuple) else [result]:
        if isinstance(each, tuple):
            yield from numbers(each)
        else:
            yield each


def outcome(metric, *arrays):
    """Returns "number" or "refused"; anything but these fails the test."""
    try:
        result = metric(*arrays)
    except (TypeError, ValueError, OverflowError) as error:
        assert "Received:" in str(error), error
        return "refused"
    # Infinite is what points without a mode have for a divergence.
    assert not any(math.isnan(number) for number in numbers(result)), result
    return "number"


def features(random):
    shape = (random.choice([1, 2, 4, 5, 30]), random.choice([1, 2, 7]))
    kind = random.choice(["normal", "constant", "huge", "tiny", "nan", "whole"])
    values = {
        "normal": random.normal(size=shape),
        "constant": np.full(shape, random.choice([0.0, 1.0, 255.0])),
        "huge": random.normal(size=shape) * random.choice([1e30, 1e100, 1e300]),
        "tiny": random.normal(size=shape) * random.choice([1e-30, 1e-300, 5e-324]),
        "nan": np.where(random.random(shape) < 0.1, np.nan, 1.0),
        "whole": np.rint(random.normal(size=shape) * 2),
    }[kind]
    with np.errstate(all="ignore"):
        return values.astype(random.choice(np.array(DTYPES, dtype=object)))


def images(random):
    shape = random.choice([1, 2, 5]), *random.choice([1, 2, 3, 8, 11, 40], 2), random.integers(1, 5)
    kind = random.choice(["uniform", "constant", "dark", "out of range", "nan"])
    values = {
        "uniform": random.uniform(-1, 1, shape),
        "constant": np.full(shape, random.choice([-1.0, 0.0, 0.3, 1.0])),
        "dark": np.full(shape, -1.0) + 1e-4 * random.random(shape),
        "out of range": random.uniform(0, 255, shape),
        "nan": np.where(random.random(shape) < 0.1, np.nan, 1.0),
    }[kind]
    with np.errstate(all="ignore"):
        return values.astype(random.choice(np.array([*DTYPES[:4] * 3, *DTYPES], dtype=object)))


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
@pytest.mark.parametrize("metric", OF_FEATURES.values(), ids=OF_FEATURES)
def test_any_features_give_a_number_or_an_explanation(metric):
    random = np.random.default_rng(0)
    outcomes = [outcome(metric, features(random), features(random)) for _ in range(300)]
    assert outcomes.count("number") > 30 and outcomes.count("refused") > 30


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
@pytest.mark.parametrize("metric", OF_IMAGES.values(), ids=OF_IMAGES)
def test_any_images_give_a_number_or_an_explanation(metric):
    random = np.random.default_rng(0)
    outcomes = []
    for _ in range(100):
        real = images(random)
        fake = random.permutation(images(random)[..., :1] if random.random() < 0.1 else real)
        outcomes.append(outcome(metric, real, fake))
    assert outcomes.count("number") > 10 and outcomes.count("refused") > 30
