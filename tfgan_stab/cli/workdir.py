"""The folder of one run, used by one process at a time and never by two different runs."""

import fcntl
import os
import tempfile
from collections.abc import Collection
from types import TracebackType
from typing import IO

from tfgan_stab._utils.files import user_path, write_atomically
from tfgan_stab.cli.config.gin import differences

__all__ = ["Workdir", "WorkdirError"]

# A checkpoint of small networks takes less; with less free space the disk counts as full.
_ROOM = 4 * 2**20


class WorkdirError(ValueError):
    """A workdir that this run must not or cannot use."""


class Workdir:
    """A folder that holds one run; `with` locks it against other processes.

    Args:
        path: The folder; made if it does not exist, and removed again if an exception ends the
            `with` before anything is written.
        resume: `"auto"` continues a run that is there, `"never"` refuses one, `"must"` refuses a
            folder without a checkpoint.
        chief: Whether this process writes; the other workers of a run look into it alone.

    Raises:
        WorkdirError: If the folder cannot be written to, is full, does not fit `resume`, or, on
            entering, is in use by another process. Nothing in it has been changed then.

    Example:
        >>> folder = os.path.join(tempfile.mkdtemp(), "run")
        >>> with Workdir(folder) as workdir:
        ...     workdir.settle("train.epochs = 20")
        >>> Workdir(folder).holds_run
        True
    """

    def __init__(
        self, path: str | os.PathLike[str], resume: str = "auto", chief: bool = True
    ) -> None:
        self.path = user_path(path)
        self.config = self.path / "config.gin"
        self.checkpoints = self.path / "checkpoints"
        self.best = self.path / "best"
        self.samples = self.path / "samples"
        self.metrics = self.path / "metrics.jsonl"
        self.generator = self.path / "generator.keras"
        self._is_new = not self.path.exists()
        self._chief = chief
        if chief:
            self._check_resume(resume)
            self._check_room()
        self._lock: IO[str] | None = None

    def __enter__(self) -> "Workdir":
        if not self._chief:
            return self
        self._lock = open(self.path / ".lock", "a", encoding="utf-8")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise WorkdirError(
                f"Another process is training in {self.path}. Wait for it, stop it, or choose "
                "another --workdir."
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._chief:
            return
        lock = self.path / ".lock"
        if kind is not None and self._is_new and list(self.path.glob("*")) == [lock]:
            lock.unlink()
            self.path.rmdir()
        if self._lock is not None:
            self._lock.close()

    @property
    def holds_run(self) -> bool:
        """Whether a run was started here."""
        return self.config.exists() or self.holds_checkpoint

    @property
    def holds_checkpoint(self) -> bool:
        """Whether a run has written its first checkpoint here."""
        found = self.checkpoints.iterdir() if self.checkpoints.is_dir() else ()
        return any(path.suffix != ".unfinished" for path in found)

    def settle(self, config: str, defaults: Collection[str] = ()) -> None:
        """Writes the configuration, or compares it with the one that is there.

        If the run has no checkpoint yet, the new settings replace the old ones, and a message shows
        which.

        Args:
            config: All settings of the run, as a gin file.
            defaults: Names of those that have their default, which a run of an earlier version may
                lack.

        Raises:
            WorkdirError: If the run that is here has other settings; shows which.
        """
        if not self._chief:
            return
        if not self.config.exists():
            write_atomically(self.config, config)
            return
        changes = differences(
            self.config.read_text(encoding="utf-8-sig", errors="replace"), config, defaults
        )
        if not changes:
            return
        lines = "\n".join(f"  {change}" for change in changes)
        if self.holds_checkpoint:
            raise WorkdirError(
                f"{self.path} holds a run with other settings (there -> asked for):\n{lines}\n"
                "Nothing was changed. Choose another --workdir, or use the run's own settings "
                f"with --gin_file={self.config}."
            )
        write_atomically(self.config, config)
        print(f"{self.path} has no checkpoint yet. Its settings were replaced:\n{lines}")

    def _check_resume(self, resume: str) -> None:
        if not self.config.exists() and list(self.path.glob("step-*/progress.json")):
            raise WorkdirError(
                f"--workdir={self.path}: expected the folder of a run, or a new one. Received: one "
                f"that holds a run's checkpoints. Use --workdir={self.path.parent}, or a new name."
            )
        if resume == "never" and self.holds_run:
            raise WorkdirError(
                f"{self.path} already holds a run, and --resume=never forbids to continue it. "
                "Choose another --workdir, or leave out --resume=never."
            )
        if resume == "must" and not self.holds_checkpoint:
            raise WorkdirError(
                f"{self.path} holds no checkpoint to continue from, as --resume=must demands. "
                "Correct --workdir, or leave out --resume=must to start there."
            )

    def _check_room(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path) as probe:
                probe.write(bytes(_ROOM))
                probe.flush()
                os.fsync(probe.fileno())
        except OSError as error:
            raise WorkdirError(
                f"Cannot write to --workdir={self.path}: {error.strerror}. Allow writing there, "
                "free some space, or choose another --workdir."
            ) from error
