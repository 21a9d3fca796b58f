"""What `fit` prints of each epoch: one line, as readable in a file as in a terminal."""

import sys
from collections.abc import Sequence
from typing import Any

import keras
import tqdm

from tfgan_stab._utils.progress import PATIENCE, EpochClock, milliseconds

WIDTH = 100  # Columns.
SHORT = {"generator_loss": "G loss", "discriminator_loss": "D loss"}


class EpochLines(keras.callbacks.ProgbarLogger):
    """Prints a line at each epoch's end; in a terminal, shows a bar until then.

    It takes the place of Keras' bar, which several numbers make too wide, and which a file or a
    notebook holds once for every time that it was drawn.
    """

    def __init__(self) -> None:
        super().__init__()
        self._bar: Any = None
        self._clock = EpochClock()

    def steps_until_needed(self) -> int | None:
        """Returns `None`: it looks at no step."""
        return None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the epoch's clock and bar."""
        self._clock.begin(self.model.steps_taken)
        self._close()
        self._bar = tqdm.tqdm(
            total=self.target,
            desc=f"epoch {epoch + 1}/{self.epochs}",
            unit=" steps",
            delay=PATIENCE,
            leave=False,
            disable=not sys.stderr.isatty(),
        )

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Moves the bar on."""
        self._clock.step_done()
        if self._bar is not None:
            self._bar.update(batch + 1 - self._bar.n)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Prints the epoch's line."""
        self._close()
        seconds = self._clock.seconds
        of_step = self._clock.seconds_per_step(self.model.steps_taken)
        head = (
            f"epoch {epoch + 1}/{self.epochs}, step {self.model.steps}, {seconds:.1f} s, "
            f"{milliseconds(of_step)} ms/step: "
        )
        print(line(head, _by_importance(logs or {}, [m.name for m in self.model.metrics])))

    def on_train_end(self, logs: Any = None) -> None:
        """Takes the bar away, should an epoch have ended early."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar = None


def lines_for(verbose: Any) -> list[EpochLines]:
    """Returns what prints lines, for the `verbose` of `fit` that ask for them: "auto" and 2."""
    return [EpochLines()] if verbose in ("auto", 2) else []


def line(head: str, numbers: dict[str, float]) -> str:
    """Returns as many numbers as fit into a line, the first ones.

    Args:
        head: How it begins.
        numbers: What to show, by name.

    Example:
        >>> line("epoch 1/1: ", {"generator_loss": 0.71234, "fid": 45.26})
        'epoch 1/1: G loss 0.7123, fid 45.26'
    """
    shown = [f"{SHORT.get(name, name)} {float(value):.4g}" for name, value in numbers.items()]
    for count in range(len(shown), 0, -1):
        left = len(shown) - count
        text = head + ", ".join(shown[:count]) + (f", {left} more" if left else "")
        if len(text) <= WIDTH:
            return text
    return head.rstrip(": ")


def _by_importance(logs: dict[str, Any], metrics: Sequence[str]) -> dict[str, Any]:
    """Returns logs in the order losses, scores and what else callbacks added, other metrics."""
    losses = [name for name in metrics if name in logs and name in SHORT]
    others = [name for name in metrics if name in logs and name not in losses]
    added = [name for name in logs if name not in metrics]
    return {name: logs[name] for name in (*losses, *added, *others)}
