"""Which classes generated images are of: those of the real ones, by name and as often."""

import pytest

from tfgan_stab.evaluation.samples import DrawnClasses, Sample, class_shares, match_classes


def named(*names):
    return dict(enumerate(names))


@pytest.mark.parametrize(
    "real, generated, expected",
    [
        (named("a", "b", "c"), named("c", "a", "b"), {0: 1, 1: 2, 2: 0}),
        (named("0", "1", "2"), named("00", "01", "02"), {0: 0, 1: 1, 2: 2}),
        # Of folders "1", "10" and "2" in the order of texts.
        (named("1", "10", "2"), {1: "1", 2: "2", 10: "10"}, {0: 1, 1: 10, 2: 2}),
        (named("cat", "dog"), named("0", "1"), {0: 0, 1: 1}),
        (named("0", "1"), named("cat", "dog"), {0: 0, 1: 1}),
    ],
)
def test_classes_are_matched(real, generated, expected):
    assert match_classes(real, generated) == expected


@pytest.mark.parametrize(
    "real, generated, message",
    [
        (named("a", "b", "d"), named("a", "c", "d"), "by name. .*'b' of real .*'c' of generated"),
        (named("a", "b"), named("a", "b", "c"), "none of real images alone, class 'c' of gener"),
        (named("0", "1"), {0: "0", 2: "2"}, "by number. Received: class '1' of .*, class '2' of"),
        (named("a", "b", "c"), named("0", "1"), "only one side has names.*class 'c' of real"),
        (named("a", "b"), {0: "0", 2: "2"}, "only one side has names.*'b' of real .*'2' of gen"),
    ],
)
def test_classes_of_one_side_are_refused(real, generated, message):
    with pytest.raises(ValueError, match=f"Expected the same classes .*{message}"):
        match_classes(real, generated)


def test_chosen_classes_need_a_match_alone():
    real, generated = named("a", "b", "c"), named("c", "d", "a")
    assert match_classes(real, generated, [0, 2]) == {0: 2, 2: 0}
    with pytest.raises(ValueError, match="class 'b' of real images alone, none of generated"):
        match_classes(real, generated, [0, 1])


def test_equal_shares_are_the_classes_in_turn():
    assert class_shares({0: 6, 1: 6}, named("a", "b"), named("b", "a")) == ()
    assert Sample(10, seed=0).labels is None
    assert Sample(3, seed=0, label=2).labels.tolist() == [2, 2, 2]
    assert Sample(4, seed=0, shares=(3, 1)).labels.tolist() == [0, 0, 1, 0]


def test_shares_belong_to_names():
    counts = {1: 10, 4: 30}
    generated = named("dog", "cat", "cow")
    assert class_shares(counts, {1: "cat", 4: "cow"}, generated) == (0, 1, 3)
    assert class_shares(counts, {1: "1", 4: "4"}, named(*"01234")) == (0, 1, 0, 0, 3)


def test_classes_that_cannot_be_generated_are_warned_of():
    with pytest.warns(UserWarning, match="come in turn, .*class 'cow' of real images alone"):
        assert class_shares({0: 1, 1: 3}, named("cat", "cow"), named("cat", "dog")) == ()


def test_labels_of_a_users_own_are_told_by_their_hash():
    drawn = [DrawnClasses(named("0", "1"), labels) for labels in ([0, 1], [1, 1], [0, 1])]
    told = [each.described(Sample(2, 0)) for each in drawn]
    assert told[0] == told[2] != told[1] and told[0].startswith("labels=given@")
