"""What a score asks for, and what it gives before its protocol is known."""

import dataclasses
from typing import NamedTuple

# How a generator runs when it is scored unless the caller says otherwise.
INFERENCE = "bn=inference"


@dataclasses.dataclass(frozen=True)
class Sample:
    """The generated images that a score asks for.

    Attributes:
        count: How many, an integer >= 1.
        seed: What the latents are drawn by.
        label: The class that all of them have; `None` for the classes in turn.
    """

    count: int
    seed: int
    label: int | None = None


class Number(NamedTuple):
    """One number of a score; see `ScoreResult`."""

    name: str
    value: float
    larger_is_better: bool = False
    standard_error: float | None = None
    remark: str = ""


class Sides(NamedTuple):
    """The images of both sides, for protocols.

    Attributes:
        real: How many real ones; `None` where there are none.
        fake: How many generated ones, or that stand for such.
        shown: The words for `fake`.
        notes: What else is known of the latter.
    """

    real: int | None
    fake: int
    shown: str
    notes: list[str]
