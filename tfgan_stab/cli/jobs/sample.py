"""Images into files: a folder of PNG files, or an array in a `.npz` file; texts into a `.txt` file.

The first two hold the same bytes. All are written completely or not at all, one batch at a time.
"""

import pathlib
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from tfgan_stab._utils.files import replacing, replacing_folder
from tfgan_stab._utils.progress import with_progress
from tfgan_stab.cli.flags.sample import SampleSettings
from tfgan_stab.cli.sources.opening import open_source
from tfgan_stab.data.image_decoding import to_bytes
from tfgan_stab.data.text import decode_text

__all__ = ["sample", "write_array", "write_pictures", "write_texts"]

_COUNT = 50_000


def sample(settings: SampleSettings) -> None:
    """Writes samples as the command line says.

    Raises:
        ValueError: If something does not fit together.
        OSError: If something cannot be read or written.
    """
    source = open_source(settings.source, **settings.opening)
    settings.check_white(source.white is not None)
    count = settings.count or source.count or _COUNT
    images = source.draw(count, settings.weights, settings.seed, settings.label)
    classes = source.labels(count, settings.label)
    images = with_progress(images, count, "sampling")
    if settings.output.suffix == ".npz":
        write_array(settings.output, images, count, classes)
    elif settings.output.suffix == ".txt":
        write_texts(settings.output, images, source.characters)
    else:
        # Images of a single class need no folder for it: a data set would read it as class 0.
        folders = None if settings.label is not None else classes
        write_pictures(settings.output, images, count, folders, source.classes)
    weights = settings.weights or source.default_weights
    by = f", {weights} weights" if weights else ""
    print(f"Wrote {count} samples of {source.description}{by} to {settings.output}.")


def write_pictures(
    folder: pathlib.Path,
    batches: Iterable[np.ndarray],
    count: int,
    classes: np.ndarray | None = None,
    names: Mapping[int, str] | None = None,
) -> None:
    """Writes `000000.png`, `000001.png`, ... in the order of the images.

    Args:
        folder: Where to write; what is there is replaced.
        batches: Float `[batch, height, width, 1, 3 or 4]` in [-1, 1]; 4 are color and alpha.
        count: How many images they hold in all.
        classes: int `[count]`: each class gets a folder, which `tgs.data.image_folder` counts as
            that class where each has an image; by default all lie side by side.
        names: Their names, which the folders get if all of them can; else the numbers.

    Raises:
        ValueError: If they are no pictures, or not finite; nothing is written then.
        OSError: If a file cannot be written; what was there is left unchanged.
    """
    width = max(6, len(str(count - 1)))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with replacing_folder(folder) as draft:
        folders = [draft] * count if classes is None else _class_folders(draft, classes, names)
        number = 0
        for batch in _finite(batches):
            if batch.ndim != 4 or batch.shape[-1] not in (1, 3, 4):
                raise ValueError(
                    "PNG files hold pictures [height, width, 1, 3 or 4]. Received: examples of "
                    f"shape {list(batch.shape[1:])}. Write them to a file that ends in .npz, texts "
                    "to one in .txt."
                )
            for png in tf.io.encode_png(to_bytes(batch)).numpy():
                (folders[number] / f"{number:0{width}d}.png").write_bytes(png)
                number += 1


def write_texts(path: pathlib.Path, batches: Iterable[np.ndarray], characters: str | None) -> None:
    """Writes a text file with a line for each text, in their order.

    Args:
        path: The file; one that is there is replaced.
        batches: Float `[batch, length, characters]`.
        characters: What each number of a character stands for; `None` if nobody knows.

    Raises:
        ValueError: If they are no texts, nobody knows their characters, or they are not finite;
            nothing is written then.
        OSError: If the file cannot be written; what was there is left unchanged.
    """
    if characters is None:
        raise ValueError(
            "A .txt file holds texts, of a run that was trained on `tgs.data.text`. Received: "
            "samples of which no run says what their characters are. Write pictures into a "
            "folder, other samples to a file that ends in .npz."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft, draft.open("w", encoding="utf-8") as file:
        for batch in _finite(batches):
            file.writelines(f"{each}\n" for each in decode_text(batch, characters))


def write_array(
    path: pathlib.Path,
    batches: Iterable[np.ndarray],
    count: int,
    classes: np.ndarray | None = None,
) -> None:
    """Writes a `.npz` file as the evaluators of other projects read it.

    It holds `arr_0`: uint8 `[count, height, width, channels]`, or for other examples than images
    float32 `[count, ...]`; and `arr_1`, int64 `[count]`, where there are classes.

    Args:
        path: The file; one that is there is replaced.
        batches: Float `[batch, ...]`, images in [-1, 1].
        count: How many examples they hold in all.
        classes: int `[count]`; `None` without classes.

    Raises:
        ValueError: If values are not finite; nothing is written then.
        OSError: If the file cannot be written; what was there is left unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft, zipfile.ZipFile(draft, "w", allowZip64=True) as archive:
        _write_member(archive, "arr_0", map(_stored, _finite(batches)), count)
        if classes is not None:
            _write_member(archive, "arr_1", [np.asarray(classes, np.int64)], count)


def _class_folders(
    draft: pathlib.Path, classes: np.ndarray, names: Mapping[int, str] | None
) -> list[pathlib.Path]:
    """Makes a folder for each class; returns each image's."""
    width, numbers = len(str(classes.max())), np.unique(classes).tolist()
    by_number = {number: f"{number:0{width}d}" for number in numbers}
    named = {number: (names or {}).get(number, "") for number in numbers}
    found = named if _can_be_folders(named) else by_number  # In the order of the classes.
    folders = {number: draft / name for number, name in found.items()}
    for folder in folders.values():
        folder.mkdir()
    return [folders[int(each)] for each in classes]


def _can_be_folders(names: Mapping[int, str]) -> bool:
    """Whether names are those of folders on any system, and say more than the number."""
    plain = all(re.fullmatch(r"[^\W_][\w .,()+-]*(?<![ .])", name) for name in names.values())
    different = len({name.casefold() for name in names.values()}) == len(names)
    return plain and different and any(name != str(number) for number, name in names.items())


def _finite(batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    done = 0
    for batch in batches:
        finite = np.isfinite(batch).reshape(len(batch), -1).all(axis=1)
        if not finite.all():
            raise ValueError(
                "Samples must be finite numbers. Received: NaN or infinity in image "
                f"{done + int(np.argmin(finite))}. Choose other weights, or a checkpoint from "
                "before the training diverged."
            )
        yield batch
        done += len(batch)


def _stored(batch: np.ndarray) -> np.ndarray:
    return to_bytes(batch) if batch.ndim == 4 else batch.astype(np.float32)


def _write_member(
    archive: zipfile.ZipFile, name: str, pieces: Iterable[np.ndarray], count: int
) -> None:
    """Writes an array of `count` rows that comes in pieces, as `numpy.savez` does."""
    # Without a date, so that the same samples make the same file.
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
        for number, piece in enumerate(pieces):
            if not number:
                header = {
                    "descr": np.lib.format.dtype_to_descr(piece.dtype),
                    "fortran_order": False,
                    "shape": (count, *piece.shape[1:]),
                }
                np.lib.format.write_array_header_1_0(file, header)
            file.write(piece.tobytes())
