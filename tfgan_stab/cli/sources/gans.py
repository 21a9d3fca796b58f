"""Images that a GAN makes: its trained weights, or any of its averages."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tfgan_stab.cli.sources.contract import BATCH, check_count, check_label
from tfgan_stab.training.averaging.swap import LIVE
from tfgan_stab.training.sampling import Sampling


class GeneratedByGAN:
    """A GAN as a source: what `gan.sample` returns.

    Args:
        gan: The model, restored.
        description: What it is called in messages and reports.
        default_weights: The weights used unless others are asked for.
        batch_size: Images made at once, an integer >= 1; another number draws other noise.
    """

    pixels = "float32"
    count: int | None = None

    def __init__(
        self, gan: Any, description: str, default_weights: str = LIVE, batch_size: int = BATCH
    ) -> None:
        self.gan: Sampling = gan
        self.description = description
        self.weights: list[str] = [LIVE, *gan.averages]
        self.default_weights: str | None = default_weights
        self.conditional: bool = gan.pair.conditional
        self.num_classes: int | None = gan.num_classes if self.conditional else None
        self._batch_size = batch_size

    def draw(
        self, count: int, weights: str | None = None, seed: int = 0, label: int | None = None
    ) -> Iterator[np.ndarray]:
        """Returns new images; see `Source.draw`."""
        check_count(self.description, count, None, label)
        check_label(self.description, label, self.conditional, self.num_classes)
        weights = self.default_weights if weights is None else weights
        if weights not in self.weights:
            raise ValueError(
                f"Weights must be one of {self.weights}, those of {self.description}. Received: "
                f"{weights!r}."
            )
        labels = None if label is None else np.full([count], label, np.int32)
        return self.gan.sample_batches(count, self._batch_size, weights, seed, labels)

    def labels(self, count: int, label: int | None = None) -> np.ndarray | None:
        """Returns the images' classes; see `Source.labels`."""
        return generated_labels(count, label, self.conditional, self.num_classes)


def generated_labels(
    count: int, label: int | None, conditional: bool, num_classes: int | None
) -> np.ndarray | None:
    """Returns the classes that generated images have: one, or all in turn.

    Args:
        count: How many images.
        label: Their class; `None` for all in turn.
        conditional: Whether images have classes.
        num_classes: How many classes there are.

    Returns:
        int32 `[count]`; `None` for images without classes.

    Raises:
        ValueError: If it is not known how many classes take turns.
    """
    if not conditional:
        return None
    if label is not None:
        return np.full([count], label, np.int32)
    if num_classes is None:
        raise ValueError(
            "A class-conditional generator needs to know its classes. Received: neither a label "
            "nor a number of classes. Give --label=0, or --num_classes=10."
        )
    return np.arange(count, dtype=np.int32) % num_classes
