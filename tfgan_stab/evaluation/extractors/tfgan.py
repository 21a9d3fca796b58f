"""The one place that imports TF-GAN.

`import tensorflow_gan` fails on today's TensorFlow and Python: its `__init__` pulls in an estimator
module that wants `tf.estimator`, and `distutils`. The evaluation and loss modules inside are fine.
They are imported here under bare parent packages that have TF-GAN's folders but run none of its
`__init__` code; afterwards `sys.modules` is as before, so that a genuine `import tensorflow_gan`,
where it works, is untouched by us.
"""

import contextlib
import functools
import importlib
import importlib.util
import os
import sys
import threading
import types
import warnings
from collections.abc import Iterator

_ROOT = "tensorflow_gan"
# The first two `__init__`s fail; the third is sound, but imports what only estimators need.
_BARE = (_ROOT, f"{_ROOT}.python", f"{_ROOT}.python.losses")
_lock = threading.RLock()


def evaluation() -> types.ModuleType:
    """Returns TF-GAN's evaluation module, `tensorflow_gan.python.eval`.

    Raises:
        ImportError: If tensorflow-gan is not installed.

    Example:
        >>> float(evaluation().classifier_metrics.trace_sqrt_product([[4.0]], [[9.0]]))
        6.0
    """
    return _load(f"{_ROOT}.python.eval")


def losses() -> types.ModuleType:
    """Returns TF-GAN's loss functions, `tensorflow_gan.python.losses.losses_impl`.

    The package's own losses do not use them: they are the answer that tests compare with.

    Raises:
        ImportError: If tensorflow-gan is not installed.

    Example:
        >>> import tensorflow as tf
        >>> float(losses().wasserstein_generator_loss(tf.constant([2.0]), add_summaries=False))
        -2.0
    """
    return _load(f"{_ROOT}.python.losses.losses_impl")


@functools.cache
def _load(name: str) -> types.ModuleType:
    with _lock, _bare_packages(), warnings.catch_warnings():
        # TF-GAN dates from 2020: unescaped backslashes and `distutils` are its own affair.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", SyntaxWarning)
        return importlib.import_module(name)


@contextlib.contextmanager
def _bare_packages() -> Iterator[None]:
    """Holds packages with TF-GAN's folders and no `__init__` code in `sys.modules`."""
    folders = _folders()
    previous = _take_out()
    for name in _BARE:
        package = types.ModuleType(name)
        subfolders = name.split(".")[1:]
        package.__path__ = [os.path.join(folder, *subfolders) for folder in folders]
        sys.modules[name] = package
    try:
        yield
    finally:
        _take_out()
        sys.modules.update(previous)


def _folders() -> list[str]:
    if _ROOT in sys.modules:
        return list(sys.modules[_ROOT].__path__)
    spec = importlib.util.find_spec(_ROOT)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            "FID needs TF-GAN's evaluation module, and tensorflow-gan is not installed in "
            f"{sys.prefix}. Install it with `pip install tensorflow-gan`."
        )
    return list(spec.submodule_search_locations)


def _take_out() -> dict[str, types.ModuleType]:
    """Removes everything of TF-GAN from `sys.modules` and returns it."""
    names = [name for name in sys.modules if name == _ROOT or name.startswith(f"{_ROOT}.")]
    return {name: sys.modules.pop(name) for name in names}
