"""Images that a generator makes: that of a GAN, or one in a `.keras` file of any program."""

import importlib
import json
import pathlib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab._utils import random, validation
from tfgan_stab.cli.sources.kinds import SourceError
from tfgan_stab.cli.sources.source import BATCH, Source
from tfgan_stab.data import latents as samplers
from tfgan_stab.evaluation.samples import Sample
from tfgan_stab.game.functional import call_in_inference, network_inputs, place_of_condition
from tfgan_stab.training.averaging.swap import LIVE
from tfgan_stab.training.gan import GAN
from tfgan_stab.training.sampling import Sampling

LATENTS: dict[str, Callable[[int], Any]] = {
    "normal": samplers.Normal,
    "sphere": samplers.Sphere,
    "uniform": samplers.Uniform,
}


class GeneratedByGAN(Source):
    """A GAN as a source: what `gan.sample` returns, with its trained weights or any average.

    Args:
        gan: The model, restored.
        description: What it is called in messages and reports.
        default_weights: The weights used unless others are asked for.
        batch_size: Images made at once, an integer >= 1. A different batch size gives different
            images.
        class_names: Names of the classes, where the data that it was trained on have any.
        characters: What the numbers of its texts stand for, if it makes texts.
    """

    def __init__(
        self,
        gan: GAN,
        description: str,
        default_weights: str = LIVE,
        batch_size: int = BATCH,
        class_names: Sequence[str] | None = None,
        characters: str | None = None,
    ) -> None:
        conditional: bool = gan.pair.conditional
        super().__init__(
            description,
            [LIVE, *gan.averages],
            default_weights,
            conditional,
            gan.num_classes if conditional else None,
            class_names=class_names,
            characters=characters,
        )
        self.gan: Sampling = gan
        self._batch_size = batch_size

    def _draw(self, sample: Sample, weights: str | None) -> Iterator[np.ndarray]:
        return self.gan.sample_batches(
            sample.count, self._batch_size, weights or LIVE, sample.seed, sample.labels
        )


class GeneratedByKeras(Source):
    """A generator of which nothing is known but what its file says.

    The same noise as `gan.sample` draws for a seed, and so the same images.

    Args:
        generator: Maps latents `[batch, size]`, and int labels `[batch]` if it has a second input,
            to images.
        description: What it is called in messages and reports.
        latents: "normal", "uniform" or "sphere".
        num_classes: Classes of the labels; by default those of the generator's only embedding.
        batch_size: Images made at once, an integer >= 1. A different batch size gives different
            images.

    Raises:
        SourceError: If the model's inputs are not those of a generator.
    """

    def __init__(
        self,
        generator: keras.Model,
        description: str,
        latents: str = "normal",
        num_classes: int | None = None,
        batch_size: int = BATCH,
    ) -> None:
        size, self._dtype, conditional = _inputs(generator, description)
        if num_classes is not None and not conditional:
            raise SourceError(
                "A number of classes belongs to a generator that takes labels as a second input. "
                f"Received: num_classes={num_classes} for {description}, which has one input. "
                "Leave it out."
            )
        num_classes = num_classes or (_classes(generator) if conditional else None)
        super().__init__(description, conditional=conditional, num_classes=num_classes)
        self._generator = generator
        self._latents = LATENTS[latents](size)
        self._batch_size = batch_size

    def _draw(self, sample: Sample, weights: str | None) -> Iterator[np.ndarray]:
        # Here, so that a wrong seed or a missing label is an error before anything is drawn.
        labels = self.labels(sample.count) if sample.labels is None else sample.labels
        return self._batches(sample.count, validation.seed(sample.seed), labels)

    def _batches(self, count: int, seed: int, labels: np.ndarray | None) -> Iterator[np.ndarray]:
        size = min(self._batch_size, count)
        generate = tf.function(self._generated, autograph=False)
        for number, first in enumerate(range(0, count, size)):
            key = random.key(seed, random.SAMPLING, number)
            latents = tf.cast(self._latents(size, key), self._dtype)
            rows = range(first, first + size)
            own = None if labels is None else np.take(labels, rows, mode="wrap")
            yield generate(latents, own, key).numpy()[: count - first]

    def _generated(self, latents: tf.Tensor, labels: Any, key: tf.Tensor) -> tf.Tensor:
        inputs = network_inputs(self._generator, latents, labels)
        images = tf.cast(call_in_inference(self._generator, inputs, key), tf.float32)
        return tf.clip_by_value(images, -1.0, 1.0) if images.shape.rank == 4 else images


