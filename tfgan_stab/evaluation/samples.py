"""The generated images that a score asks for, and which classes they are of."""

import dataclasses
import warnings
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from tfgan_stab._utils.apportionment import in_shares, shares_of
from tfgan_stab._utils.model_hash import content_hash


@dataclasses.dataclass(frozen=True)
class Sample:
    """The generated images that a score asks for.

    Attributes:
        count: How many, an integer >= 1.
        seed: What the latents are drawn by.
        label: The class that all of them have; `None` for several.
        shares: How often each class comes, by its number: integers >= 0. Without, classes come in
            turn, as many of each.
    """

    count: int
    seed: int
    label: int | None = None
    shares: tuple[int, ...] = ()

    @property
    def labels(self) -> np.ndarray | None:
        """The class of each image, int `[count]`; `None` for the classes in turn.

        Example:
            >>> Sample(count=6, seed=0, shares=(2, 1)).labels.tolist()
            [0, 1, 0, 0, 1, 0]
        """
        if self.label is not None:
            return np.full(self.count, self.label)
        return in_shares(self.shares, self.count) if self.shares else None


class DrawnClasses:
    """Which classes generated images come from: each as often as real ones, where these have some.

    Args:
        generated: The name of each class that can be generated, by its number 0, 1, ...; `None` if
            there are none, or it is not known.
        labels: The conditions that are drawn, where the user has chosen some.
    """

    def __init__(self, generated: Mapping[int, str] | None = None, labels: Any = None) -> None:
        self._generated = generated if labels is None else None
        self._given = ""
        if labels is not None:
            self._given = f"labels=given@{content_hash([np.asarray(labels)])[:8]}"
        self._shares: tuple[int, ...] | None = None

    def shares(self, real: Any) -> tuple[int, ...]:
        """Returns `Sample.shares` as in the real images, an `ImageSource`.

        They are known once those have been gone through.
        """
        counts = real.class_counts
        if self._shares is None and counts and self._generated is not None:
            self._shares = class_shares(counts, real.names_of(counts), self._generated)
        return self._shares or ()

    def described(self, sample: Sample) -> str:
        """Returns what protocols say of a sample's conditions."""
        return self._given or ("labels=as-real" if sample.shares else "")


def class_shares(
    counts: Mapping[int, int], names: Mapping[int, str], generated: Mapping[int, str]
) -> tuple[int, ...]:
    """Returns how often each generated class is to come, as `Sample.shares`.

    Where the classes of both sides cannot be matched, that is warned of.

    Args:
        counts: How many real images each class has, by its number.
        names: The name of each class of the real images, by its number.
        generated: Those of the generated images, whose numbers are 0, 1, ...

    Example:
        >>> class_shares({0: 30, 1: 10}, {0: "cat", 1: "dog"}, {0: "dog", 1: "cat"})
        (1, 3)
    """
    try:
        matched = match_classes(names, generated, wanted=names)
    except ValueError as error:
        warnings.warn(
            "Classes of generated images come in turn, as many of each, and not as often as in "
            f"the real images: {error}",
            UserWarning,
            stacklevel=2,
        )
        return ()
    of_generated = [0] * (max(generated) + 1)
    for number, count in counts.items():
        of_generated[matched[number]] = count
    return shares_of(of_generated)


def match_classes(
    real: Mapping[int, str], generated: Mapping[int, str], wanted: Collection[Any] | None = None
) -> dict[int, int]:
    """Returns, for the number of each class of the real images, its number on the other side.

    Classes of the same name are the same, whatever their numbers. Names that are numbers, as those
    of folders "00", "01", ..., and classes without names are matched by number. If one side alone
    has names, as where a generator's classes 0, 1, ... are compared with a folder's, the class
    number 0 is the first name: then there must be as many on either side.

    Args:
        real: The name of each class of the real images, by its number.
        generated: Those of the generated images.
        wanted: The real classes that matter; all of both sides unless given.

    Raises:
        ValueError: If one side lacks a class.

    Example:
        >>> match_classes({0: "cat", 1: "dog"}, {0: "bird", 1: "cat", 2: "dog"}, wanted=[0, 1])
        {0: 1, 1: 2}
    """
    here, there, how = _by_number(real), _by_number(generated), "by number"
    if here is None and there is None:
        here, there, how = _by_name(real), _by_name(generated), "by name"
    elif here is None or there is None:
        here, there = here or _as_numbered(real), there or _as_numbered(generated)
        how, wanted = "by number, since only one side has names", None
    lacking = [key for key in here if key not in there and (wanted is None or here[key] in wanted)]
    surplus = [key for key in there if key not in here and wanted is None]
    if lacking or surplus:
        raise ValueError(
            f"Expected the same classes of real and generated images, {how}. Received: "
            f"{_listed(real, here, lacking)} of real images alone, "
            f"{_listed(generated, there, surplus)} of generated ones alone. Leave their images "
            "out, or choose what to score: tgs.PerClass(score, classes=[0, 2])."
        )
    return {number: there[key] for key, number in here.items() if key in there}


def _by_number(classes: Mapping[int, str]) -> dict[Any, int] | None:
    """Returns the classes by the numbers that their names are; `None` if they are others."""
    found: dict[Any, int] = {int(n): number for number, n in classes.items() if n.isdecimal()}
    return found if len(found) == len(classes) else None


def _by_name(classes: Mapping[int, str]) -> dict[Any, int]:
    return {name: number for number, name in classes.items()}


def _as_numbered(classes: Mapping[int, str]) -> dict[Any, int]:
    return {number: number for number in classes}


def _listed(classes: Mapping[int, str], numbers: Mapping[Any, int], keys: Collection[Any]) -> str:
    """Returns some classes for a message, by their names."""
    return ", ".join(f"class {classes[numbers[key]]!r}" for key in keys) or "none"
