"""Samples of a generator of texts, as lines of a file."""

import os
from typing import Any

from tfgan_stab._utils import validation
from tfgan_stab._utils.files import user_path, write_atomically
from tfgan_stab.callbacks.base import Periodic, SamplesEvent, usable_directory
from tfgan_stab.data.text import decode_text


class SampleText(Periodic):
    """Writes samples as a text file, one on each line, from the same noise each time.

    The file `step-00001200.txt` is of the weights after 1200 steps.

    Args:
        directory: Where to write; made if it is not there.
        characters: What each of the generator's numbers stands for: `.characters` of the data.
        count: How many samples, an integer >= 1.
        weights: "live" for the trained weights, or an average's name.
        every: "epoch", or a number of steps >= 1.
        seed: Decides the noise, an integer in [0, 2**62).

    Raises:
        ValueError: If a number is out of range, there are no such weights, or the generator makes
            no texts of so many characters.
        OSError: If the directory cannot be written to.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.callbacks.SampleText("runs/text/samples", characters="� abc").count
        64
    """

    chief_only = True

    def __init__(
        self,
        directory: str | os.PathLike[str],
        characters: str,
        count: int = 64,
        weights: str = "ema",
        every: str | int = "epoch",
        seed: int = 0,
    ):
        super().__init__(every)
        self.directory = user_path(directory)
        self.characters = characters
        self.count = validation.integer("count", count, unit="samples", fix="Use 64.")
        self.weights = weights
        self.seed = validation.seed(seed)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Checks that there will be something to write, and somewhere to put it."""
        super().on_train_begin(logs)
        # Draws nothing yet, but raises if the weights are not known.
        self.gan.sample_batches(self.count, weights=self.weights)
        shape = self.gan.pair.example_shape
        if len(shape) != 2 or shape[-1] != len(self.characters):
            raise ValueError(
                f"SampleText writes texts [length, {len(self.characters)}], a number for each of "
                f"its characters. Received: a generator of {list(shape)}. Give the characters of "
                "the data, or leave this callback out."
            )
        usable_directory(self.directory)

    def act(self, logs: dict[str, Any]) -> None:
        """Draws the samples, writes and publishes them."""
        samples = self.gan.sample(self.count, weights=self.weights, seed=self.seed)
        texts = decode_text(samples, self.characters)
        steps = self.gan.steps
        path = self.directory / f"step-{steps:08d}.txt"
        write_atomically(path, "".join(f"{each}\n" for each in texts))
        self.gan.publish(SamplesEvent(steps, f"samples ({self.weights})", texts))