def open_keras_file(
    path: pathlib.Path,
    latents: str | None = None,
    num_classes: int | None = None,
    batch_size: int = BATCH,
) -> GeneratedByKeras | GeneratedByGAN:
    """Returns the generator in a file, or the GAN with its averages.

    Args:
        path: The file.
        latents: "normal", "uniform" or "sphere"; "normal" unless given. A GAN knows its own.
        num_classes: Classes of a generator with labels, where its file does not tell.
        batch_size: Images made at once, an integer >= 1.

    Raises:
        SourceError: If the file cannot be loaded, or holds no generator.
    """
    model = load_network(path)
    if not isinstance(model, GAN):
        source = GeneratedByKeras(model, str(path), latents or "normal", num_classes, batch_size)
        source.characters = _noted_characters(path)
        return source
    if latents is not None:
        raise SourceError(
            f"{path} holds a whole GAN, which knows its latents. Received: latents={latents!r}. "
            "Leave them out."
        )
    gan = load_network(path, compile=True)  # The averages are part of how it was compiled.
    gan.num_classes = num_classes or gan.num_classes
    return GeneratedByGAN(gan, str(path), batch_size=batch_size)


def load_network(path: pathlib.Path, what: str = "a generator", compile: bool = False) -> Any:
    """Returns the model in a `.keras` file, which may have layers of this package, but no code.

    Args:
        path: The file.
        what: What it should hold, for the message.
        compile: Whether to compile it as it was.

    Raises:
        SourceError: If Keras cannot load it.
    """
    # Keras finds those layers of this package that have been imported.
    for name in ("normalization", "resizing", "spectral_normalization"):
        importlib.import_module(f"tfgan_stab.networks.{name}")
    if not zipfile.is_zipfile(path):
        raise SourceError(
            f"Expected {path} to be {what} that Keras can load. Received: a file that is no zip "
            'archive, as .keras files are. Save it again with model.save("model.keras").'
        )
    try:
        return keras.saving.load_model(path, compile=compile, safe_mode=True)
    except (ValueError, TypeError, LookupError, AttributeError, OSError) as error:
        # Keras puts an error of a layer, and all of the settings, into one of the model.
        reason = str(error).rpartition("Exception encountered: ")[2].strip().partition("\n")[0]
        raise SourceError(
            f"Expected {path} to be {what} that Keras can load. Received: "
            f"{reason.rstrip('.')}. If it has layers or code of your own, write a copy that does "
            "without, or sample in a program that has them, and give the images as a .npz file."
        ) from error


def _noted_characters(path: pathlib.Path) -> str | None:
    """Returns what the run that a file lies in has noted of its texts, if it has."""
    for folder in path.absolute().parents[:4]:  # Below best/ each score has a folder.
        report = folder / "run.json"
        if report.is_file():
            data = json.loads(report.read_text(encoding="utf-8")).get("data") or {}
            return data.get("characters")
    return None


def _inputs(generator: Any, description: str) -> tuple[int, str, bool]:
    """Returns the latents' size and dtype, and whether the generator takes labels too."""
    inputs = list(getattr(generator, "inputs", None) or [])
    if len(inputs) == 2 and place_of_condition(inputs) == 0:
        inputs.reverse()
    shapes = [tuple(each.shape) for each in inputs]
    fits = len(shapes) in (1, 2) and len(shapes[0]) == 2 and shapes[0][1] is not None
    if fits and len(shapes) == 2:
        fits = len(shapes[1]) == 1 and inputs[1].dtype.startswith("int")
    if not fits:
        raise SourceError(
            "A generator takes latents [batch, size], and integer labels [batch] if it is "
            f"class-conditional. Received: {description} with inputs "
            f"{[list(shape) for shape in shapes] or 'of unknown shape'}. Save the generator, not "
            "the discriminator; build a subclassed model from keras.Input."
        )
    return shapes[0][1], inputs[0].dtype, len(shapes) == 2


def _classes(generator: keras.Model) -> int | None:
    found = {
        layer.input_dim
        for layer in generator._flatten_layers()
        if isinstance(layer, keras.layers.Embedding)
    }
    return found.pop() if len(found) == 1 else None
