"""What every source of images promises, whatever it is made of."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from tfgan_stab.cli.sources.kinds import SourceError

BATCH = 256


class Source(Protocol):
    """Images to save or to score: generated as they are asked for, or lying somewhere.

    Attributes:
        description: What the images come from, in a few words.
        weights: Which weights can generate them, such as `["live", "ema"]`; empty where there is
            no choice.
        default_weights: The weights used unless others are asked for; `None` without a choice.
        num_classes: Classes of the images; `None` without classes, or if it is not known how many.
        conditional: Whether images have classes.
        pixels: "uint8" if bytes are stored, which `draw` only scales; otherwise "float32".
        count: How many images there are; `None` where they are made without end.
    """

    description: str
    weights: list[str]
    default_weights: str | None
    num_classes: int | None
    conditional: bool
    pixels: str
    count: int | None

    def draw(
        self, count: int, weights: str | None = None, seed: int = 0, label: int | None = None
    ) -> Iterator[np.ndarray]:
        """Returns the first images, batch by batch.

        Args:
            count: How many in all, an integer >= 1.
            weights: One of `weights`; by default `default_weights`.
            seed: Decides the noise, an integer. Images that lie somewhere come in their order.
            label: Images of this class only; by default of all, generated in turn.

        Returns:
            Yields float32 `[batch, height, width, channels]` in [-1, 1]; for other examples than
            images whatever the generator returns.

        Raises:
            ValueError: If there are fewer, or no such weights or class.
        """

    def labels(self, count: int, label: int | None = None) -> np.ndarray | None:
        """Returns the classes of the images that `draw` gives, int32 `[count]`; `None` without."""


def check_count(description: str, count: int, available: int | None, label: int | None) -> None:
    """Refuses to draw no images, or more than there are.

    Args:
        description: The source's.
        count: How many are asked for.
        available: How many there are; `None` without end.
        label: Their class, or `None`.

    Raises:
        ValueError: If they cannot be drawn.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"`count` must be an integer >= 1. Received: {count!r}.")
    if available is not None and count > available:
        of_class = "" if label is None else f" of class {label}"
        raise ValueError(
            f"Expected {count} images{of_class}. Received: {available}, all there are in "
            f"{description}. Ask for {available} or fewer, or choose a larger source."
        )


def check_label(
    description: str, label: int | None, conditional: bool, num_classes: int | None
) -> None:
    """Refuses a class that images cannot have.

    Args:
        description: The source's.
        label: The class asked for, or `None`.
        conditional: Whether images have classes.
        num_classes: How many; `None` if that is not known.

    Raises:
        ValueError: If there is no such class.
    """
    if label is None:
        return
    if not conditional:
        raise ValueError(
            f"A class can be chosen only where images have classes. Received: label={label} for "
            f"{description}, which has none. Leave the label out."
        )
    if label < 0 or (num_classes is not None and label >= num_classes):
        last = "" if num_classes is None else f" to {num_classes - 1}"
        raise ValueError(f"Classes of {description} are 0{last}. Received: label={label}.")


def check_no_weights(description: str, weights: str | None) -> None:
    """Refuses to choose weights where there is no choice.

    Args:
        description: The source's.
        weights: What was asked for.

    Raises:
        SourceError: If weights were asked for.
    """
    if weights is not None:
        raise SourceError(
            f"Weights can be chosen for a workdir, a checkpoint or a saved GAN. Received: "
            f"weights={weights!r} for {description}. Leave them out."
        )
