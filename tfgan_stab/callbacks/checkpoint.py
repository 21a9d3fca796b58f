"""Saves everything a run needs to go on, so that a kill at any moment loses at most a period."""

import os
import shutil
from typing import Any

from tfgan_stab._utils.errors import WorkerLostError
from tfgan_stab._utils.files import user_path
from tfgan_stab._utils.validation import integer
from tfgan_stab.callbacks.base import (
    CheckpointEvent,
    EpochPosition,
    Periodic,
    TextEvent,
    usable_directory,
)
from tfgan_stab.callbacks.checkpoint_files import (
    UNFINISHED,
    checkpoints,
    remove,
    restore_newest,
    save,
)
from tfgan_stab.callbacks.preemption import PREEMPTED, Preemption
from tfgan_stab.training.resume import Progress
from tfgan_stab.training.workers import num_workers


class Checkpoint(Periodic, EpochPosition):
    """Saves the run every so often, and resumes it by itself when `fit` starts.

    Saved are both networks, both optimizers, the averages, the scheme's state and the steps done;
    noise and order of `tgs.data` follow from the steps. So a resumed run repeats the uninterrupted
    one bit for bit on the same machine. Give `fit` the same arguments again: `epochs` counts from
    the run's beginning.

    SIGTERM, with which clusters end programs, saves after the step that is being taken, or at the
    epoch's end after its last one, and ends the program with exit code 143. Of several workers the
    first one saves, whichever of them is told to stop.

    A run may go on with another number of replicas: each batch is shared anew. That is printed, and
    published as an event.

    Other callbacks' own state is not saved: after a resume `keras.callbacks.EarlyStopping` knows no
    best epoch and counts its patience from zero. Weights that it restores at the end are not saved
    either; the newest checkpoint is of the last step trained.

    Args:
        directory: Where the checkpoints are kept, one folder each; made if it is not there.
        every: "epoch", or a number of steps >= 1. After a resume inside an epoch, that epoch's
            mean losses are over its remaining steps only.
        keep: How many checkpoints to keep, an integer >= 1. With two or more, a damaged one does no
            harm: the previous one is used, with a warning.

    Raises:
        ValueError: If `every` or `keep` is out of range, a checkpoint belongs to other networks, or
            `every` is a number and the data have no fixed order.
        DamagedCheckpointError: If there are checkpoints, and all are damaged.
        OSError: If a checkpoint cannot be written; the previous ones are intact.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.callbacks.Checkpoint("runs/digits/checkpoints", every=500).keep
        3
    """

    counterpart = "keras.callbacks.BackupAndRestore"

    def __init__(
        self, directory: str | os.PathLike[str], every: str | int = "epoch", keep: int = 3
    ):
        super().__init__(every)
        self.directory = user_path(directory)
        self.keep = integer("keep", keep, unit="checkpoints", fix="Use 3.")
        self._ordered = False
        self._saved_step: int | None = None
        self._replicas: int | None = None  # When the checkpoint was saved that it resumes from.
        self._save_at_epoch_end = False
        self._preemption: Preemption | None = None

    def expect(self, ordered: bool) -> None:
        """Refuses to save inside epochs if no run could go on from there."""
        if isinstance(self.every, int) and not ordered:
            raise ValueError(
                "Checkpoints inside epochs need data in a fixed order: a data set of tgs.data, or "
                f"a tf.data.Dataset with steps_per_epoch. Received: every={self.every} with other "
                "data. Use tgs.data.arrays(...), or Checkpoint(..., every='epoch')."
            )
        self._ordered = ordered

    def resume(self) -> Progress | None:
        """Restores the newest intact checkpoint; returns its progress, `None` without any."""
        usable_directory(self.directory)
        for leftover in self.directory.glob(f"*{UNFINISHED}") if self.is_chief else ():
            shutil.rmtree(leftover)
        self._resumed_in_epoch, self._saved_step, self._replicas = 0, None, None
        if not checkpoints(self.directory):
            return None
        path, metadata = restore_newest(self.gan, self.directory)
        self._resumed_in_epoch, self._saved_step = metadata["step_in_epoch"], metadata["step"]
        self._replicas = metadata.get("replicas")
        if self.is_chief:
            print(f"Resuming from {path}: {metadata['step']} steps done.")
        return Progress(metadata["epoch"], metadata["step_in_epoch"])

    def on_train_begin(self, logs: Any = None) -> None:
        """Counts from where the run stands."""
        super().on_train_begin(logs)
        self._save_at_epoch_end = False
        if self._saved_step is None:
            self._saved_step = self.gan.steps  # Nothing trained, nothing to save.
        alone = num_workers(self.gan.distribute_strategy) == 1
        self._preemption = Preemption(self.directory, self.is_chief, alone)
        self._preemption.begin()
        self.gan.publish(CheckpointEvent(self._saved_step, self._resumed_in_epoch))
        self._tell_of_other_replicas()

    def _tell_of_other_replicas(self) -> None:
        """Says what follows from another number of replicas than that of the checkpoint."""
        before, now = self._replicas, self.gan.distribute_strategy.num_replicas_in_sync
        self._replicas = None
        if before in (None, now):
            return
        rows = (self.gan.data_metadata or {}).get("batch_size")
        batch = "each batch" if rows is None else f"each batch of {rows}"
        text = (
            f"The run was on {before} replica{'s' * (before > 1)} and goes on with {now}: {batch} "
            "is shared anew. Numbers agree to rounding, except where layers use their replica's "
            "own rows or random numbers (batch normalization, dropout)"
        )
        if self.gan.scheme.data_minibatches > 1:
            text += ", and the step's minibatches are of other rows of the same batch"
        if self.is_chief:
            print(f"{text}.")
        details = {"before": before, "now": now}
        self.gan.publish(
            TextEvent(self.gan.steps, self.gan.clock.seconds, "replicas", f"{text}.", details)
        )

    def release(self, error: BaseException | None) -> None:
        """Gives SIGTERM back; ends the program if another worker has, which got it.

        Raises:
            SystemExit: If another worker was lost, as it was told to stop.
        """
        if self._preemption is None:
            return
        self._preemption.end()
        if isinstance(error, WorkerLostError) and self._preemption.is_noted:
            raise SystemExit(PREEMPTED) from error
        self._preemption = None

    def steps_until_needed(self) -> int | None:
        """Returns after how many steps it saves next; SIGTERM is noticed between two calls."""
        return super().steps_until_needed()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves if it is time; saves and ends the program if it was told to stop."""
        super().on_train_batch_end(batch, logs)
        if self._preemption is not None and self._preemption.is_due:
            if self._step_in_epoch >= self.params["steps"]:
                self._save_at_epoch_end = True  # And then ends there.
            else:
                step = self._step_in_epoch if self._ordered else 0
                self._save(Progress(self._epoch, step))
                self._leave()

    def act(self, logs: dict[str, Any]) -> None:
        """Saves inside an epoch."""
        # After an epoch's last step, the other callbacks do their work of its end first: a run
        # resumed from before that would leave it out.
        self._save_at_epoch_end = self._step_in_epoch >= self.params["steps"]
        if not self._save_at_epoch_end:
            self._save(Progress(self._epoch, self._step_in_epoch))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Saves at the epoch's end, if it is time."""
        if self.every == "epoch" or self._save_at_epoch_end:
            self._save(self._progress())
        self._save_at_epoch_end = False
        if self._preemption is not None and self._preemption.is_due:
            self._save(self._progress())
            self._leave()

    def on_train_end(self, logs: Any = None) -> None:
        """Saves the end of the run, if it is not saved yet."""
        self._save(self._progress())

    def _leave(self) -> None:
        print(f"\nSIGTERM: saved step {self.gan.steps} in {self.directory}.")
        raise SystemExit(PREEMPTED)

    def _progress(self) -> Progress:
        step = self._step_in_epoch
        if self._ordered and self.gan.stop_training and step < self.params["steps"]:
            return Progress(self._epoch, step)  # Stopped early: the rest is still to come.
        return Progress(self._epoch + 1, 0)

    def _save(self, progress: Progress) -> None:
        steps = self.gan.steps
        if steps <= (self._saved_step or 0) or self._step_in_epoch <= 0:
            # Saved already; or another callback has restored previous weights, and with them the
            # count of steps, to which neither the optimizers nor the epoch belong.
            return
        if self.is_chief:
            self._write(progress)
        self._saved_step = self.gan.rollback_state.saved_step = steps
        self.gan.publish(CheckpointEvent(steps))

    def _write(self, progress: Progress) -> None:
        target = save(self.gan, self.directory, progress)
        # Later ones were found damaged; they must not count.
        complete = [path for path in checkpoints(self.directory) if path.name <= target.name]
        for old in complete[self.keep :]:
            remove(old)
