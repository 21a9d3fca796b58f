"""A stand-in for a GAN and for a checkpoint: what `fit` gives each step, without training."""

import types

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab.training.fit import Clock, KerasWorkflows
from tfgan_stab.training.iterators import KeptIterators
from tfgan_stab.training.workers import Watchdog
from tfgan_stab.training.xla import Compilation


class Recorder(KerasWorkflows):
    """Stands in for a GAN: notes the batch of each step instead of training on it."""

    steps = epochs = steps_lost = averages = average_periods = precision = None  # Plain attributes.

    def __init__(self, minibatches=1):
        super().__init__()
        self.batches = []
        self.steps = 0
        self.epochs = 0
        self.check_derivatives = False
        self.top_k = self.augment = self.fake_labels = None
        self.clock = Clock()
        self.iterators = KeptIterators()
        self.watchdog = Watchdog()
        self.listeners = []
        self.num_classes = None
        self.data_metadata = None
        self.starts = 0
        self.scheme = types.SimpleNamespace(data_minibatches=minibatches, evaluations=2)
        self.compilation = Compilation("off", "of no use here.")
        self.precision = ["float32"]
        self.averages = {}
        self.penalties = ()
        self.average_periods = {}
        self.monitor = None
        self.steps_lost = 0
        self.weights_in_use = types.SimpleNamespace(
            current="live", switch=lambda name: None, use_classes=lambda *known: None
        )
        self.pair = types.SimpleNamespace(condition=None)
        self.built = True
        self.maker = types.SimpleNamespace(classes=None)
        keras.Model.compile(self, optimizer=None, run_eagerly=True)

    @property
    def steps_taken(self):
        return self.steps + self.steps_lost

    def build_monitor(self, diagnostics):
        return types.SimpleNamespace(diagnostics=diagnostics, reset=lambda: None)

    def _check_before_fit(self, x, y, steps, others):
        """There are no networks that data could not fit."""

    def start_over(self):
        self.starts += 1

    def train_step(self, data):
        images = data[0] if isinstance(data, (tuple, list)) else data
        self.batches.append(np.asarray(images).ravel()[:3].tolist())
        self.steps += 1
        return {"loss": tf.constant(1.0)}

    def fit(self, x, y=None, **kwargs):
        return super().fit(x, y, **{"verbose": 0, **kwargs})


class Resumed(keras.callbacks.Callback):
    """Stands in for a checkpoint."""

    def __init__(self, progress, steps=0):
        super().__init__()
        self.progress, self.steps, self.ordered = progress, steps, None

    def expect(self, ordered):
        self.ordered = ordered

    def release(self, error):
        pass

    def resume(self):
        self.model.steps = self.steps
        return self.progress


def numbered(count):
    return tf.data.Dataset.range(count).map(lambda n: tf.fill([2], tf.cast(n, tf.float32)))
