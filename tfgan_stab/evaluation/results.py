"""A number that knows how it was measured. Numbers of different protocols refuse to be compared."""

import dataclasses
import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# How a generator runs when it is scored, unless the caller says otherwise.
INFERENCE = "bn=inference"


@dataclasses.dataclass(frozen=True, eq=False)
class Protocol:
    """How a number was measured: everything that must be equal for two numbers to compare.

    `str()` is its one line, such as `fid/digits-classifier@1a2b3c4d/features-64/real=1797
    digits@5e6f7a8b/fake=500/seed=0/bn=inference`. A protocol equals another, or a text, with the
    same line; so it can be compared with what earlier runs have written. As of a text, parts of the
    line can be looked for (`in`) and taken (`[-20:]`).

    Args:
        name: The number's name, with the class in it where it is of one class.
        extractor: Name and content hash of what turned images into features, as `name@hash`.
        layer: Which of the extractor's outputs.
        preprocessing: What the extractor does to images first.
        settings: What else decides the number.
        label: The class that all images are of; `None` for any.
        classes: The classes whose numbers this one is the mean of.
        real_samples: How many real images generated ones were compared with; `None` where a score
            compares with none, or it is not known of how many images statistics are.
        real_images: Name and content hash of the real images, as `name@hash`, with "statistics "
            before it where only those of their features were known.
        samples: How many generated images; several where a line was drawn through several sizes.
        held_out: Whether real images that were held out stood for generated ones.
        seed: What latents, or the images to hold out, were drawn by.
        labels: Which conditions generated images had; "" for classes in turn, or none.
        note: What the caller knows of how images were made.
        quantized: Whether images were rounded to the 256 levels of a picture file.
        flaws: What is wrong with the number.

    Example:
        >>> str(Protocol("kid", "flat@v1", settings=("block=9",), samples=(50,), seed=0))
        'kid/flat@v1/block=9/fake=50/seed=0'
    """

    name: str
    extractor: str = ""
    layer: str = ""
    preprocessing: str = ""
    settings: tuple[str, ...] = ()
    label: int | None = None
    classes: tuple[int, ...] = ()
    real_samples: int | None = None
    real_images: str = ""
    samples: tuple[int, ...] = ()
    held_out: bool = False
    seed: int | None = None
    labels: str = ""
    note: str = ""
    quantized: bool = False
    flaws: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Protocol":
        """Returns the protocol with this line; nothing but the name is read out of it."""
        name, *rest = text.split("/")
        return cls(name, settings=tuple(rest))

    def __str__(self) -> str:
        pieces = [self.name, self.extractor, self.layer, self.preprocessing]
        pieces = [*filter(None, pieces), *self.settings]
        if self.label is not None:
            pieces.append(f"class={self.label}")
        if self.classes:
            pieces.append(f"classes={','.join(map(str, self.classes))}")
        if self.real_samples is not None:
            pieces.append(f"real={self.real_samples} {self.real_images}")
        elif self.real_images and not self.held_out:
            pieces.append(f"real={self.real_images}")
        pieces += filter(
            None,
            [*self._generated, self.labels, self.note, "uint8" if self.quantized else ""],
        )
        return "/".join([*pieces, *self.flaws])

    @property
    def _generated(self) -> list[str]:
        """How many images were scored, and what they were drawn by."""
        if not self.samples:
            return []
        count = f"fake={'+'.join(map(str, self.samples))}"
        if not self.held_out:
            return [count, f"seed={self.seed}"]
        # Where nothing is compared with, this is the only place for the real images' name.
        origin = f" {self.real_images}" if self.real_samples is None else ""
        return [f"{count} real{origin}", f"held-out-seed={self.seed}"]

    def __repr__(self) -> str:
        return repr(str(self))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (Protocol, str)):
            return NotImplemented
        return str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __contains__(self, text: str) -> bool:
        return text in str(self)

    def __getitem__(self, index: int | slice) -> str:
        return str(self)[index]


