"""Extracts features of batches on all devices at once, in order; shows what is being computed."""

import collections
import concurrent.futures
import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import tensorflow as tf
import tqdm

from tfgan_stab.evaluation.accumulators import Batch, Need


def spread(
    batches: Iterable[Batch], needs: Sequence[Need], devices: Sequence[str] = ()
) -> Iterator[Batch]:
    """Yields batches in their order, with all outputs known that will be asked for.

    Batch i is extracted on device i modulo their number, so that all of them work at once. What
    comes out does not depend on their number, as far as they compute alike.

    Args:
        batches: The batches.
        needs: What will be asked for.
        devices: Names of devices, such as those of a strategy's replicas; fewer than two change
            nothing.
    """
    if len(devices) < 2:
        for batch in batches:
            yield _extracted(batch, needs, None)
        return
    source, turns = iter(batches), itertools.cycle(devices)
    # Networks are loaded or trained by whoever asks first, and only once.
    yield from (_extracted(batch, needs, next(turns)) for batch in itertools.islice(source, 1))
    with concurrent.futures.ThreadPoolExecutor(len(devices)) as pool:
        running: collections.deque[concurrent.futures.Future[Batch]] = collections.deque()
        for batch in source:
            running.append(pool.submit(_extracted, batch, needs, next(turns)))
            if len(running) == len(devices):
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _extracted(batch: Batch, needs: Sequence[Need], device: str | None) -> Batch:
    with contextlib.nullcontext() if device is None else tf.device(device):
        for need in needs:
            need.extract(batch)
    return batch


@contextlib.contextmanager
def waiting(total: int, show: bool) -> Iterator[Callable[..., Any]]:
    """Lends a function that calls another one and shows which, until it is done.

    Args:
        total: How many calls there will be.
        show: Whether to show anything.

    Yields:
        What takes a name, a function and its arguments, and returns what the function returns.
    """
    with tqdm.tqdm(total=total, unit="score", leave=False, disable=not show) as bar:

        def call(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
            bar.set_description(f"computing {name}")
            result = function(*arguments)
            bar.update()
            return result

        yield call
