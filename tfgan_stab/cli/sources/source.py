"""What commands ask of images to save or to score, wherever they come from."""

from collections.abc import Iterator, Sequence

import numpy as np

from tfgan_stab._utils import validation
from tfgan_stab.cli.sources.kinds import SourceError
from tfgan_stab.evaluation.samples import Sample

BATCH = 256


class Source:
    """Images to save or to score. Made by deriving from it: `_draw` makes or reads the images.

    Args:
        description: What the images come from, in a few words.
        weights: Which weights can generate them, such as `["live", "ema"]`; empty where there is
            no choice.
        default_weights: The weights used unless others are asked for; `None` without a choice.
        conditional: Whether images have classes.
        num_classes: Classes of the images; `None` without classes, or if it is not known how many.
        count: How many images there are; `None` where they are made without end.
        class_names: Names of the classes, where they have any.
        characters: What the numbers of texts stand for; `None` for images and others.

    Attributes:
        white: Which value is white in what is stored, where the user had to say so.
    """

    white: int | None = None

    def __init__(
        self,
        description: str,
        weights: Sequence[str] = (),
        default_weights: str | None = None,
        conditional: bool = False,
        num_classes: int | None = None,
        count: int | None = None,
        class_names: Sequence[str] | None = None,
        characters: str | None = None,
    ) -> None:
        self.description = description
        self.weights = list(weights)
        self.default_weights = default_weights
        self.conditional = conditional
        self.num_classes = num_classes
        self.count = count
        self._class_names = class_names
        self.characters = characters

    @property
    def classes(self) -> dict[int, str] | None:
        """The name of each class, by its number: the number if it has no other; `None` without."""
        if self.num_classes is None:
            return None
        return dict(enumerate(self._class_names or map(str, range(self.num_classes))))

    def draw(
        self,
        count: int,
        weights: str | None = None,
        seed: int = 0,
        label: int | None = None,
        shares: tuple[int, ...] = (),
    ) -> Iterator[np.ndarray]:
        """Returns the first images, batch by batch.

        Args:
            count: How many in all, an integer >= 1.
            weights: One of `weights`; by default `default_weights`.
            seed: Decides the noise, an integer. Stored images come in their order.
            label: Images of this class only; by default of all, generated in turn.
            shares: How often each class is generated, integers >= 0, in place of in turn; stored
                images have theirs.

        Returns:
            Yields float32 `[batch, height, width, channels]` in [-1, 1]; for other examples than
            images whatever the generator returns.

        Raises:
            ValueError: If there are fewer, or no such weights or class.
        """
        self._check_weights(weights)
        self._check_label(label)
        validation.integer("count", count)
        return self._draw(Sample(count, seed, label, shares), weights or self.default_weights)

    def labels(self, count: int, label: int | None = None) -> np.ndarray | None:
        """Returns the classes of the images that `draw` gives, int32 `[count]`; `None` without.

        Raises:
            ValueError: If it is not known how many classes take turns.
        """
        if not self.conditional:
            return None
        if label is not None:
            return np.full([count], label, np.int32)
        if self.num_classes is None:
            raise ValueError(
                "A class-conditional generator needs to know its classes. Received: neither a "
                "label nor a number of classes. Give --label=0, or --num_classes=10."
            )
        return np.arange(count, dtype=np.int32) % self.num_classes

    def _draw(self, sample: Sample, weights: str | None) -> Iterator[np.ndarray]:
        """Returns the images; what is asked for has been checked."""
        raise TypeError(f"{type(self).__name__} must define `_draw`.")

    def _check_weights(self, weights: str | None) -> None:
        if weights is None or weights in self.weights:
            return
        if self.weights:
            raise ValueError(
                f"Weights must be one of {self.weights}, those of {self.description}. Received: "
                f"{weights!r}."
            )
        raise SourceError(
            f"Weights can be chosen for a workdir, a checkpoint or a saved GAN. Received: "
            f"weights={weights!r} for {self.description}. Leave them out."
        )

    def _check_label(self, label: int | None) -> None:
        if label is None:
            return
        if not self.conditional:
            raise ValueError(
                f"A class can be chosen only where images have classes. Received: label={label} "
                f"for {self.description}, which has none. Leave the label out."
            )
        if label < 0 or (self.num_classes is not None and label >= self.num_classes):
            last = "" if self.num_classes is None else f" to {self.num_classes - 1}"
            raise ValueError(f"Classes of {self.description} are 0{last}. Received: label={label}.")
