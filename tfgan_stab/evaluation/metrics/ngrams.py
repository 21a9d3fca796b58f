"""How far generated text is from real text: the divergence of its character n-grams."""

import collections
import dataclasses
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfgan_stab._utils import validation


@dataclasses.dataclass(frozen=True, eq=False)
class NgramCounts:
    """How often each n-gram occurs, over all positions of all texts; merges by adding.

    Args:
        length: n, an integer >= 1.
        counts: Occurrences of each n-gram, a tuple of n tokens -> integer >= 1.

    Example:
        >>> counts = NgramCounts.of(["abab"], 2) + NgramCounts.of(["ab"], 2)
        >>> counts.total, counts.counts["a", "b"]
        (4, 3)
    """

    length: int
    counts: Mapping[tuple[Hashable, ...], int]

    @classmethod
    def of(cls, texts: Iterable[Any], n: int = 4) -> "NgramCounts":
        """Returns the counts of texts; one that is shorter than `n` has no n-grams.

        Args:
            texts: Strings, or sequences of characters or integers (rows of an array).
            n: Tokens in an n-gram, an integer >= 1.

        Raises:
            TypeError: If `texts` is one string, or holds what is no sequence of tokens.
            ValueError: If n is below 1.
        """
        validation.integer("n", n)
        if isinstance(texts, (str, bytes)):
            raise TypeError(
                "Texts must be a list of strings or of sequences of tokens. "
                f"Received: the {type(texts).__name__} {texts[:20]!r}. Write [text]."
            )
        counts: collections.Counter[tuple[Hashable, ...]] = collections.Counter()
        for text in texts:
            tokens = _tokens(text)
            counts.update(zip(*(tokens[start:] for start in range(n)), strict=False))
        return cls(n, counts)

    def merge(self, other: "NgramCounts") -> "NgramCounts":
        """Returns the counts of both sets of texts together.

        Raises:
            ValueError: If their n-grams differ in length.
        """
        self._check_length(other)
        merged = collections.Counter(self.counts)
        merged.update(other.counts)
        return NgramCounts(self.length, merged)

    __add__ = merge

    @property
    def total(self) -> int:
        """The number of n-grams counted, each as often as it occurs."""
        return sum(self.counts.values())

    def divergence(self, other: "NgramCounts") -> float:
        """Returns the Jensen-Shannon divergence in bits, as `ngram_jsd` of the texts.

        Raises:
            ValueError: If their n-grams differ in length, or a side has none.
        """
        self._check_length(other)
        totals = self.total, other.total
        if not min(totals):
            raise ValueError(
                f"Both sides need at least one {self.length}-gram. Received: {totals[0]} and "
                f"{totals[1]}. Pass texts of at least {self.length} tokens, or a smaller n."
            )
        halves = (
            _half(self.counts, other.counts, *totals),
            _half(other.counts, self.counts, *reversed(totals)),
        )
        # Rounding may leave the range of a divergence in bits.
        return min(max(sum(halves), 0.0), 1.0)

    def _check_length(self, other: "NgramCounts") -> None:
        if self.length != other.length:
            raise ValueError(
                "Counts go together only when their n-grams have the same length. "
                f"Received: {self.length} and {other.length}."
            )


def ngram_jsd(real: Iterable[Any], fake: Iterable[Any], n: int = 4) -> float:
    """How far generated text is from real text, by the frequencies of n-grams; 0 is best, 1 worst.

    With p and q the relative frequencies of n-grams over all positions, and m their mean::

        1/2 sum p log2(p / m) + 1/2 sum q log2(q / m)

    Args:
        real: Real texts: strings, or sequences of characters or integers.
        fake: Generated texts, likewise; the number may differ.
        n: Tokens in an n-gram, an integer >= 1.

    Returns:
        The Jensen-Shannon divergence in bits, in [0, 1]. Few texts are far from anything for large
        n: report what as many real texts get.

    Raises:
        TypeError: If a side is one string, or holds what is no sequence of tokens.
        ValueError: If n is below 1, or a side has no n-gram.

    Example:
        >>> ngram_jsd(["aab", "aab"], ["aab"], n=2), ngram_jsd(["aaa"], ["bbb"], n=2)
        (0.0, 1.0)

    Reference:
        Gulrajani et al., "Improved Training of Wasserstein GANs", 2017 (from memory); Heusel et
        al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
        2017, section 4, with n = 4 and 6. Departures: none.
    """
    return NgramCounts.of(real, n).divergence(NgramCounts.of(fake, n))


def _tokens(text: Any) -> Sequence[Hashable]:
    if isinstance(text, np.ndarray) and text.ndim == 1:
        return text.tolist()  # Python's own numbers, which are quicker to count.
    if isinstance(text, Sequence):
        return text
    raise TypeError(
        "Each text must be a string or a sequence of tokens. "
        f"Received: {type(text).__name__}. Decode it first."
    )


def _half(
    counts: Mapping[tuple[Hashable, ...], int],
    others: Mapping[tuple[Hashable, ...], int],
    total: int,
    other_total: int,
) -> float:
    """Returns 1/2 sum p log2(p / m)."""
    terms = (
        # p / m = 2 / (1 + q / p); n-grams of one side alone add a whole bit each.
        count / total * (1.0 - math.log2(1.0 + others.get(gram, 0) / count * (total / other_total)))
        for gram, count in counts.items()
    )
    return 0.5 * math.fsum(terms)
