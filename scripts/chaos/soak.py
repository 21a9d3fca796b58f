"""A long training in one process: whether memory grows, and whether anything is traced again."""

import gc
import pathlib
import re
from typing import NamedTuple

import keras

import tfgan_stab as tgs

EPOCHS = 20
WARM_UP = 4  # Epochs, until every part has been used and memory is what it will be.


class Figures(NamedTuple):
    """What a soak has measured.

    Attributes:
        steps: Steps trained.
        memory: Resident memory after each epoch, MiB.
        anonymous: The part of it that no file stands behind, which the system cannot take back.
        traces_before: How often the step was traced until the end of the first epoch.
        traces_after: And until the end of training.
    """

    steps: int
    memory: list
    anonymous: list
    traces_before: int
    traces_after: int

    @property
    def growth(self):
        """By what part memory has grown after the warm-up: the larger of both."""
        return max(found[-1] / found[WARM_UP - 1] - 1 for found in (self.memory, self.anonymous))

    def __str__(self):
        lines = [f"{self.steps} steps; warm-up: {self.steps * WARM_UP // EPOCHS}"]
        for name, found in (("resident", self.memory), ("of it anonymous", self.anonymous)):
            warm, end = found[WARM_UP - 1], found[-1]
            lines.append(f"{name}: {warm:.1f} MiB, in the end {end:.1f} ({end / warm - 1:+.2%})")
        first, last = self.traces_before, self.traces_after
        return "\n".join([*lines, f"traces: {first} in the first epoch, {last} in the end"])


def memory_of(kind):
    """Returns how much memory of this process is in use, in MiB."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(rf"{kind}:\s+(\d+) kB", status)[1]) / 1024


class Watch(keras.callbacks.Callback):
    """Notes memory and traces after each epoch."""

    def __init__(self, traces):
        super().__init__()
        self.memory, self.anonymous, self.traces = [], [], []
        self._traced = traces

    def on_epoch_end(self, epoch, logs=None):
        """Notes both."""
        gc.collect()
        self.memory.append(memory_of("VmRSS"))
        self.anonymous.append(memory_of("RssAnon"))
        functions = self.model.execution.functions
        graphs = (functions.one, functions.several, self.model._functions.gradients)
        counts = [graph.experimental_get_tracing_count() for graph in graphs]
        self.traces.append(len(self._traced) + sum(counts))


def count_traces(gan):
    """Returns a list that grows by one whenever the step is traced."""
    traces, step = [], gan.train_step

    def counted(data):
        traces.append(1)
        return step(data)

    gan.train_step = counted
    return traces


def soak(folder, steps=20_000):
    """Trains a small game on a mixture with the callbacks that users have; returns the figures.

    Args:
        folder: Where the callbacks write.
        steps: How many, at least 20.
    """
    gan = tgs.GAN(
        tgs.networks.mlp_generator(latents=8, width=16, depth=2),
        tgs.networks.mlp_discriminator(width=16, depth=2),
        latents=8,
    )
    gan.compile(
        keras.optimizers.Adam(1e-3, beta_1=0.5),
        keras.optimizers.Adam(1e-3, beta_1=0.5),
        scheme=tgs.Lookahead(tgs.Simultaneous(), sync_period=5),
        averages={"ema": tgs.ExponentialAverage(0.999)},
        jit_compile=False,
    )
    watch = Watch(count_traces(gan))
    every = max(1, steps // EPOCHS // 2)
    callbacks = [
        tgs.callbacks.RunLog(folder / "log"),
        tgs.callbacks.DivergenceGuard("rollback", every=every),
        tgs.callbacks.Checkpoint(folder / "checkpoints", every=every),
        watch,
    ]
    gan.fit(
        tgs.data.mixture(batch_size=64),
        epochs=EPOCHS,
        steps_per_epoch=steps // EPOCHS,
        callbacks=callbacks,
        verbose=0,
    )
    return Figures(gan.steps, watch.memory, watch.anonymous, watch.traces[0], watch.traces[-1])
