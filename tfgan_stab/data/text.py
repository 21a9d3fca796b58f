"""Texts as rows of one-hot characters: Python's own documentation, a file, or a set of TFDS."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfgan_stab._utils import validation
from tfgan_stab._utils.files import user_path
from tfgan_stab.data.arrays import InMemory
from tfgan_stab.data.batches import Batches
from tfgan_stab.data.tfds import text_lines

PYTHON = "python"
BEGINS = ("word", "line")
SPLITS = ("train", "test")
TRAIN_SHARE = 0.9  # Of the texts; the others are the test split.
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
PADDING = "`"  # As in the source.
CODE_POINTS = 0x110000  # Of Unicode.


def text(
    source: str | os.PathLike[str] = PYTHON,
    batch_size: int = 64,
    seed: int = 0,
    length: int = 32,
    vocabulary_size: int = 96,
    begin: str = "word",
    split: str = "train",
    max_lines: int = 10_000_000,
    data_dir: str | None = None,
    download: bool = False,
) -> Batches:
    """Streams texts of a fixed length, each character a one-hot row.

    Character number 0 stands for all that are not in the vocabulary, which has the most frequent
    ones of the train split. White space of any kind and length counts as one space.

    Args:
        source: "python" for the English sentences in the documentation that comes with Python,
            which differ a little between versions; a text file in UTF-8; or "tfds:NAME", such as
            "tfds:lm1b", the train split of a set of TensorFlow Datasets.
        batch_size: Texts in a minibatch, an integer >= 1.
        seed: Decides the order, an integer in [0, 2**63).
        length: Characters of a text, an integer >= 1.
        vocabulary_size: Numbers that a character can have, the unknown one counted, an integer in
            [2, 65535]. Where the source has fewer characters, the last numbers never occur.
        begin: "word": a text begins at each word and runs on over line ends. "line": each line is
            one text, cut where it is longer, filled up with back-quotes where it is shorter.
        split: "train", or "test" for the last tenth, of which no character is in the other split.
        max_lines: Lines that are read at most, empty ones not counted, an integer >= 1.
        data_dir: Where sets of TensorFlow Datasets are kept; `None` for its own choice.
        download: Whether TensorFlow Datasets may download and prepare the set if it is absent.

    Returns:
        Endless batches of float32 `[batch_size, length, vocabulary_size]`, 0 or 1. `.characters`
        says what the numbers stand for; `decode_text` makes strings of texts.

    Raises:
        FileNotFoundError: If there is no such file, or the set's data are not there.
        ValueError: If the source holds too little text or is not UTF-8, TFDS has no such set, or a
            setting is outside its range.

    Example:
        >>> texts = text(batch_size=4)
        >>> texts.element_spec.shape, len(texts.characters)
        (TensorShape([4, 32, 96]), 96)

    Reference:
        Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
        Equilibrium", 2017, and the released language code, which follows Gulrajani et al. 2017:
        `source="tfds:lm1b"`, `begin="line"`, `vocabulary_size=2048`, at most ten million lines.
        Departures: the last tenth is held out; the code counts all lines.
    """
    length = validation.integer("length", length, unit="characters", fix="Use 32.")
    fix = "Use 96 for English."
    size = validation.integer("vocabulary_size", vocabulary_size, least=2, most=65535, fix=fix)
    validation.integer("max_lines", max_lines)
    validation.choice("begin", begin, BEGINS)
    validation.choice("split", split, SPLITS)
    name = os.fspath(source)
    lines = itertools.islice(_cleaned(_lines(name, data_dir, download)), max_lines)
    written, starts = _by_word(lines) if begin == "word" else _by_line(lines, length)
    first_test = starts[int(TRAIN_SHARE * len(starts))] if len(starts) else 0
    characters, codes = _encoded(written, first_test, size)
    end = first_test if split == "train" else len(written)
    starts = starts[(starts < first_test) == (split == "train")]
    starts = starts[starts + length <= end]
    if not len(starts):
        raise ValueError(
            f"{name!r} must hold more text. Received: {len(written)} characters, too few for a "
            f"{split} split of texts of {length}. Use a longer text, or a smaller `length`."
        )
    texts = Texts(f"text:{name}/{begin}/{split}", codes, starts, length, characters)
    return Batches(texts, batch_size, seed)


def decode_text(texts: ArrayLike, characters: Sequence[str]) -> list[str]:
    """Returns texts as strings: the most probable character of each place.

    Args:
        texts: One-hot rows or probabilities, `[texts, length, vocabulary_size]`, as of the data or
            of a generator.
        characters: What each number stands for: `.characters` of the data.

    Raises:
        ValueError: If the texts have another shape, or numbers for other characters.

    Example:
        >>> decode_text(np.eye(3)[[[0, 1, 2, 0]]], "abc")
        ['abca']
    """
    numbers = np.asarray(texts)
    if numbers.ndim != 3 or numbers.shape[-1] != len(characters):
        raise ValueError(
            f"Texts must have numbers for each of {len(characters)} characters, shape [texts, "
            f"length, {len(characters)}]. Received: shape {list(numbers.shape)}. Give the "
            "characters of the data that the generator was trained on."
        )
    rows = np.argmax(numbers, axis=-1).tolist()
    return ["".join(characters[number] for number in row) for row in rows]


class Texts(InMemory):
    """Texts that are cut out of a long one when they are needed.

    Args:
        name: What the set is called in reports.
        codes: The long text as numbers of characters, `[characters]`.
        starts: Where in it each text begins, `[texts]`.
        length: Characters of a text.
        characters: What each number stands for.
    """

    def __init__(
        self, name: str, codes: np.ndarray, starts: np.ndarray, length: int, characters: str
    ) -> None:
        super().__init__(name, codes)
        self.num_examples = len(starts)
        self.characters = characters
        self._length = length
        with tf.device("CPU:0"):
            self._starts = tf.constant(starts, tf.int64)

    def metadata(self) -> dict[str, Any]:
        """What tells different texts apart, and what a generator's numbers stand for."""
        return {**super().metadata(), "characters": self.characters}

    def _pick_images(self, indices: tf.Tensor) -> tf.Tensor:
        starts = tf.gather(self._starts, indices)
        places = starts[:, None] + tf.range(self._length, dtype=tf.int64)
        codes = tf.cast(tf.gather(self._images, places), tf.int32)
        return tf.one_hot(codes, len(self.characters))


