"""What evaluation costs is counted, and bounded by waiting."""

import re

import numpy as np
import pytest

import tfgan_stab as tgs
from tfgan_stab.callbacks.base import ScoreEvent, TextEvent
from tfgan_stab.callbacks.evaluate import TimeShare


class Watch:
    """A clock that stands still unless told to go on."""

    def __init__(self):
        self.time = 100.0

    def __call__(self):
        return self.time

    def work(self, seconds):
        self.time += seconds


def test_share_of_the_time():
    watch = Watch()
    share = TimeShare(None, watch)
    assert share.now == 0.0
    with share.once():
        watch.work(3.0)
    with share.again():
        watch.work(1.0)
    watch.work(12.0)
    assert share.now == 4.0 / 16.0 and share.last_cost == 1.0
    share.begin()
    watch.work(1.0)
    assert share.now == 0.0 and share.has_room


def test_no_bound_has_always_room():
    watch = Watch()
    share = TimeShare(None, watch)
    with share.again():
        watch.work(1000.0)
    assert share.has_room


def test_work_waits_until_it_fits():
    watch = Watch()
    share = TimeShare(0.1, watch)
    with share.again():
        watch.work(2.0)
    for _ in range(35):  # 2 + 2 of 2 + t + 2 seconds is a tenth at t = 36.
        watch.work(1.0)
        assert not share.has_room
    watch.work(1.0)
    assert share.has_room
    with share.again():
        watch.work(2.0)
    assert share.now == pytest.approx(0.1) and not share.has_room


def test_work_done_once_is_not_expected_again():
    watch = Watch()
    share = TimeShare(0.5, watch)
    with share.once():
        watch.work(10.0)
    with share.again():
        watch.work(1.0)
    watch.work(11.0)  # 11 + 1 of 22 + 1 would be more than half.
    assert not share.has_room
    watch.work(1.0)
    assert share.has_room


@pytest.mark.parametrize("wrong", [0, 1.5, -0.1, True, "0.1", float("nan")])
def test_max_share_must_be_in_range(tiny, wrong):
    message = re.escape(
        f"`max_share` must be a number in (0, 1]. Received: {wrong!r}. Use 0.1 for a tenth of the "
    )
    with pytest.raises(ValueError, match=message):
        tgs.callbacks.Evaluate(tiny.MeanScore(), max_share=wrong)


def run_with(tiny, gan, monkeypatch, seconds_per_score, **settings):
    """Trains 40 steps of a second each; returns steps that were scored, events and shares."""
    watch, events, shares = Watch(), [], []
    evaluate = tgs.callbacks.Evaluate(tiny.MeanScore(), every=1, weights="live", **settings)
    monkeypatch.setattr(evaluate.share, "_now", watch)
    measure = evaluate.measure

    def slow():
        watch.work(seconds_per_score)
        return measure()

    monkeypatch.setattr(evaluate, "measure", slow)
    gan.listeners.append(events.append)
    pause = tiny.Trace(lambda hook: watch.work(1.0), "on_train_batch_begin")
    history = gan.fit(
        tiny.images(), epochs=2, steps_per_epoch=20, callbacks=[pause, evaluate], verbose=0
    )
    shares = history.history["evaluation_share"]
    return (
        [m.step for m in events if isinstance(m, ScoreEvent)],
        [e for e in events if isinstance(e, TextEvent)],
        shares,
    )


def test_interval_is_stretched_and_one_event_says_so(tiny, image_gan, monkeypatch):
    steps, events, shares = run_with(tiny, image_gan, monkeypatch, 0.5, max_share=0.1)
    # Due when 0.5 (n + 1) <= 0.1 (steps + 0.5 (n + 1)): every 4.5 steps.
    assert steps == [1, 9, 14, 18, 23, 27, 32, 36, 40]  # The last one in any case.
    assert shares[0] <= 0.1 < shares[1] < 0.11
    assert [event.kind for event in events] == ["evaluation_postponed"]
    assert "waits, to stay below max_share=0.1" in events[0].text


@pytest.mark.slow
def test_no_bound_scores_every_step(tiny, image_gan, monkeypatch):
    steps, events, shares = run_with(tiny, image_gan, monkeypatch, 0.5)
    assert steps == list(range(1, 41)) and not events
    assert shares == pytest.approx([1 / 3, 1 / 3])


def test_reading_real_images_is_not_expected_again(tiny, image_gan, monkeypatch):
    watch, real = Watch(), np.full([40, 8, 8, 1], 0.5, "f4")

    class Slow:
        name, content_hash = "slow", "1a2b3c4d"

        def __call__(self, images):
            watch.work(30.0 if np.all(images == 0.5) else 1.0)
            return np.reshape(images, [len(images), -1])[:, :2]

    evaluate = tgs.callbacks.Evaluate(tgs.FID(Slow(), real, samples=20), weights="live")
    monkeypatch.setattr(evaluate.share, "_now", watch)
    history = image_gan.fit(
        tiny.images(), epochs=1, steps_per_epoch=1, callbacks=[evaluate], verbose=0
    )
    assert evaluate.share.last_cost == 1.0
    assert history.history["evaluation_share"] == [1.0]
