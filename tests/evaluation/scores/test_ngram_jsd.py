"""The divergence of n-grams of texts from anywhere."""

import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs


def test_most_probable_characters_are_read():
    real = ["abca", "bcab", "cabc"] * 10
    random = np.random.default_rng(0)
    codes = random.integers(3, size=[20, 4])
    fake = 0.1 * random.uniform(size=[20, 4, 3]) + np.eye(3)[codes]
    texts = ["".join("abc"[c] for c in row) for row in codes]
    score = tgs.NgramJSD(real, characters="abc", lengths=[1, 2, 3, 4], samples=20)
    results = score([fake[:7], fake[7:]])
    assert [r.name for r in results] == ["jsd_1", "jsd_2", "jsd_3", "jsd_4"]
    for n, result in enumerate(results, start=1):
        assert result.value == pytest.approx(tgs.evaluation.ngram_jsd(real, texts, n=n))


def test_integer_texts_and_their_baseline():
    real = np.random.default_rng(0).integers(3, size=[400, 8])
    score = tgs.NgramJSD(real, samples=100, lengths=[1, 3])
    same = score([np.random.default_rng(1).integers(3, size=[100, 8])])
    baseline = score.baseline()
    for other in (same, baseline):
        assert 0 < other[0].value < 0.01 and 0 < other[1].value < 0.05
    assert score([np.zeros([100, 8], int)])[1].value > 0.8


def test_characters_must_fit_the_texts():
    with pytest.raises(ValueError, match="`characters` must say what the generator's integers"):
        tgs.NgramJSD(["ab"])
    with pytest.raises(ValueError, match="must name all of the generator's integers"):
        tgs.NgramJSD(["abab"] * 9, characters="ab", lengths=[1], samples=2)([np.full([2, 4], 2)])
    with pytest.raises(ValueError, match="must be integers .texts, length."):
        tgs.NgramJSD(["abab"] * 9, characters="ab", lengths=[1], samples=2)([np.zeros([2, 4])])


def test_data_sets_of_texts():
    letters = np.random.RandomState(0).randint(0, 3, [30, 8])
    texts = 2 * np.eye(3, dtype=np.float32)[letters] - 1
    data = tf.data.Dataset.from_tensor_slices(texts).batch(10)
    of_data = tgs.NgramJSD(data, lengths=[1, 2], samples=20)
    of_array = tgs.NgramJSD(letters, lengths=[1, 2], samples=20)
    found, expected = ([each.value for each in score([texts[5:]])] for score in (of_data, of_array))
    assert found == expected and min(found) > 0


def test_bytes_are_texts():
    score = tgs.NgramJSD([b"abab", b"abba"] * 9, characters="ab", lengths=[1, 2], samples=2)
    results = score([np.array([[0, 1, 0, 1], [0, 1, 1, 0]])])
    assert [result.value for result in results] == [0.0, 0.0]


def test_wrong_texts_raise():
    score = tgs.NgramJSD(["abab"] * 9, characters="ab", lengths=[1, 2], samples=2)
    with pytest.raises(ValueError, match="must be numbers. Received: NaN in 2 of 2 texts"):
        score([np.full([2, 4, 2], np.nan)])
    with pytest.raises(ValueError, match="all of the generator's integers.*the integer -1"):
        score([np.full([2, 4], -1)])
    with pytest.raises(ValueError, match="`characters` must say what"):
        tgs.NgramJSD([b"abab"] * 9, lengths=[1], samples=2)
    forbidden = np.where(np.eye(2)[np.array([[0, 1, 0, 1]] * 2)] > 0, 0.0, -np.inf)
    assert [result.value for result in score([forbidden])] == [0.0, 0.0]


def test_texts_in_any_order_and_container():
    texts = [("ab" * 5)[: 3 + number % 7] for number in range(600)]
    order = np.random.RandomState(0).permutation(600)
    sources = [
        texts,
        [texts[number] for number in order],
        tuple(texts),
        np.array(texts),
        tf.data.Dataset.from_tensor_slices(texts).batch(7),
    ]
    fake = [np.array([[0, 1, 0, 1], [0, 1, 1, 0]])]
    scores = [tgs.NgramJSD(s, characters="ab", lengths=[1, 2], samples=2) for s in sources]
    results = [[(r.value, str(r.protocol).split("@")[1]) for r in score(fake)] for score in scores]
    assert results == [results[0]] * len(sources)
    pair = tgs.NgramJSD(("abab", "abba") * 2, characters="ab", lengths=[1], samples=2)
    assert pair(fake).value == 0.0


def test_texts_of_the_library(tmp_path):
    (tmp_path / "a.txt").write_text("an ant and a nut and a tan hat " * 30)
    sizes = {"length": 9, "vocabulary_size": 12}
    data = tgs.data.text(tmp_path / "a.txt", batch_size=16, **sizes)
    real = [t for e in data.examples() for t in tgs.data.decode_text(e, data.characters)]
    random = np.random.default_rng(0)
    fake = random.dirichlet(np.ones(12), size=[30, 9]).astype("float32")
    score = tgs.NgramJSD(real=data, lengths=[1, 2], samples=30)
    texts = tgs.data.decode_text(fake, data.characters)
    # Numbers that no character has stay apart, where strings show the same sign for them.
    codes = np.argmax(fake, axis=-1)
    assert len(set(data.characters)) < 12 and "\N{REPLACEMENT CHARACTER}" in "".join(texts)
    numbers = [[data.characters.index(letter) for letter in text] for text in real]
    for n, result in enumerate(score([fake[:20], fake[20:]]), start=1):
        expected = tgs.evaluation.ngram_jsd(numbers, codes.tolist(), n=n)
        assert result.value == pytest.approx(expected)
    assert all(each.value < 0.1 for each in score.baseline())
