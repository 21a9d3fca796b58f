"""From a path to the images that lie there: those to score or to save, and the real ones."""

import inspect
import json
import os
import pathlib
from typing import Any

from tfgan_stab._utils.files import user_path
from tfgan_stab.callbacks.best_checkpoint import SCORE
from tfgan_stab.callbacks.checkpoint_files import restore, restore_newest
from tfgan_stab.cli.config import gin as configuring
from tfgan_stab.cli.jobs import train as training
from tfgan_stab.cli.jobs.train import build
from tfgan_stab.cli.sources.generators import GeneratedByGAN, open_keras_file
from tfgan_stab.cli.sources.kinds import (
    CONFIG,
    NAMED,
    Kind,
    SourceError,
    kind_of,
    workdir_of,
)
from tfgan_stab.cli.sources.source import BATCH, Source
from tfgan_stab.cli.sources.stored import StoredImages, open_stored
from tfgan_stab.data.array_files import keys_in
from tfgan_stab.data.batches import Batches
from tfgan_stab.data.registry import KINDS, SETS, load
from tfgan_stab.evaluation.real_images import FeatureStatistics, holds_statistics
from tfgan_stab.training.averaging.swap import LIVE
from tfgan_stab.training.gan import GAN

_REAL_BATCH = 64  # Images of a data set that are scored at once, or all where it has fewer.


def open_run(
    path: pathlib.Path, batch_size: int = BATCH, unsafe_imports: bool = False
) -> GeneratedByGAN:
    """Returns a run's GAN as it was at a checkpoint, or at the newest whole one of a workdir.

    Its settings become the configuration of this process. Another process may be training there.

    Args:
        path: The run's folder, or a checkpoint's in it.
        batch_size: Images made at once, an integer >= 1.
        unsafe_imports: Whether the run's settings may import anything.

    Raises:
        ConfigError: If the run's settings cannot be read.
        FileNotFoundError: If it has no checkpoint.
        DamagedCheckpointError: If the checkpoint is damaged, or all are.
        ValueError: If the checkpoints do not belong to the settings.
    """
    gan, weights, data = _rebuilt(_configure(path, unsafe_imports))
    if kind_of(path) is Kind.WORKDIR:
        path, _ = restore_newest(gan, path / "checkpoints")
    else:
        restore(gan, path)
        score = path / SCORE
        if score.is_file():  # One of the best, by a score of these weights.
            weights = json.loads(score.read_text(encoding="utf-8"))["weights"]
    return GeneratedByGAN(gan, str(path), weights, batch_size, **data)


def data_of(path: pathlib.Path, unsafe_imports: bool = False) -> Batches:
    """Returns the data that a run trains on.

    Args:
        path: The run's folder, or a checkpoint's in it.
        unsafe_imports: Whether its settings may import anything.

    Raises:
        ConfigError: If its settings cannot be read.
    """
    _configure(path, unsafe_imports)
    return _data()


def _configure(path: pathlib.Path, unsafe_imports: bool) -> pathlib.Path:
    """Makes a run's settings those of this process; returns the run's folder."""
    workdir = workdir_of(path)
    configuring.parse([str(workdir / CONFIG)], unsafe_imports=unsafe_imports)
    return workdir


def _data() -> Batches:
    return configuring.arguments(training.train, ["data"])["data"]


def _rebuilt(workdir: pathlib.Path) -> tuple[GAN, str, dict[str, Any]]:
    """Returns the GAN with new weights, those that the run saves, and names that its data gave."""
    settings = configuring.arguments(training.train, list(inspect.signature(build).parameters))
    # Nothing will be trained, so that whether XLA could need not be found out.
    gan = build(**{**settings, "jit_compile": False})
    data: dict[str, Any] = {}
    if gan.pair.conditional:
        data = _data_metadata(workdir, "classes")
        gan.num_classes = data["classes"]
    elif len(gan.pair.example_shape) == 2:  # Perhaps texts.
        data = _data_metadata(workdir, "characters")
    weights: dict[str, Any] = configuring.arguments(training.train, ["weights"])
    names = {name: data.get(name) for name in ("class_names", "characters")}
    return gan, weights.get("weights", LIVE), names


def _data_metadata(workdir: pathlib.Path, wanted: str) -> dict[str, Any]:
    """What the run has noted of its data; where what is wanted is not there, they are loaded."""
    report = workdir / "run.json"
    metadata = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else {}
    noted: dict[str, Any] = metadata.get("data") or {}
    if noted.get(wanted) is not None:
        return noted
    return _data().description()


