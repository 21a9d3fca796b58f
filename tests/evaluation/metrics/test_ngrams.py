"""The divergence of n-grams: known answers and its definition."""

import math

import numpy as np
import pytest

from tfgan_stab.evaluation.metrics.ngrams import NgramCounts, ngram_jsd

WORDS = ["stable", "generator", "table", "rate", "label", "discriminator", "stab"]
OTHERS = ["labels", "rates", "tab", "stability", "creator", "generators"]


def naive_jsd(real, fake, n):
    """By its definition, with frequencies in full."""

    def frequencies(texts):
        grams = [text[i : i + n] for text in texts for i in range(len(text) - n + 1)]
        return {gram: grams.count(gram) / len(grams) for gram in grams}

    p, q = frequencies(real), frequencies(fake)
    mean = {gram: (p.get(gram, 0) + q.get(gram, 0)) / 2 for gram in {**p, **q}}
    entropy = [
        sum(value * math.log(value / mean[gram], 2) for gram, value in side.items())
        for side in (p, q)
    ]
    return sum(entropy) / 2


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
def test_it_is_what_its_definition_says(n):
    expected = naive_jsd(WORDS, OTHERS, n)
    assert 0.01 < expected < 0.99
    assert ngram_jsd(WORDS, OTHERS, n) == pytest.approx(expected, rel=1e-12)
    assert ngram_jsd(OTHERS, WORDS, n) == pytest.approx(expected, rel=1e-12)


def test_a_case_by_hand():
    # p = (3/4, 1/4), q = (1/4, 3/4), m = (1/2, 1/2): 1 - H(1/4) bits.
    entropy = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert ngram_jsd(["aaab"], ["abbb"], n=1) == pytest.approx(1 - entropy, rel=1e-14)


def test_the_same_is_0_and_nothing_in_common_is_1():
    assert ngram_jsd(WORDS, WORDS) == 0.0
    assert ngram_jsd(WORDS, [*WORDS, *WORDS[::-1]]) == pytest.approx(0.0, abs=1e-15)
    assert ngram_jsd(["abc", "acb"], ["xyz"], n=2) == 1.0
    assert ngram_jsd(["ab"] * 7, ["ba"] * 3, n=2) == 1.0


def test_four_grams_are_the_default():
    assert ngram_jsd(WORDS, OTHERS) == ngram_jsd(WORDS, OTHERS, 4)
    assert NgramCounts.of(WORDS).length == 4


def test_texts_may_be_sequences_of_any_tokens():
    expected = ngram_jsd(WORDS, OTHERS, 2)
    assert ngram_jsd([list(word) for word in WORDS], OTHERS, 2) == expected
    numbers = [[[ord(letter) for letter in word] for word in words] for words in (WORDS, OTHERS)]
    assert ngram_jsd(*numbers, 2) == expected
    rows = np.array([[1, 2, 3], [2, 3, 1]])
    assert NgramCounts.of(rows, 2).counts == {(1, 2): 1, (2, 3): 2, (3, 1): 1}


def test_n_grams_do_not_run_over_the_ends_of_texts():
    assert NgramCounts.of(["ab", "cd", "e", ""], 2).counts == {("a", "b"): 1, ("c", "d"): 1}


def test_counts_merge_to_those_of_the_whole():
    real = NgramCounts.of(WORDS[:2], 3) + NgramCounts.of(WORDS[2:], 3)
    fake = NgramCounts.of(OTHERS, 3)
    assert real.counts == NgramCounts.of(WORDS, 3).counts
    assert real.total == sum(max(len(word) - 2, 0) for word in WORDS)
    assert real.divergence(fake) == ngram_jsd(WORDS, OTHERS, 3)


def test_merging_changes_neither_part():
    first, second = NgramCounts.of(["ab"], 1), NgramCounts.of(["b"], 1)
    assert (first + second).total == 3
    assert (first.total, second.total) == (2, 1)


def test_counts_of_different_lengths_do_not_go_together():
    with pytest.raises(ValueError, match="the same length. Received: 2 and 3"):
        NgramCounts.of(WORDS, 2) + NgramCounts.of(WORDS, 3)
    with pytest.raises(ValueError, match="the same length. Received: 2 and 3"):
        NgramCounts.of(WORDS, 2).divergence(NgramCounts.of(WORDS, 3))


def test_texts_without_n_grams_are_refused():
    with pytest.raises(ValueError, match="at least one 4-gram. Received: 0 and 2"):
        ngram_jsd(["abc", ""], ["abcde"])
    with pytest.raises(ValueError, match="at least one 4-gram. Received: 2 and 0"):
        ngram_jsd(["abcde"], [])


def test_one_string_instead_of_a_list_is_refused():
    with pytest.raises(TypeError, match=r"list of strings.*the str 'stable'. Write \[text\]"):
        ngram_jsd("stable", ["stable"])


def test_what_is_no_text_is_refused():
    with pytest.raises(TypeError, match="a string or a sequence of tokens. Received: int"):
        ngram_jsd([1, 2], ["stable"])


def test_n_below_1_is_refused():
    with pytest.raises(ValueError, match="`n` must be an integer >= 1. Received: 0"):
        ngram_jsd(WORDS, WORDS, 0)
