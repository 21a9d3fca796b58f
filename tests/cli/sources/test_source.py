"""What every source of images checks before it makes or reads them."""

import numpy as np
import pytest

from tfgan_stab.cli.sources.kinds import SourceError
from tfgan_stab.cli.sources.source import Source


class Asked(Source):
    """Gives what it was asked for instead of images."""

    def _draw(self, sample, weights):
        return iter([(sample.count, weights, sample.seed, sample.label, sample.shares)])


GENERATOR = Asked("a run", ["live", "ema"], "ema", conditional=True, num_classes=3)
FILE = Asked("a file", count=5)


def test_default_weights_are_used_unless_others_are_asked_for():
    assert list(GENERATOR.draw(4)) == [(4, "ema", 0, None, ())]
    assert list(GENERATOR.draw(4, "live", seed=7, label=2)) == [(4, "live", 7, 2, ())]
    assert list(GENERATOR.draw(4, shares=(2, 1))) == [(4, "ema", 0, None, (2, 1))]
    assert list(FILE.draw(4)) == [(4, None, 0, None, ())]


def test_classes_take_turns_unless_one_is_asked_for():
    np.testing.assert_array_equal(GENERATOR.labels(5), [0, 1, 2, 0, 1])
    np.testing.assert_array_equal(GENERATOR.labels(2, label=1), [1, 1])
    assert FILE.labels(5) is None
    with pytest.raises(ValueError, match="needs to know its classes.*--num_classes=10"):
        Asked("a file", conditional=True).labels(5)


@pytest.mark.parametrize(
    ("source", "settings", "error", "message"),
    [
        (GENERATOR, {"weights": "mean"}, ValueError, r"one of \['live', 'ema'\], those of a run"),
        (FILE, {"weights": "ema"}, SourceError, "weights='ema' for a file. Leave them out"),
        (GENERATOR, {"label": 3}, ValueError, "Classes of a run are 0 to 2. Received: label=3"),
        (FILE, {"label": 0}, ValueError, "label=0 for a file, which has none. Leave the label out"),
        (FILE, {"count": 0}, ValueError, "`count` must be an integer >= 1. Received: 0"),
    ],
)
def test_what_there_is_not_is_refused(source, settings, error, message):
    with pytest.raises(error, match=message):
        source.draw(**{"count": 4, **settings})
