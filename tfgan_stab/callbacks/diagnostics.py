"""Measures how well a training goes, beside its losses, and warns of a collapse."""

from typing import Any

from tfgan_stab._utils import validation
from tfgan_stab.callbacks.base import GANCallback, TextEvent
from tfgan_stab.training.nan_monitor import DiagnosticsSettings, Monitor
from tfgan_stab.training.resume import Progress


class Diagnostics(GANCallback):
    """Logs gradient norms, the angle between gradients and the spread of the fakes.

    Means over the epoch of

    - `generator_gradient_l2`, `discriminator_gradient_l2`: the L2 norm of a player's gradient
      where it was first computed in a step, in units of the loss per unit of weight;
    - `gradient_angle`: the angle in degrees, 0 to 180, between both players' gradients (jointly) in
      a step and in the step before; 90 and more means going in circles or to and fro. The first
      step has none;
    - `spread_ratio`: the mean squared distance of two fakes over that of two reals, pixel by pixel.

    Fakes that have collapsed into one another are warned of, once per collapse; nothing is undone.

    Args:
        collapse_ratio: A `spread_ratio` below this is a collapse, in (0, 1).
        collapse_steps: For how many steps in a row, an integer >= 1.

    Raises:
        ValueError: If an argument is out of range; in `fit`, if there are several.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.callbacks.Diagnostics().diagnostics.collapse_steps
        200

    Source: ours.
    """

    def __init__(self, collapse_ratio: float = 0.05, collapse_steps: int = 200):
        super().__init__()
        self.diagnostics = DiagnosticsSettings(
            validation.number("collapse_ratio", collapse_ratio, above=0, below=1, fix="Use 0.05."),
            validation.integer("collapse_steps", collapse_steps, unit="steps", fix="Use 200."),
        )
        self._collapses = 0

    def begin(self, monitor: Monitor, steps_taken: int, progress: Progress, ordered: bool) -> None:
        """Starts to count collapses."""
        del steps_taken, progress, ordered
        self._monitor, self._collapses = monitor, 0

    def steps_until_needed(self) -> int | None:
        """Returns `None`: a collapse ends a block of steps by itself."""
        return None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Warns of a collapse."""
        collapses = self._monitor.collapses
        if collapses > self._collapses:
            ratio, steps = self.diagnostics
            text = (
                f"The fake images have collapsed: for {steps} steps their spread has been less "
                f"than {ratio:.0%} of that of real images. Use smaller learning rates or a penalty "
                "such as tgs.GeneratorGradientNorm(0.02)."
            )
            print(f"\nDiagnostics: {text}")
            gan = self.gan
            gan.publish(TextEvent(gan.steps, gan.clock.seconds, "collapse", text, {}))
        self._collapses = collapses
