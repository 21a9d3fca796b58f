"""Protocols, and what may be compared."""

import dataclasses

import pytest

import tfgan_stab as tgs
from tfgan_stab.evaluation.results import Protocol, ScoreResult, same_protocol
from tfgan_stab.evaluation.scores.fid import FID


def test_protocol_of_fid(classifier, images):
    fid = FID(classifier, images, samples=500, seed=3)
    extraction = f"fid/digits-classifier@{classifier.content_hash}/features-64"
    real_images = f"array@{fid.real_images.source.content_hash}" if fid.protocol() else ""
    expected = f"{extraction}/real=1797 {real_images}/fake=500/seed=3"
    assert fid.protocol() == f"{expected}/bn=inference"
    assert fid([images]).protocol == fid.protocol()
    assert fid([images], note="bn=recalibrated").protocol == f"{expected}/bn=recalibrated"
    assert fid.baseline().protocol == (
        f"{extraction}/real=1297 {real_images}/fake=500 real/held-out-seed=3"
    )


def test_protocol_before_any_score(noise, flat):
    assert str(FID(flat, noise(50), samples=20).protocol()).startswith("fid/flat@")


def test_results_of_one_protocol_are_ranked():
    low, high = ScoreResult("fid", 1.0, "p"), ScoreResult("fid", 2.0, "p")
    assert low < high and high > low and low <= high and not high <= low
    assert min(high, low) is low and sorted([high, low]) == [low, high]
    assert same_protocol(low, high) == "p"


def test_results_of_two_protocols_refuse_to_be_ranked(noise, flat_fid):
    first = flat_fid(samples=20)([noise(20)])
    second = flat_fid(samples=21)([noise(21)])
    comparisons = [
        lambda: first < second,
        lambda: first > second,
        lambda: first <= second,
        lambda: first >= second,
        lambda: min(first, second),
        lambda: same_protocol(first, second),
    ]
    for compare in comparisons:
        with pytest.raises(ValueError, match="one protocol can be compared.*fake=20.*fake=21"):
            compare()
    with pytest.raises(TypeError, match="not supported between"):
        _ = first < 3.0
    with pytest.raises(ValueError, match="Received: no score"):
        same_protocol()


def test_equal_numbers_rank_equal_whatever_their_errors():
    one, other = (ScoreResult("kid", 1.0, "kid/a@1", False, error) for error in (0.1, 0.2))
    assert one <= other and other <= one and one >= other
    assert not one < other and not one > other
    larger = ScoreResult("kid", 2.0, "kid/a@1")
    assert larger > one and larger >= one and not larger <= one
    for compare in (lambda a, b: a <= b, lambda a, b: a > b, lambda a, b: a >= b):
        with pytest.raises(ValueError, match="Only scores of one protocol can be compared"):
            compare(one, ScoreResult("kid", 1.0, "kid/b@1"))
        with pytest.raises(TypeError, match="not supported between"):
            compare(one, 1.0)


# Lines as `metrics.jsonl` files of earlier runs hold them.
LINES = {
    "kid/flat@v1/features-4/block=50/real=30 array@5e6f7a8b/fake=30/seed=2/bn=inference": Protocol(
        "kid",
        "flat@v1",
        "features-4",
        settings=("block=50",),
        real_samples=30,
        real_images="array@5e6f7a8b",
        samples=(30,),
        seed=2,
        note="bn=inference",
    ),
    "fid/i@1/pool_3/tf1-resize/real=9 a@2/fake=5 real/held-out-seed=0/uint8/singular-covariance": (
        Protocol(
            "fid",
            "i@1",
            "pool_3",
            "tf1-resize",
            real_samples=9,
            real_images="a@2",
            samples=(5,),
            held_out=True,
            seed=0,
            quantized=True,
            flaws=("singular-covariance",),
        )
    ),
    "ms_ssim_class_3/1-levels/11px/class=3/fake=40 real a@2/held-out-seed=1": Protocol(
        "ms_ssim_class_3",
        settings=("1-levels", "11px"),
        label=3,
        real_images="a@2",
        samples=(40,),
        held_out=True,
        seed=1,
    ),
    "fid_infinity_class_mean/f@1/features-4/classes=0,7/real=300 a@2/fake=50+100/seed=0/stored": (
        Protocol(
            "fid_infinity_class_mean",
            "f@1",
            "features-4",
            classes=(0, 7),
            real_samples=300,
            real_images="a@2",
            samples=(50, 100),
            seed=0,
            note="stored",
        )
    ),
}


@pytest.mark.parametrize("line", LINES)
def test_protocol_prints_the_line_of_earlier_runs(line):
    protocol = LINES[line]
    assert str(protocol) == line and repr(protocol) == repr(line)


@pytest.mark.parametrize("line", LINES)
def test_parsed_line_equals_the_protocol(line):
    protocol, parsed = LINES[line], Protocol.parse(line)
    assert parsed == protocol == line and parsed.name == protocol.name
    assert str(parsed) == line and len({parsed, protocol, line}) == 1
    other = dataclasses.replace(protocol, seed=5)
    assert other != protocol and other != line and protocol != 3


def test_parts_of_the_line_are_found_and_taken():
    protocol = Protocol("kid", "flat@v1", samples=(30,), seed=2)
    assert protocol[-7:] == "/seed=2" and protocol[0] == "k" and protocol[4:] == str(protocol)[4:]
    assert "/fake=30/" in protocol and "/fake=31/" not in protocol


def test_statistics_alone_are_told_by_the_line():
    known = Protocol("fid", "i@1", real_images="statistics a@2", samples=(5,), seed=0)
    assert str(known) == "fid/i@1/real=statistics a@2/fake=5/seed=0"
    counted = dataclasses.replace(known, real_samples=9)
    assert str(counted) == "fid/i@1/real=9 statistics a@2/fake=5/seed=0"


@pytest.mark.parametrize("line", ["fid", "", "mean/fake=10/seed=3", "a//b/", "p"])
def test_any_text_may_be_a_line(line):
    assert str(Protocol.parse(line)) == line


def test_results_take_a_line_for_the_protocol():
    line = next(iter(LINES))
    stored, measured = (ScoreResult("kid", value, line) for value in (1.0, 2.0))
    assert isinstance(stored.protocol, Protocol)
    assert stored < dataclasses.replace(measured, protocol=LINES[line])
    assert stored == ScoreResult("kid", 1.0, LINES[line])


def test_public_protocols_have_the_number_of_images_in_them(pixels, noise):
    protocol = tgs.FID(pixels, noise(50), samples=20, seed=4).protocol()
    assert (protocol.real_samples, protocol.samples, protocol.seed) == (50, (20,), 4)
    assert protocol.extractor == "flat@v1" and protocol.note == "bn=inference"
