"""What gin files may use unless --gin_unsafe_imports is given: what a training is made of.

Gin imports whatever module a file names, and calls what it finds there with the arguments that the
file sets. With all of Python within reach, such a file is a program. Here it may import this
package and Keras, and use their classes and functions that compute: none that writes where it is
told to, fetches something, or loads what is a program itself.
"""

import importlib
import inspect
from collections.abc import Iterable
from typing import Any

from tfgan_stab.cli.config.names import ConfigError, Name

__all__ = ["check_imports", "check_uses"]

_PACKAGES = ("__gin__", "keras", "tfgan_stab")
# Where the names of ours that may be used are public.
_OURS = (
    "tfgan_stab",
    "tfgan_stab.data",
    "tfgan_stab.data.latents",
    "tfgan_stab.evaluation",
    "tfgan_stab.game.augmentation",
    "tfgan_stab.game.losses",
    "tfgan_stab.game.penalties",
    "tfgan_stab.networks",
    "tfgan_stab.training.averaging",
    "tfgan_stab.updates",
)
# Other callbacks write into folders of their own choice.
_CALLBACKS = ("tfgan_stab.callbacks.diagnostics", "tfgan_stab.callbacks.divergence_guard")
# Where Keras defines classes that compute. Some layers load files and programs; none is here.
_OF_KERAS = tuple(
    f"keras.src.{part}." for part in ("constraints", "initializers", "losses", "optimizers")
) + ("keras.src.regularizers.", "keras.src.activations.")
# Arguments of ours that name a program to load, or a folder to write to.
_PLACES = {
    ("tfgan_stab.evaluation.extractors.inception", "path"),
    ("tfgan_stab.evaluation.extractors.digits", "directory"),
    ("tfgan_stab.callbacks.divergence_guard", "directory"),
}
_ALLOW = "allow all that it names with --gin_unsafe_imports."


def check_imports(names: Iterable[Name]) -> None:
    """Refuses imports of other packages than this one and Keras, for to import is to run.

    Args:
        names: All names of gin files and bindings, of which nothing is imported yet.

    Raises:
        ConfigError: If one is of another package.
    """
    for name in names:
        if name.kind != "import":
            continue
        package, *modules = name.statement.module.split(".")
        if package not in _PACKAGES or any(module.startswith("_") for module in modules):
            raise ConfigError(
                f"{name.where}: `{name.statement.format()}` would run the code of {package}. "
                "Expected imports of tfgan_stab and keras alone. If you trust this file and "
                f"{package}, {_ALLOW}"
            )


def check_uses(uses: Iterable[tuple[Name, Any]]) -> None:
    """Refuses to set or to refer to what does more than compute.

    Args:
        uses: Each name that is set or referred to, and what it stands for.

    Raises:
        ConfigError: If it is none that gin files may use.
    """
    for name, found in uses:
        if not (_is_ours(found) or _is_of_keras(found)):
            raise ConfigError(
                f"{name.where}: `{name.name}` must be a public network, loss, penalty, scheme, "
                "average, score or data set of tfgan_stab, or an optimizer, schedule, "
                "initializer, activation, constraint, regularizer or loss of Keras. Received: "
                f"{_described(found)}. If you trust this file, {_ALLOW}"
            )
        if (found.__module__, name.argument) in _PLACES and not name.is_none:
            raise ConfigError(
                f"{name.where}: `{name.name}.{name.argument}` must be left as it is: it names a "
                f"program to load, or a folder to write to. If you trust this file, {_ALLOW}"
            )


def _is_ours(found: Any) -> bool:
    """Whether it is a class or function that is public where names compute."""
    if not (inspect.isclass(found) or inspect.isfunction(found)):
        return False
    if found.__module__ in _CALLBACKS:
        return _is_public(found, "tfgan_stab.callbacks")
    return any(_is_public(found, place) for place in _OURS)


def _is_public(found: Any, place: str) -> bool:
    module, name = importlib.import_module(place), found.__qualname__
    return name in module.__all__ and getattr(module, name) is found


def _is_of_keras(found: Any) -> bool:
    """Whether it is one of Keras' classes that compute, or an activation."""
    home = getattr(found, "__module__", None) or ""
    if inspect.isfunction(found):
        return home == "keras.src.activations.activations" and "." not in found.__qualname__
    return inspect.isclass(found) and home.startswith(_OF_KERAS)


def _described(found: Any) -> str:
    home, name = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    return f"{home}.{name}" if home and name else f"a {type(found).__name__}"
