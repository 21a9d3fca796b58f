"""A small set whose stream shows its order."""

import numpy as np

from tfgan_stab.data.arrays import InMemory
from tfgan_stab.data.batches import Batches


def numbered(count, batch_size, **settings):
    """Points that carry their own index, so that an order can be read off a stream."""
    points = np.arange(count, dtype=np.float32)[:, np.newaxis]
    return Batches(InMemory("numbered", points), batch_size, **settings)


def order(batches, num_batches):
    return np.concatenate([batch.numpy()[:, 0] for batch in batches.take(num_batches)]).astype(int)
