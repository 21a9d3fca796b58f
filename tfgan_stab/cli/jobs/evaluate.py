"""Scores stored images, or those that a generator makes, and prints a table."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tfgan_stab._utils.files import user_path, write_atomically
from tfgan_stab.cli.flags.evaluate import FEATURE_SCORES, EvaluateSettings
from tfgan_stab.cli.sources.generators import load_network
from tfgan_stab.cli.sources.kinds import NAMED, SourceError
from tfgan_stab.cli.sources.opening import open_real, open_source
from tfgan_stab.cli.sources.source import Source
from tfgan_stab.cli.sources.stored import StoredImages
from tfgan_stab.evaluation.evaluate import baselines, measure, validate
from tfgan_stab.evaluation.extractors.function import as_extractor
from tfgan_stab.evaluation.extractors.inception import Inception
from tfgan_stab.evaluation.real_images import FeatureStatistics
from tfgan_stab.evaluation.results import INFERENCE, ScoreResult
from tfgan_stab.evaluation.samples import Sample
from tfgan_stab.evaluation.scores.feature_scores import KID, InceptionScore, PrecisionRecall
from tfgan_stab.evaluation.scores.fid import FID, FIDAtSizes
from tfgan_stab.evaluation.scores.image_scores import MSSSIM, SlicedWasserstein
from tfgan_stab.evaluation.scores.mode_coverage import ModeCoverage
from tfgan_stab.evaluation.scores.ngram_jsd import NgramJSD
from tfgan_stab.evaluation.scores.per_class import PerClass

__all__ = ["evaluate"]

_SAMPLES = 10_000
_ALONE = {"inception_score", "ms_ssim"}  # They compare with nothing.
_BASELINE = "baseline"


def evaluate(settings: EvaluateSettings) -> None:
    """Scores as the command line says.

    Args:
        settings: What it says.

    Raises:
        ValueError: If something does not fit together.
        OSError: If something cannot be read or written.
    """
    source = open_source(settings.source, **settings.opening)
    samples = _samples(settings, source)
    real = _real(settings)
    settings.check_white(_needs_white(source, settings, real))
    scores = _scores(settings, samples, real)
    _match_classes(scores, source)
    sides = _weights(settings, source)
    validate(scores, _draw(source, sides[0]))
    sizes = settings.sizes
    rows: list[tuple[str, ScoreResult]] = []
    try:
        for weights in sides:
            rows += [
                (weights or "", result)
                for results in measure(
                    scores, _draw(source, weights, sizes), _note(source), show=True
                )
                for result in results
            ]
        if settings.baseline:
            of_real = baselines(scores, show=True)
            rows += [(_BASELINE, result) for results in of_real for result in results]
    finally:
        if rows:  # Also if the rest fails or is interrupted: what has been measured is printed.
            each = " of each class" if settings.per_class else ""
            print(f"{samples} images{each} of {source.description}")
            print("\n".join(_table(rows)))
    if settings.output is not None:
        write_atomically(settings.output, _report(settings, source, rows))
        print(f"Written to {settings.output}.")
    if settings.write_statistics is not None:
        [fid] = (score for score in scores if isinstance(score, FID))
        fid.save_statistics(settings.write_statistics)
        print(f"Statistics of the real images written to {settings.write_statistics}.")


def _match_classes(scores: Sequence[Any], source: Source) -> None:
    """Has scores draw the classes of their real images, by name; stored images have their own."""
    for score in scores:
        if isinstance(score, PerClass) or source.count is None:
            score.match(source.classes)


def _samples(settings: EvaluateSettings, source: Source) -> int:
    if settings.samples is not None:
        return settings.samples
    if source.count is None:
        return _SAMPLES
    labels = source.labels(source.count) if settings.per_class else None
    # As many of each class as the smallest one has.
    available = (
        source.count if labels is None else int(np.unique(labels, return_counts=True)[1].min())
    )
    if available < 2:
        of_class = " of a class" if settings.per_class else ""
        raise SourceError(
            f"A score takes 2 images{of_class} or more. Received: {source.description} with "
            f"{available}. Choose a larger source."
        )
    return min(_SAMPLES, available)


def _weights(settings: EvaluateSettings, source: Source) -> Sequence[str | None]:
    """Which weights to score; `None` where there is no choice."""
    for name in settings.weights or ():
        if name not in source.weights:
            known = ", ".join(source.weights) or "no others than its own"
            raise SourceError(
                f"--weights={name}: {source.description} has {known}. Correct it, or leave it out."
            )
    return settings.weights or source.weights or [None]


def _draw(source: Source, weights: str | None, sizes: Sequence[int] = ()) -> Any:
    def draw(sample: Sample) -> Iterator[np.ndarray]:
        if isinstance(source, StoredImages):
            return source.picked(sample.count, sample.seed, sample.label, sizes)
        return source.draw(sample.count, weights, sample.seed, sample.label, sample.shares)

    return draw


def _note(source: Source) -> str:
    """How images were made; of stored ones that is not known."""
    return INFERENCE if source.count is None else "stored"


def _needs_white(source: Source, settings: EvaluateSettings, real: Any) -> bool:
    """Returns whether there are images of more than 8 bits among those opened."""
    if settings.real is not None and "white" in NAMED.get(settings.real.partition(":")[0], ()):
        return True  # Such a data set refuses it where it does without.
    stored = source, getattr(real, "example_set", None)
    return any(getattr(each, "white", None) is not None for each in stored)


def _scores(settings: EvaluateSettings, samples: int, real: Any) -> list[Any]:
    """Returns the scores asked for."""
    # Scores that compare with nothing need none; statistics tell them nothing.
    images = None if isinstance(real, FeatureStatistics) else real
    extractor = _extractor(settings) if set(FEATURE_SCORES) & set(settings.scores) else None
    common: dict[str, Any] = {"samples": samples, "seed": settings.seed}
    pictures = {**common, "quantize": settings.quantize}
    made: list[Any] = []
    for name in settings.scores:
        if name == "fid":
            made.append(FID(extractor, real, **pictures))
        elif name == "modes":
            made.append(ModeCoverage(real, **common))
        elif name == "jsd":
            made.append(NgramJSD(real, **common))
        elif name in ("sliced_wasserstein", "ms_ssim"):
            kind = SlicedWasserstein if name == "sliced_wasserstein" else MSSSIM
            made.append(kind(images, **pictures))
        else:
            kinds = {"kid": KID, "inception_score": InceptionScore}
            made.append(kinds.get(name, PrecisionRecall)(extractor, images, **pictures))
    if settings.sizes:
        sized = {key: value for key, value in pictures.items() if key != "samples"}
        made.append(FIDAtSizes(extractor, real, sizes=list(settings.sizes), **sized))
    return [PerClass(score) for score in made] if settings.per_class else made


def _real(settings: EvaluateSettings) -> Any:
    """Returns the real images; `None` if none are named and no score needs them."""
    alone = set(settings.scores) <= _ALONE
    if alone and settings.real is None and not (settings.baseline or settings.per_class):
        return None
    real = open_real(
        settings.real,
        settings.source,
        settings.size,
        settings.channels,
        settings.per_class,
        settings.white,
        settings.gin_unsafe_imports,
    )
    if isinstance(real, FeatureStatistics):
        others = [name for name in settings.scores if name not in {"fid", *_ALONE}]
        others += [f"--{name}" for name in ("baseline", "per_class") if getattr(settings, name)]
        if others or "fid" not in settings.scores:
            raise SourceError(
                f"--real={settings.real} holds statistics of features, of which the FID can be "
                f"told. Received: {', '.join(others or settings.scores)}, for which there must be "
                "real images. Leave that out, or give the images."
            )
    return real


def _extractor(settings: EvaluateSettings) -> Any:
    if settings.extractor == "inception":
        return Inception(settings.inception, settings.resize)
    if settings.extractor.endswith(".keras"):
        return load_network(user_path(settings.extractor), "a network")
    return as_extractor(settings.extractor)


def _table(rows: Sequence[tuple[str, ScoreResult]]) -> list[str]:
    """A line for each number, and how it was measured below."""
    wide = max(len(result.name) for _, result in rows)
    lines = []
    for weights, result in rows:
        error = result.standard_error
        deviation = "" if error is None else f" +- {error:.4g}"
        lines.append(f"  {result.name:<{wide}}  {weights:<8}{result.value:12.5g}{deviation}")
        lines += [f"  {'':<{wide}}  {'':<8}({result.remark})"] if result.remark else []
    return [*lines, "measured as", *(f"  {line}" for line in dict.fromkeys(_protocols(rows)))]


def _protocols(rows: Sequence[tuple[str, ScoreResult]]) -> list[str]:
    return [str(result.protocol) for _, result in rows]


def _report(
    settings: EvaluateSettings, source: Source, rows: Sequence[tuple[str, ScoreResult]]
) -> str:
    numbers = [
        {
            "score": result.name,
            "weights": weights or None,
            "value": result.value,
            "standard_error": result.standard_error,
            "larger_is_better": result.larger_is_better,
            "protocol": str(result.protocol),
            **({"remark": result.remark} if result.remark else {}),
        }
        for weights, result in rows
    ]
    report = {"source": source.description, "seed": settings.seed, "scores": numbers}
    return json.dumps(report, indent=1) + "\n"