@dataclasses.dataclass(frozen=True)
class ScoreResult:
    """A number that knows how it was measured; results of one protocol can be ranked.

    Args:
        name: The number's name, such as "fid".
        value: The number.
        protocol: How it was measured: a `Protocol`, or the line of one.
        larger_is_better: Whether the best generators have the largest numbers. `<` compares the
            numbers all the same.
        standard_error: How far the number may be from what endless samples would give, where the
            score knows.
        remark: What the number alone does not say, such as round-off that was cut off; "" where
            there is nothing to say.

    Example:
        >>> ScoreResult("fid", 8.5, "fid/a@1") < ScoreResult("fid", 9.0, "fid/a@1")
        True
    """

    name: str
    value: float
    protocol: Protocol
    larger_is_better: bool = False
    standard_error: float | None = None
    remark: str = ""

    def __post_init__(self) -> None:
        """Takes a protocol's line for the protocol, as logs and users' own scores give it."""
        if isinstance(self.protocol, str):
            object.__setattr__(self, "protocol", Protocol.parse(self.protocol))

    def __lt__(self, other: object) -> bool:
        return self._ranked(other, operator.lt)

    def __le__(self, other: object) -> bool:
        return self._ranked(other, operator.le)

    def __gt__(self, other: object) -> bool:
        return self._ranked(other, operator.gt)

    def __ge__(self, other: object) -> bool:
        return self._ranked(other, operator.ge)

    def _ranked(self, other: object, order: Callable[[float, float], bool]) -> bool:
        """Compares the numbers alone: equality asks for more, such as equal errors."""
        if not isinstance(other, ScoreResult):
            return NotImplemented
        same_protocol(self, other)
        return order(self.value, other.value)


def same_protocol(*results: ScoreResult) -> Protocol:
    """Returns the protocol that all results share.

    Raises:
        ValueError: If they were measured in different ways, or there are none.

    Example:
        >>> same_protocol(ScoreResult("fid", 8.5, "fid/a@1"), ScoreResult("fid", 9.0, "fid/a@1"))
        'fid/a@1'
    """
    protocols = sorted({result.protocol for result in results}, key=str)
    if len(protocols) != 1:
        received = " and ".join(map(str, protocols)) or "no score"
        raise ValueError(
            f"Only scores of one protocol can be compared. Received: {received}. "
            "Measure them in the same way."
        )
    return protocols[0]


def warn_of_few(
    by_class: Mapping[int | None, Sequence[ScoreResult]],
    enough: int,
    describe: Callable[[str], str],
) -> None:
    """Warns if numbers were taken from too few images of a side, once for all classes.

    Args:
        by_class: A score's numbers for each class, or for `None` of images of any class.
        enough: How many images of each side they need.
        describe: Returns a sentence on what comes of images, such as "10 real images".
    """
    few: dict[str, dict[int | None, int]] = {}
    for label, results in by_class.items():
        for side, count in _images_of(results).items():
            if count < enough:
                few.setdefault(side, {})[label] = count
    for side, counts in few.items():
        label = min(counts, key=lambda each: counts[each])
        of_class = "" if label is None else f" of class {label}"
        more = len(counts) - 1
        others = f" So it is for {more} of the other classes." if more else ""
        fix = "Raise `samples`." if side == "generated" else "Give more real images."
        text = describe(f"{counts[label]} {side} images{of_class}")
        warnings.warn(f"{text}{others} {fix}", stacklevel=5)


def _images_of(results: Sequence[ScoreResult]) -> dict[str, int]:
    """Returns how many images of each side the numbers of one score were taken from, at least."""
    counts: dict[str, int] = {}
    for protocol in (result.protocol for result in results):
        side = "held-out real" if protocol.held_out else "generated"
        for name, count in ((side, min(protocol.samples)), ("real", protocol.real_samples)):
            if count is not None:
                counts[name] = min(count, counts.get(name, count))
    return counts


def one_or_all(several: list[Any]) -> Any:
    """Returns the only one of several, or all of them."""
    return several[0] if len(several) == 1 else several


def all_of(one_or_several: Any) -> list[Any]:
    """Returns a list, whether there was one or several."""
    return one_or_several if isinstance(one_or_several, list) else [one_or_several]