def open_source(
    path: str | os.PathLike[str],
    *,
    latents: str | None = None,
    num_classes: int | None = None,
    size: int | None = None,
    channels: int | None = None,
    white: int | None = None,
    batch_size: int = BATCH,
    unsafe_imports: bool = False,
) -> Source:
    """Returns the source of images at a path. Settings that its kind does not take are left alone.

    Args:
        path: A workdir, a checkpoint in one, a `.keras` file, a folder of pictures, or a `.npz` or
            `.npy` file.
        latents: "normal", "uniform" or "sphere", for a generator in a `.keras` file; "normal"
            unless given.
        num_classes: Classes of a generator in a `.keras` file that does not tell.
        size: Height and width that a folder's pictures are resized to, an integer >= 1.
        channels: 1, 3 or 4, for a folder's pictures.
        white: Which value is white, for a folder's pictures of 16 bits and arrays of such
            integers.
        batch_size: Images generated at once, an integer >= 1. A different batch size gives
            different images.
        unsafe_imports: Whether a run's settings may import anything.

    Raises:
        FileNotFoundError: If nothing lies there, or a run has no checkpoint.
        ValueError: If images cannot come from there, or a setting is out of range.
        OSError: If something cannot be read.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "samples.npz"
        >>> np.savez(path, np.zeros([10, 8, 8, 3], np.uint8))
        >>> source = open_source(path)
        >>> source.count, next(source.draw(4)).shape
        (10, (4, 8, 8, 3))
    """
    kind = kind_of(path)
    place = user_path(path)
    if kind.trained:
        return open_run(place, batch_size, unsafe_imports)
    if kind is Kind.KERAS:
        return open_keras_file(place, latents, num_classes, batch_size)
    return StoredImages(open_stored(place, size, channels, white), str(place))


def open_real(
    real: str | None,
    source: str,
    size: int | None = None,
    channels: int | None = None,
    labels: bool = False,
    white: int | None = None,
    unsafe_imports: bool = False,
) -> Batches | FeatureStatistics:
    """Returns the real images to score a source against, or statistics of their features.

    Args:
        real: A name that `tgs.data.load` knows, a folder of pictures, or a `.npz` or `.npy` file;
            `None` for what a run trains on.
        source: The path of the source that is scored.
        size: Height and width that pictures of a folder or a data set are resized to, an integer
            >= 1.
        channels: 1, 3 or 4, for pictures of a folder or a data set.
        labels: Whether a data set that is loaded by its name gives its classes.
        white: Which value is white, for a folder's pictures of 16 bits and arrays of such
            integers. A data set that is loaded by its name is given what `NAMED` says it takes.
        unsafe_imports: Whether a run's settings may import anything.

    Returns:
        The data set, whose stored images have classes if their place tells them; or the statistics
        in a `.npz` file of `mu` and `sigma`.

    Raises:
        FileNotFoundError: If nothing lies there.
        ValueError: If there are no real images there, or none are known for the source.
        OSError: If something cannot be read.

    Example:
        >>> open_real("digits", "samples.npz").num_examples
        1797
    """
    if real is None:
        if not kind_of(source).trained:
            raise SourceError(
                f"--real is missing: {source}, {kind_of(source).value}, does not tell which images "
                "are real. Try --real=tfds:cifar10, or a folder of pictures."
            )
        return data_of(user_path(source), unsafe_imports)
    kind = real.partition(":")[0]
    if real in SETS or kind in KINDS:
        given = {"size": size, "channels": channels, "white": white, "labels": labels or None}
        settings = {name: given[name] for name in NAMED[kind] if given[name] is not None}
        return _in_batches(load(real, batch_size=1, **settings))
    if _kind_of(real).generates:
        raise SourceError(
            f"Real images are a data set's, or lie in a folder or an array. Received: {real}, "
            f"{kind_of(real).value}. Write samples of it first, with scripts/sample.py."
        )
    place = user_path(real)
    if place.suffix == ".npz" and holds_statistics(keys_in(str(place)) or ()):
        return FeatureStatistics(place)
    images = open_stored(place, size, channels, white)
    return Batches(images, batch_size=min(BATCH, images.num_examples))


def _in_batches(data: Batches) -> Batches:
    """Returns the same examples in batches that a set of any size can have."""
    count = data.num_examples
    return type(data)(data.example_set, _REAL_BATCH if count is None else min(_REAL_BATCH, count))


def _kind_of(real: str) -> Kind:
    try:
        return kind_of(real)
    except FileNotFoundError as error:
        names = ", ".join([*SETS, *(f"{kind}:..." for kind in KINDS)])
        raise FileNotFoundError(
            f"--real={real} is neither a path nor a data set, which are {names}. {error}"
        ) from error
