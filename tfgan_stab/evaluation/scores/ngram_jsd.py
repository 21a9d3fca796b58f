"""How far generated texts are from real ones, by the frequencies of their n-grams."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfgan_stab._utils import validation
from tfgan_stab.evaluation.accumulators import Batch
from tfgan_stab.evaluation.metrics.ngrams import NgramCounts
from tfgan_stab.evaluation.score import Score


class NgramJSD(Score):
    """Jensen-Shannon divergence of character n-grams of real and generated texts, in bits.

    Its numbers are "jsd_4", say, for n = 4: 0 for equal frequencies, 1 for texts that have nothing
    in common. Of few texts it is far from 0 for long n-grams: compare it with the baseline.

    Args:
        real: The real texts: strings, or integers `[texts, length]`; or a data set that gives
            integers, or numbers for each character `[texts, length, characters]`.
        characters: What a generator's integers stand for where the real texts are strings: the
            character of each.
        lengths: The n's, integers >= 1.
        samples: How many generated texts a score takes, an integer >= 2; 640 in the source.
        seed: Draws the latents, and the real texts that are held out for the baseline.

    Raises:
        ValueError: If a number is no integer or out of range, or texts are strings and `characters`
            are missing.

    Example:
        >>> score = NgramJSD(["abab", "abba"] * 10, characters="ab", lengths=[1, 2], samples=2)
        >>> fake = np.eye(2)[np.array([[0, 1, 0, 1], [0, 1, 1, 0]])]  # [texts, length, characters]
        >>> [(result.name, round(result.value, 6)) for result in score([fake])]
        [('jsd_1', 0.0), ('jsd_2', 0.0)]

    Reference:
        Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
        Equilibrium", 2017, section 4 and the released language code: the most probable character of
        each position, n = 1 to 6, 640 samples. Departures: none.
    """

    name = "jsd"

    def __init__(
        self,
        real: Any,
        characters: Sequence[str] | None = None,
        lengths: Sequence[int] = (1, 2, 3, 4, 5, 6),
        samples: int = 640,
        seed: int = 0,
    ) -> None:
        for length in lengths:
            validation.integer("lengths", length)
        if not lengths:
            raise ValueError("`lengths` must hold a number >= 1. Received: none. Use [4].")
        # A pair is otherwise taken for images and labels.
        real = list(real) if isinstance(real, tuple) else real
        if characters is None and _are_strings(real):
            raise ValueError(
                "`characters` must say what the generator's integers stand for where real texts "
                "are strings. Received: none. Give a string with one character for each."
            )
        self._characters = characters
        self.lengths = tuple(lengths)
        super().__init__(real, samples, seed)

    def keep(self, batch: Batch) -> "_CountsByLength":
        """Returns how often each n-gram occurs, for each n."""
        texts = self._decoded(batch.images)
        return _CountsByLength([NgramCounts.of(texts, length) for length in self.lengths])

    def compute(self, real: "_CountsByLength", fake: "_CountsByLength") -> dict[str, float]:
        """Returns the divergence for each n."""
        sides = zip(self.number_names, real.counts, fake.counts, strict=True)
        return {name: first.divergence(second) for name, first, second in sides}

    @property
    def number_names(self) -> list[str]:
        """The names of the numbers."""
        return [f"{self.name}_{length}" for length in self.lengths]

    def _decoded(self, texts: np.ndarray) -> Sequence[Any]:
        """Returns texts of what comes: strings and integers as they are, else the most probable."""
        if _are_strings(texts):
            return [text.decode() if isinstance(text, bytes) else str(text) for text in texts]
        if texts.ndim == 3:
            _check_numbers(texts)
            texts = np.argmax(texts, axis=2)
        if texts.ndim != 2 or texts.dtype.kind not in "iu":
            raise ValueError(
                "Generated texts must be integers [texts, length], or numbers for each character "
                f"[texts, length, characters]. Received: {texts.dtype} {list(texts.shape)}."
            )
        if self._characters is None:
            return list(texts)
        wrong = texts[(texts < 0) | (texts >= len(self._characters))]
        if wrong.size:
            raise ValueError(
                f"`characters` must name all of the generator's integers. Received: "
                f"{len(self._characters)} characters, and the integer {wrong[0]}."
            )
        return ["".join(self._characters[number] for number in text) for text in texts]


def _are_strings(texts: Any) -> bool:
    """Whether texts are strings, also as TensorFlow gives them: an array of objects, in bytes."""
    return (
        isinstance(texts, (list, np.ndarray))
        and len(texts) > 0
        and all(isinstance(text, (str, bytes)) for text in texts)
    )


def _check_numbers(texts: np.ndarray) -> None:
    """Infinity is allowed: it forbids a character, or calls for it."""
    bad = np.isnan(texts).any(axis=(1, 2))
    if bad.any():
        raise ValueError(
            f"Generated texts must be numbers. Received: NaN in {np.count_nonzero(bad)} of "
            f"{len(texts)} texts. The generator's weights have diverged."
        )


@dataclasses.dataclass(frozen=True)
class _CountsByLength:
    """Counts of n-grams for several n; merge by adding."""

    counts: list[NgramCounts]

    def __add__(self, other: "_CountsByLength") -> "_CountsByLength":
        pairs = zip(self.counts, other.counts, strict=True)
        return _CountsByLength([first + second for first, second in pairs])
