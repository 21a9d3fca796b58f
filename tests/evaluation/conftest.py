import pathlib
import sys

import pytest

from tfgan_stab.evaluation.extractors.digits import DigitsClassifier, digits
from tfgan_stab.evaluation.extractors.function import FunctionExtractor
from tfgan_stab.evaluation.scores.fid import FID

sys.path.insert(0, str(pathlib.Path(__file__).parent))


@pytest.fixture(scope="session")
def classifier_directory(tmp_path_factory):
    return tmp_path_factory.mktemp("classifier")


@pytest.fixture(scope="session")
def classifier(classifier_directory):
    """A digits classifier trained once for all tests, away from the user's cache."""
    trained = DigitsClassifier(classifier_directory)
    assert trained.content_hash
    return trained


@pytest.fixture(scope="session")
def images():
    return digits()[0]


@pytest.fixture(scope="session")
def noise():
    """Makes small random images."""
    import example_images

    def make(count, seed=0, shape=(2, 2, 1), width=1.0):
        return example_images.noise(count, *shape, seed=seed, width=width)

    return make


@pytest.fixture(scope="session")
def flat():
    """A function whose features are the pixels."""
    import example_images

    return example_images.flat


@pytest.fixture(scope="session")
def pixels(flat):
    """The same as an extractor with a hash of its own."""
    return FunctionExtractor(flat, content_hash="v1")


@pytest.fixture(scope="session")
def flat_fid(pixels, noise):
    """Makes a FID of a few random images."""

    def make(count=50, **settings):
        return FID(pixels, noise(count), **settings)

    return make
