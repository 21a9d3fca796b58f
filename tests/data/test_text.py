"""Texts as one-hot characters, against a naive program on a small file."""

import collections

import numpy as np
import pytest
import tensorflow_datasets

import tfgan_stab as tgs
from tfgan_stab.data.text import PADDING, UNKNOWN

# The last ones have a letter that is frequent in the test split alone.
WORDS = [f"w{n} {'aß'[n % 2]}x,{'q' * 20 * (n >= 190)}" for n in range(200)]
LINES = ["  ".join(WORDS[first : first + 5]) for first in range(0, 200, 5)]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A file with a mark of its encoding, spaces of many kinds and empty lines."""
    path = tmp_path_factory.mktemp("texts") / "a.txt"
    path.write_text("\ufeff" + "\r\n \n\t".join(LINES) + "\n", encoding="utf-8")
    return str(path)


def shown(batches):
    """The texts of one pass, as strings."""
    found = [
        text
        for texts in batches.examples().as_numpy_iterator()
        for text in tgs.data.decode_text(texts, batches.characters)
    ]
    assert len(found) == batches.num_examples
    return found


def by_word(length):
    """Every text that begins at a word and does not reach beyond its split: train, test."""
    whole = " ".join(" ".join(LINES).split())
    starts = [0] + [place + 1 for place, letter in enumerate(whole) if letter == " "]
    border = starts[int(0.9 * len(starts))]
    train = [whole[s : s + length] for s in starts if s + length <= border]
    test = [whole[s : s + length] for s in starts if border <= s <= len(whole) - length]
    return train, test, whole[:border]


def test_a_text_begins_at_each_word(path):
    train, test, _ = by_word(11)
    assert len(train) > 300 and len(test) > 20
    assert shown(tgs.data.text(path, length=11, batch_size=50)) == train
    test = [each.replace("q", UNKNOWN) for each in test]
    assert shown(tgs.data.text(path, length=11, batch_size=7, split="test")) == test


def test_a_line_is_a_text_cut_or_filled_up(path):
    for length in (12, 40):
        texts = [" ".join(line.split())[:length].ljust(length, PADDING) for line in LINES]
        found = tgs.data.text(path, length=length, begin="line", batch_size=3)
        assert shown(found) == texts[:36]
        held_out = tgs.data.text(path, length=length, begin="line", batch_size=3, split="test")
        assert shown(held_out) == [text.replace("q", UNKNOWN) for text in texts[36:]]
    assert PADDING in texts[0]


def test_the_most_frequent_characters_of_the_train_split_are_the_vocabulary(path):
    train, _, written = by_word(9)
    counts = collections.Counter(written)
    ordered = sorted(counts, key=lambda letter: (-counts[letter], letter))
    batches = tgs.data.text(path, length=9, vocabulary_size=8, batch_size=20)
    assert batches.characters == UNKNOWN + "".join(ordered[:7])
    expected = ["".join(c if c in ordered[:7] else UNKNOWN for c in text) for text in train]
    assert shown(batches) == expected and UNKNOWN in expected[0]


def test_a_vocabulary_may_be_larger_than_what_the_text_needs(path):
    batches = tgs.data.text(path, length=9, vocabulary_size=300, batch_size=20)
    known = batches.characters.rstrip(UNKNOWN)
    assert len(batches.characters) == 300 and len(set(known)) == len(known) < 40
    texts = next(iter(batches)).numpy()
    assert texts.dtype == np.float32 and texts.shape == (20, 9, 300)
    assert set(np.unique(texts)) == {0.0, 1.0} and (texts.sum(-1) == 1).all()
    assert not texts[..., len(known) :].any()


def test_an_epoch_shows_every_text_once_and_starts_at_any_step(path):
    batches = tgs.data.text(path, length=11, batch_size=50, seed=3)
    count = batches.num_examples
    stream = np.concatenate(list(batches.take(-(-count // 50)).as_numpy_iterator()))[:count]
    texts = tgs.data.decode_text(stream, batches.characters)
    assert sorted(texts) == sorted(by_word(11)[0]) and texts != by_word(11)[0]
    later = next(batches.starting_at(2).as_numpy_iterator())
    np.testing.assert_array_equal(later, stream[100:150])


def test_at_most_so_many_lines_are_read(path):
    assert tgs.data.text(path, 2, length=9, begin="line", max_lines=10).num_examples == 9


def test_texts_describe_themselves(path):
    batches = tgs.data.load(f"text:{path}", batch_size=8, length=9, vocabulary_size=5)
    description = batches.description()
    assert description.pop("content") != tgs.data.text(batch_size=8).description()["content"]
    assert description == {
        "name": f"text:{path}/word/train",
        "examples": batches.num_examples,
        "shape": [9, 5],
        "classes": None,
        "batch_size": 8,
        "seed": 0,
        "characters": batches.characters,
    }


def test_the_default_is_english_that_comes_with_python():
    batches = tgs.data.load("text", batch_size=512)
    assert batches.num_examples > 20_000 and batches.element_spec.shape == [512, 32, 96]
    texts = " ".join(tgs.data.decode_text(next(iter(batches)), batches.characters))
    assert all(texts.count(f" {word} ") > 50 for word in ("the", "a", "is"))
    assert texts.count(UNKNOWN) < 0.001 * len(texts)
    # Nearly all characters that occur are in the vocabulary, and hardly any number is idle.
    assert batches.characters.count(UNKNOWN) < 6


def test_a_set_of_tensorflow_datasets():
    policy = tensorflow_datasets.testing.MockPolicy.USE_CODE
    with tensorflow_datasets.testing.mock_data(num_examples=30, policy=policy):
        batches = tgs.data.text("tfds:lm1b", batch_size=4, begin="line", length=12)
        data = tensorflow_datasets.load("lm1b", split="train")
        lines = [each["text"].decode() for each in data.as_numpy_iterator()]
        with pytest.raises(ValueError, match="'mnist' must have texts, .*'label'], texts in none"):
            tgs.data.text("tfds:mnist")
    expected = [" ".join(line.split())[:12].ljust(12, PADDING) for line in lines]
    assert batches.num_examples == 27 and shown(batches) == expected[:27]


def test_absent_sets_say_how_to_prepare_them(tmp_path):
    message = "data of 'lm1b' are not in .*python -c .*`tgs.data.text.download = True`"
    with pytest.raises(FileNotFoundError, match=message):
        tgs.data.text("tfds:lm1b", data_dir=str(tmp_path))


REFUSED = {
    "length": (0, "`length` must be a number of characters, an integer >= 1. Received: 0. Use 32"),
    "vocabulary_size": (1, "from 2 to 65535. Received: 1. Use 96"),
    "begin": ("letter", "`begin` must be one of 'word', 'line'. Received: 'letter'"),
    "split": ("dev", "`split` must be one of 'train', 'test'. Received: 'dev'"),
    "max_lines": (0, "`max_lines` must be an integer >= 1. Received: 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_settings_must_be_in_range(path, name):
    value, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        tgs.data.text(path, **{name: value})


def test_files_without_enough_text_are_refused(tmp_path):
    for content, count in (("", 0), (" \n", 0), ("a few words in a line", 21)):
        (tmp_path / "short.txt").write_text(content)
        message = f"must hold more text. Received: {count} characters, too few for a train split"
        with pytest.raises(ValueError, match=message):
            tgs.data.text(str(tmp_path / "short.txt"))
    with pytest.raises(FileNotFoundError, match="'python', a text file or 'tfds:NAME'. Received"):
        tgs.data.text(str(tmp_path / "absent.txt"))
    (tmp_path / "latin.txt").write_bytes("für\n".encode("latin-1") * 99)
    with pytest.raises(ValueError, match="must be a text file in UTF-8. Received: 'utf-8' codec"):
        tgs.data.text(tmp_path / "latin.txt")


def test_generated_texts_need_the_characters_of_their_data():
    with pytest.raises(ValueError, match=r"shape \[texts, length, 3\]. Received: shape \[2, 4, 5"):
        tgs.data.decode_text(np.zeros([2, 4, 5]), "abc")
    assert tgs.data.decode_text(np.array([[[0.1, 0.7, 0.2], [0.5, 0.1, 0.4]]]), "abc") == ["ba"]
