import pytest

from tfgan_stab.evaluation.extractors.digits import DigitsClassifier, digits


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
