"""How good a generator is: images -> features -> statistics -> distance.

Public names load on first use, so that importing the folder costs nothing.
"""

import importlib
from typing import Any

# Public name -> module that defines it, in the order of the flow.
_HOMES = {
    "Extractor": "extractors",
    "FunctionExtractor": "extractors",
    "Outputs": "extractors",
    "DigitsClassifier": "digits_classifier",
    "RandomFeatures": "random_features",
    "Inception": "inception",
    "resized": "resizing",
    "Moments": "statistics",
    "RunningMoments": "statistics",
    "Estimate": "estimate",
    "frechet_distance": "frechet",
    "frechet_distance_from_moments": "frechet",
    "extrapolated": "fid_at_sizes",
    "kernel_distance": "kernel",
    "inception_score": "classifier_score",
    "precision_recall": "neighbors",
    "sliced_wasserstein": "sliced_distance",
    "sliced_wasserstein_of_images": "sliced_wasserstein_images",
    "ms_ssim": "structural_similarity",
    "mixture_quality": "mixtures",
    "MixtureCounts": "mixtures",
    "ngram_jsd": "ngrams",
    "NgramCounts": "ngrams",
    "ScoreResult": "results",
    "same_protocol": "results",
    "Score": "score",
    "measure": "measuring",
    "FID": "fid",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
