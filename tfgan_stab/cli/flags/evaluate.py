"""The flags of evaluation."""

import dataclasses
import pathlib
from collections.abc import Sequence

from absl import flags

from tfgan_stab._utils.files import user_path
from tfgan_stab.cli.config.names import nearest
from tfgan_stab.cli.flags.settings import check_choices, flag, path
from tfgan_stab.cli.flags.source import SourceSettings

__all__ = ["FEATURE_SCORES", "EvaluateSettings"]

EXTRACTORS = ("digits", "inception", "random")
FEATURE_SCORES = ("fid", "kid", "inception_score", "precision_recall")
SCORES = (*FEATURE_SCORES, "sliced_wasserstein", "ms_ssim", "modes", "jsd")


def _sizes(texts: Sequence[str]) -> tuple[int, ...]:
    numbers = [int(each) for each in texts if each.isascii() and each.isdigit()]
    if len(numbers) < max(2, len(texts)) or min(numbers) < 2:
        raise flags.Error(
            f"--sizes={','.join(texts)}: must list at least two integers, each >= 2. Try "
            "--sizes=1000,2000,5000."
        )
    return tuple(numbers)


@dataclasses.dataclass(frozen=True)
class EvaluateSettings(SourceSettings):
    """Which images to score, how, and against which real images.

    Example:
        >>> given = ["--source=runs/digits", "--scores=fid,kid"]
        >>> EvaluateSettings.parse(["evaluate.py", *given]).scores
        ('fid', 'kid')
    """

    usage = """\
Scores images: those that a run's generator makes, or those in a folder or an array.

  {program} --source=runs/digits --extractor=digits --scores=fid,kid,precision_recall --baseline
  {program} --source=samples.npz --real=tfds:cifar10 --extractor=inception --samples=50000
"""
    example = "--scores=fid,kid (without blanks)"

    real: str | None = flag(
        flags.DEFINE_string,
        None,
        "Real images: a data set's name, such as digits or tfds:cifar10, a folder of pictures, or "
        "a .npz or .npy file; for the FID also a .npz file of their features' mean and covariance, "
        "mu and sigma. Without it, those that the run trains on.",
    )
    extractor: str = flag(
        flags.DEFINE_string,
        "inception",
        f"What turns images into features: {', '.join(EXTRACTORS)}, or a model's .keras file.",
    )
    inception: str | None = flag(
        flags.DEFINE_string,
        None,
        "Inception's SavedModel, a folder. Without it, its published weights are fetched.",
    )
    resize: str = flag(
        flags.DEFINE_enum,
        "tf1",
        "How Inception's input is resized: as TF-GAN does, or with anti-aliasing.",
        enum_values=("tf1", "clean"),
    )
    scores: tuple[str, ...] = flag(
        flags.DEFINE_list, ("fid",), f"Scores to compute: {', '.join(SCORES)}."
    )
    samples: int | None = flag(
        flags.DEFINE_integer,
        None,
        "How many images a score takes. Without it 10,000, or all of a folder or array that has "
        "fewer.",
        lower_bound=2,
    )
    per_class: bool = flag(
        flags.DEFINE_bool,
        False,
        "Score each class alone, and give the mean over classes; for images with labels.",
    )
    quantize: bool = flag(
        flags.DEFINE_bool,
        True,
        "Round images to the 256 levels of a picture file first, so that generators and files are "
        "scored alike.",
    )
    weights: tuple[str, ...] | None = flag(
        flags.DEFINE_list,
        None,
        "Which weights to score, such as live,ema. Without it, all that there are.",
    )
    baseline: bool = flag(
        flags.DEFINE_bool, False, "Score real images against other real images too."
    )
    sizes: tuple[int, ...] = flag(
        flags.DEFINE_list,
        (),
        "Numbers of samples at which to compute the FID, such as 1000,2000,5000, and what it comes "
        "to for infinitely many.",
        convert=_sizes,
    )
    output: pathlib.Path | None = flag(
        flags.DEFINE_string, None, "A file for the scores, ending in .json.", convert=path
    )
    write_statistics: pathlib.Path | None = flag(
        flags.DEFINE_string,
        None,
        "A file for mean and covariance of the real images' features, as pytorch-fid reads it, "
        "ending in .npz. It can be given as --real, with the same extractor.",
        convert=path,
    )

    def check(self) -> None:
        """Also checks that names exist, and that no flag is without effect."""
        super().check()
        self._check_extractor()
        check_choices("scores", self.scores, SCORES)
        if self.weights is not None:
            check_choices("weights", self.weights)
        self._check_sizes()
        if self.output is not None and self.output.suffix != ".json":
            raise flags.Error(
                f"--output={self.output}: must end in .json. Try --output={self.output}.json."
            )
        self._check_statistics()

    def _check_extractor(self) -> None:
        name = self.extractor
        if name not in EXTRACTORS and not name.endswith(".keras"):
            raise flags.Error(
                f"--extractor={name}: must be one of {', '.join(EXTRACTORS)}, or a file ending in "
                f".keras. {nearest(name, EXTRACTORS)}"
            )
        if "extractor" in self.given and not set(self.scores) & set(FEATURE_SCORES):
            raise flags.Error(
                f"--extractor={name} has no effect: --scores={','.join(self.scores)} use no "
                "features. Leave it out."
            )
        for other in ("inception", "resize"):
            if other in self.given and name != "inception":
                raise flags.Error(
                    f"--{other} has no effect: it is for --extractor=inception. Received: "
                    f"--extractor={name}. Leave one of them out."
                )
        for other, place in (("inception", self.inception), ("extractor", name)):
            if place not in (None, *EXTRACTORS) and not user_path(place).exists():
                raise flags.Error(f"--{other}={place}: no such file or folder. Correct the path.")

    def _check_statistics(self) -> None:
        path = self.write_statistics
        if path is None:
            return
        if path.suffix != ".npz":
            raise flags.Error(
                f"--write_statistics={path}: must end in .npz. Try --write_statistics={path}.npz."
            )
        if "fid" not in self.scores or self.per_class:
            raise flags.Error(
                "--write_statistics has no effect: it is for the FID of all classes together. Add "
                "fid to --scores, and leave out --per_class."
            )

    def _check_sizes(self) -> None:
        if not self.sizes:
            return
        text = ",".join(map(str, self.sizes))
        if len(set(self.sizes)) < len(self.sizes):
            raise flags.Error(f"--sizes={text}: name each size once. Try --sizes=1000,2000,5000.")
        if self.samples is not None and max(self.sizes) > self.samples:
            raise flags.Error(
                f"--sizes={text}: must be at most --samples={self.samples}. Raise --samples."
            )
        if "fid" not in self.scores:
            raise flags.Error("--sizes has no effect: it is for the FID. Add fid to --scores.")