def _lines(source: str, data_dir: str | None, download: bool) -> Iterable[str]:
    if source == PYTHON:
        return _sentences_of_python()
    kind, _, name = source.partition(":")
    if kind == "tfds" and name:
        return text_lines(name, data_dir, download)
    return _lines_of_file(source)


def _sentences_of_python() -> Iterator[str]:
    """Yields the paragraphs of Python's help topics that are prose, each once."""
    # Half a megabyte, which only this source needs.
    from pydoc_data.topics import topics

    paragraphs = itertools.chain(*(topic.split("\n\n") for topic in topics.values()))
    stripped = (paragraph.strip() for paragraph in paragraphs)
    # Code, grammar, tables and headings begin or end otherwise. Some topics repeat others.
    prose = (each for each in stripped if each[:1].isupper() and each.endswith((".", ":")))
    yield from dict.fromkeys(prose)


def _lines_of_file(path: str) -> Iterator[str]:
    place = user_path(path)
    if not place.is_file():
        raise FileNotFoundError(
            f"`source` must be {PYTHON!r}, a text file or 'tfds:NAME'. Received: {path!r}, where "
            "there is no file."
        )
    try:
        with place.open(encoding="utf-8-sig") as file:
            yield from file
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path!r} must be a text file in UTF-8. Received: {error}. Convert it, with iconv for "
            "example."
        ) from error


def _cleaned(lines: Iterable[str]) -> Iterator[str]:
    """Yields the lines that are not empty, with single spaces."""
    return filter(None, (" ".join(line.split()) for line in lines))


def _by_word(lines: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns one long text, and where its words begin."""
    written = _code_points(" ".join(lines))
    first = np.ones([min(1, len(written))], bool)
    return written, np.flatnonzero(np.concatenate([first, written[:-1] == ord(" ")]))


def _by_line(lines: Iterable[str], length: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns lines of a fixed length behind one another, and where they begin."""
    written = _code_points("".join(line[:length].ljust(length, PADDING) for line in lines))
    return written, np.arange(0, len(written), length)


def _code_points(written: str) -> np.ndarray:
    return np.frombuffer(written.encode("utf-32-le"), np.uint32)


def _encoded(written: np.ndarray, first_test: int, size: int) -> tuple[str, np.ndarray]:
    """Returns the vocabulary of what comes before the test split, and the numbers of all."""
    points, counts = np.unique(written[:first_test], return_counts=True)
    # The most frequent first; of equally frequent ones that with the smaller code.
    vocabulary = points[np.argsort(-counts, kind="stable")][: size - 1]
    numbers = np.zeros([CODE_POINTS], np.uint8 if size <= 256 else np.uint16)
    numbers[vocabulary] = np.arange(1, len(vocabulary) + 1)
    known = UNKNOWN + "".join(map(chr, vocabulary))
    return known.ljust(size, UNKNOWN), numbers[written]
