"""A run's GAN, rebuilt from its settings and restored, with no training and nothing written."""

import inspect
import json
import pathlib
from typing import Any

from tfgan_stab.callbacks.best_checkpoint import SCORE
from tfgan_stab.callbacks.checkpoint_files import restore, restore_newest
from tfgan_stab.cli.config import gin as configuring
from tfgan_stab.cli.jobs import train as training
from tfgan_stab.cli.jobs.build import build
from tfgan_stab.cli.sources.generators import GeneratedByGAN
from tfgan_stab.cli.sources.kinds import CONFIG, workdir_of
from tfgan_stab.cli.sources.source import BATCH
from tfgan_stab.data.batches import Batches
from tfgan_stab.training.averaging.swap import LIVE
from tfgan_stab.training.gan import GAN


def open_workdir(workdir: pathlib.Path, batch_size: int = BATCH) -> GeneratedByGAN:
    """Returns a run's GAN as it was at the newest whole checkpoint.

    Its settings become the configuration of this process. Another process may be training there.

    Args:
        workdir: The run's folder.
        batch_size: Images made at once, an integer >= 1.

    Raises:
        ConfigError: If its settings cannot be read.
        FileNotFoundError: If it has no checkpoint.
        DamagedCheckpointError: If all checkpoints are damaged.
        ValueError: If the checkpoints do not belong to the settings.
    """
    gan, weights = _rebuilt(workdir)
    path, _ = restore_newest(gan, workdir / "checkpoints")
    return GeneratedByGAN(gan, str(path), weights, batch_size)


def open_checkpoint(checkpoint: pathlib.Path, batch_size: int = BATCH) -> GeneratedByGAN:
    """Returns a run's GAN as it was at one of its checkpoints.

    Args:
        checkpoint: The checkpoint's folder, in its workdir.
        batch_size: Images made at once, an integer >= 1.

    Raises:
        ConfigError: If the run's settings cannot be read.
        DamagedCheckpointError: If the checkpoint is damaged.
        ValueError: If the checkpoint does not belong to the settings.
    """
    gan, weights = _rebuilt(workdir_of(checkpoint))
    restore(gan, checkpoint)
    score = checkpoint / SCORE
    if score.is_file():  # One of the best, by a score of these weights.
        weights = json.loads(score.read_text(encoding="utf-8"))["weights"]
    return GeneratedByGAN(gan, str(checkpoint), weights, batch_size)


def data_of(workdir: pathlib.Path) -> Batches:
    """Returns the data that a run trains on.

    Args:
        workdir: The run's folder.

    Raises:
        ConfigError: If its settings cannot be read.
    """
    configuring.parse([str(workdir / CONFIG)])
    return configuring.arguments(training.train, ["data"])["data"]


def _rebuilt(workdir: pathlib.Path) -> tuple[GAN, str]:
    """Returns the GAN with new weights, and the weights that the run draws and saves."""
    configuring.parse([str(workdir / CONFIG)])
    settings = configuring.arguments(training.train, list(inspect.signature(build).parameters))
    # Nothing will be trained, so that whether XLA could need not be found out.
    gan = build(**{**settings, "jit_compile": False})
    if gan.pair.conditional:
        gan.num_classes = _num_classes(workdir)
    weights: dict[str, Any] = configuring.arguments(training.train, ["weights"])
    return gan, weights.get("weights", LIVE)


def _num_classes(workdir: pathlib.Path) -> int | None:
    """What the run has noted of its data; where it has not, the data are loaded."""
    report = workdir / "run.json"
    metadata = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else {}
    noted = (metadata.get("data") or {}).get("classes")
    if noted is not None:
        return int(noted)
    return configuring.arguments(training.train, ["data"])["data"].num_classes
