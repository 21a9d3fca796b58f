"""How good a generator is: images -> features -> statistics -> scores.

May import `_utils` and `data`; needs no GAN, only images. Public names load on first use.
"""

from tfgan_stab._utils import attach

# Public name -> module that defines it, in the order of the flow.
_HOMES = {
    "Extractor": "extractors.base",
    "FunctionExtractor": "extractors.function",
    "Outputs": "extractors.base",
    "DigitsClassifier": "extractors.digits",
    "RandomFeatures": "extractors.random",
    "Inception": "extractors.inception",
    "resized": "extractors.base",
    "Moments": "metrics.moments",
    "RunningMoments": "metrics.moments",
    "Estimate": "metrics.estimate",
    "frechet_distance": "metrics.frechet",
    "frechet_distance_from_moments": "metrics.frechet",
    "kernel_distance": "metrics.kernel",
    "inception_score": "metrics.inception_score",
    "precision_recall": "metrics.precision_recall",
    "sliced_wasserstein": "metrics.sliced_wasserstein",
    "sliced_wasserstein_of_images": "metrics.sliced_wasserstein",
    "ms_ssim": "metrics.ms_ssim",
    "mixture_quality": "metrics.mixtures",
    "MixtureCounts": "metrics.mixtures",
    "ngram_jsd": "metrics.ngrams",
    "NgramCounts": "metrics.ngrams",
    "ScoreResult": "results",
    "Protocol": "results",
    "same_protocol": "results",
    "Score": "score",
    "Sample": "score",
    "Batch": "accumulators",
    "Accumulator": "accumulators",
    "measure": "evaluate",
    "FID": "scores.fid",
    "FIDAtSizes": "scores.fid",
    "extrapolated": "scores.fid",
    "KID": "scores.feature_scores",
    "PrecisionRecall": "scores.feature_scores",
    "InceptionScore": "scores.feature_scores",
    "SlicedWasserstein": "scores.image_scores",
    "MSSSIM": "scores.image_scores",
    "ModeCoverage": "scores.mode_coverage",
    "NgramJSD": "scores.ngram_jsd",
    "PerClass": "scores.per_class",
}

__getattr__, __dir__, __all__ = attach(__name__, _HOMES)
