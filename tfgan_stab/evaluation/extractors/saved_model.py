"""Networks from SavedModel folders or TensorFlow Hub, loaded once per process."""

import concurrent.futures
import functools
import hashlib
import pathlib
import tarfile
import threading
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tfgan_stab._utils.files import under_plain_name, user_path

_lock = threading.Lock()
# What of a SavedModel determines its outputs; the rest are fingerprints and descriptions.
_GRAPHS = ("saved_model.pb", "saved_model.pbtxt")
_FOLDERS = ("variables", "assets")
# How SavedModels and the older modules of TensorFlow Hub, which have a file more, are called.
_SIGNATURES = ("serving_default", "default")
_MODULE = "tfhub_module.pb"
# What the network, an archive that is cut short or a handle of nothing make TensorFlow Hub raise.
_HUB_ERRORS = (OSError, EOFError, RuntimeError, ValueError, tarfile.TarError)


class SavedNetwork(NamedTuple):
    """A loaded network.

    Args:
        run: Takes float32 images `[batch, height, width, channels]`, returns a dict of tensors.
        outputs: The names in that dict.
        content_hash: The first 8 hex digits of the sha256 of the folder's files.
    """

    run: Callable[[tf.Tensor], dict[str, tf.Tensor]]
    outputs: tuple[str, ...]
    content_hash: str


def is_handle(place: str) -> bool:
    """Whether a place is a handle of TensorFlow Hub, and no folder."""
    return "://" in place


def downloaded(handle: str) -> pathlib.Path:
    """Returns the folder that TensorFlow Hub keeps a handle's network in; downloads it if need be.

    Raises:
        OSError: If it can be neither found nor downloaded.
    """
    with warnings.catch_warnings():
        # TensorFlow Hub imports pkg_resources, which warns of its own end.
        warnings.simplefilter("ignore")
        import tensorflow_hub
    try:
        return pathlib.Path(tensorflow_hub.resolve(handle))
    except _HUB_ERRORS as error:
        raise OSError(f"TensorFlow Hub has no {handle} here: {error!r}.") from error


def loaded(folder: pathlib.Path, shape: tuple[int, int, int]) -> SavedNetwork:
    """Returns the network of a SavedModel folder, the same object at each call.

    Args:
        folder: A folder that holds `saved_model.pb`.
        shape: Height, width and channels of the images it takes.

    Raises:
        FileNotFoundError: If there is no such folder, or it is no SavedModel.
        ValueError: If the SavedModel cannot be read, does not take such images, or does not return
            a dict of tensors.
    """
    folder = user_path(folder).resolve()
    if not any((folder / graph).is_file() for graph in _GRAPHS):
        found = "a file" if folder.is_file() else "no such folder"
        if folder.is_dir():
            names = sorted(path.name for path in folder.iterdir())
            found = f"a folder of {', '.join(names[:5]) or 'nothing'}"
        raise FileNotFoundError(
            f"{folder} must be a SavedModel: a folder with {_GRAPHS[0]} and variables. "
            f"Received: {found}."
        )
    with _lock:
        return _loaded_once(folder, shape)


def folder_hash(folder: pathlib.Path) -> str:
    """Returns the sha256, in hex, of the names and bytes of a SavedModel's files.

    Of those that determine its outputs: the graph, `variables` and `assets`. So a folder from the
    cache of TensorFlow Hub and one unpacked by hand have one hash.
    """
    files = [folder / graph for graph in _GRAPHS]
    for subfolder in _FOLDERS:
        files += (folder / subfolder).rglob("*")
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.relative_to(folder).as_posix()):
        if path.is_file():
            content = path.read_bytes()
            digest.update(f"{path.relative_to(folder).as_posix()} {len(content)} ".encode())
            digest.update(content)
    return digest.hexdigest()


@functools.cache
def _loaded_once(folder: pathlib.Path, shape: tuple[int, int, int]) -> SavedNetwork:
    # In a thread of its own, strategies, devices and graphs that the caller is in do not apply.
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(_load, folder, shape).result()


def _load(folder: pathlib.Path, shape: tuple[int, int, int]) -> SavedNetwork:
    content_hash = folder_hash(folder)[:8]
    try:
        with under_plain_name(folder) as plain:
            network = tf.saved_model.load(str(plain), tags=_tags(folder))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise ValueError(
            f"The SavedModel in {folder} cannot be read: {error}. Obtain it again."
        ) from error
    run = _callable(network, folder)
    images = tf.TensorSpec([None, *shape], tf.float32)
    try:
        graph = tf.function(run, autograph=False).get_concrete_function(images)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise ValueError(
            f"The network in {folder} must take float32 images [batch, "
            f"{', '.join(map(str, shape))}]. It refuses them: {error}"
        ) from error
    outputs = graph.structured_outputs
    if not isinstance(outputs, dict):
        raise ValueError(
            f"The network in {folder} must return a dict of outputs. "
            f"Received: {type(outputs).__name__}. Export it with names for its outputs."
        )
    return SavedNetwork(run, tuple(sorted(outputs)), content_hash)


def _tags(folder: pathlib.Path) -> list[str] | None:
    """Of the graphs of an older module, the one for inference has no tags."""
    return [] if (folder / _MODULE).is_file() else None


def _callable(network: Any, folder: pathlib.Path) -> Callable[[tf.Tensor], Any]:
    if callable(network):
        return lambda images: network(images)
    name = next((name for name in _SIGNATURES if name in network.signatures), None)
    if name is None:
        raise ValueError(
            f"The SavedModel in {folder} must be callable or have the signature "
            f"{_SIGNATURES[0]!r}. Received: signatures {sorted(network.signatures)}."
        )
    arguments = sorted(network.signatures[name].structured_input_signature[1])
    if len(arguments) != 1:
        raise ValueError(
            f"The signature of the SavedModel in {folder} must take images alone. "
            f"Received: arguments {arguments}."
        )
    # Through the network: the signature alone does not keep the variables alive.
    return lambda images: network.signatures[name](**{arguments[0]: images})
