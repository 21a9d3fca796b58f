"""The flags of an evaluation, checked before TensorFlow is imported."""

import dataclasses
import pathlib
from collections.abc import Sequence

from absl import flags

from tfgan_stab.cli.config.names import nearest
from tfgan_stab.cli.flags import source as source_flags
from tfgan_stab.cli.flags.source import Opening

__all__ = ["EXTRACTORS", "RESIZES", "SCORES", "Settings", "help_text", "parse"]

EXTRACTORS = ("digits", "inception", "random")
BY_FEATURES = ("fid", "kid", "inception_score", "precision_recall")
RESIZES = ("tf1", "clean")
SCORES = (
    "fid",
    "kid",
    "inception_score",
    "precision_recall",
    "sliced_wasserstein",
    "ms_ssim",
    "modes",
)

_USAGE = """\
Scores images: those that a run's generator makes, or those in a folder or an array.

  {program} --source=runs/digits --extractor=digits --scores=fid,kid,precision_recall --floor
  {program} --source=samples.npz --real=tfds:cifar10 --extractor=inception --samples=50000

"""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the command line asks for.

    Attributes:
        source: Where the images come from.
        opening: How to read it, and pictures in a folder of real images.
        given: Names of the flags that the command line has.
        real: Real images: a data set's name or a path; `None` for those that the run trains on.
        extractor: One of `EXTRACTORS`, or the path of a `.keras` file.
        inception: A SavedModel's folder, or `None` for the published weights.
        resize: One of `RESIZES`, how Inception's input is resized.
        scores: Names out of `SCORES`.
        samples: How many images a score takes; `None` for 10,000, or all there are if those are
            fewer.
        weights: Which weights to score; `None` for all that there are.
        seed: Decides the noise.
        per_class: Whether to score each class alone.
        quantize: Whether to step images to 256 levels.
        floor: Whether to score real images against real ones too.
        sizes: Numbers of samples at which to take the FID, to extrapolate from; or none.
        output: The JSON file to write, or `None`.
        traceback: Whether errors show where they arose.
        help: Whether only help was asked for; the other settings are then unchecked.
    """

    source: str
    opening: Opening
    given: frozenset[str]
    real: str | None
    extractor: str
    inception: str | None
    resize: str
    scores: tuple[str, ...]
    samples: int | None
    weights: tuple[str, ...] | None
    seed: int
    per_class: bool
    quantize: bool
    floor: bool
    sizes: tuple[int, ...]
    output: pathlib.Path | None
    traceback: bool
    help: bool


def parse(arguments: Sequence[str]) -> Settings:
    """Returns the settings that the command line asks for.

    Args:
        arguments: The program's name and its arguments, as in `sys.argv`.

    Raises:
        flags.Error: If a flag is unknown, missing or has a value it cannot have.

    Example:
        >>> parse(["evaluate.py", "--source=runs/digits", "--scores=fid,kid"]).scores
        ('fid', 'kid')
    """
    values = _flags()
    rest = values(list(arguments))[1:]
    if not values.help:
        _check(values, rest)
    return Settings(
        source=values.source,
        opening=Opening(None, None, None, None, 1) if values.help else source_flags.opening(values),
        given=frozenset(name for name in values if values[name].present),
        real=values.real,
        extractor=values.extractor,
        inception=values.inception,
        resize=values.resize,
        scores=tuple(values.scores),
        samples=values.samples,
        weights=None if values.weights is None else tuple(values.weights),
        seed=values.seed,
        per_class=values.per_class,
        quantize=values.quantize,
        floor=values.floor,
        sizes=() if values.help else tuple(map(int, values.sizes)),
        output=pathlib.Path(values.output).expanduser() if values.output else None,
        traceback=values.traceback,
        help=values.help,
    )


def help_text(program: str) -> str:
    """Returns what `--help` shows."""
    return _USAGE.format(program=program) + _flags().get_help(include_special_flags=False)


def _flags() -> flags.FlagValues:
    values = flags.FlagValues()
    source_flags.define(values)
    flags.DEFINE_string(
        "real",
        None,
        "Real images: a data set's name, such as digits or tfds:cifar10, a folder of pictures, or "
        "a .npz or .npy file. Without it, those that the run trains on.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "extractor",
        "inception",
        f"What turns images into features: {', '.join(EXTRACTORS)}, or a model's .keras file.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "inception",
        None,
        "Inception's SavedModel, a folder. Without it, its published weights are fetched.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "resize",
        RESIZES[0],
        RESIZES,
        "How Inception's input is resized: as TF-GAN does, or with anti-aliasing.",
        flag_values=values,
    )
    flags.DEFINE_list(
        "scores", ["fid"], f"Scores to take: {', '.join(SCORES)}.", flag_values=values
    )
    flags.DEFINE_integer(
        "samples",
        None,
        "How many images a score takes. Without it 10,000, or all of a folder or array that has "
        "fewer.",
        lower_bound=2,
        flag_values=values,
    )
    flags.DEFINE_bool(
        "per_class",
        False,
        "Score each class alone, and give the mean over classes; for images with labels.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "quantize",
        True,
        "Step images to the 256 levels of a picture file first, so that generators and files are "
        "scored alike.",
        flag_values=values,
    )
    flags.DEFINE_list(
        "weights",
        None,
        "Which weights to score, such as live,ema. Without it, all that there are.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "floor", False, "Score real images against real ones too.", flag_values=values
    )
    flags.DEFINE_list(
        "sizes",
        [],
        "Numbers of samples at which to take the FID, such as 1000,2000,5000, and what it comes to "
        "for endlessly many.",
        flag_values=values,
    )
    flags.DEFINE_string("output", "", "A file for the scores, ending in .json.", flag_values=values)
    return values


def _check(values: flags.FlagValues, rest: Sequence[str]) -> None:
    if rest:
        raise flags.Error(
            f"Unexpected {rest[0]!r}: every argument is a flag, such as --scores=fid,kid (without "
            "blanks)."
        )
    source_flags.opening(values)
    _check_extractor(values)
    for name in values.scores:
        if name not in SCORES:
            raise flags.Error(f"--scores: there is no {name!r}. {nearest(name, SCORES)}")
    for flag in ("scores", "weights"):
        names = values[flag].value
        if names is not None and (not names or "" in names or len(set(names)) < len(names)):
            raise flags.Error(
                f"--{flag}={','.join(names)}: name one or several, each once, with commas between "
                "them and no blanks."
            )
    _check_sizes(values)
    if values.output and pathlib.Path(values.output).suffix != ".json":
        raise flags.Error(
            f"--output={values.output}: must end in .json. Try --output={values.output}.json."
        )


def _check_extractor(values: flags.FlagValues) -> None:
    name = values.extractor
    if name not in EXTRACTORS and not name.endswith(".keras"):
        raise flags.Error(
            f"--extractor={name}: must be one of {', '.join(EXTRACTORS)}, or a file ending in "
            f".keras. {nearest(name, EXTRACTORS)}"
        )
    if values["extractor"].present and not set(values.scores) & set(BY_FEATURES):
        raise flags.Error(
            f"--extractor={name} has no effect: --scores={','.join(values.scores)} look at no "
            "features. Leave it out."
        )
    for flag in ("inception", "resize"):
        if values[flag].present and name != "inception":
            raise flags.Error(
                f"--{flag} has no effect: it is for --extractor=inception. Received: "
                f"--extractor={name}. Leave one of them out."
            )
    for flag, path in (("inception", values.inception), ("extractor", name)):
        if path not in (None, *EXTRACTORS) and not pathlib.Path(path).expanduser().exists():
            raise flags.Error(f"--{flag}={path}: there is nothing. Correct the path.")


def _check_sizes(values: flags.FlagValues) -> None:
    if not values["sizes"].present:
        return
    text = ",".join(values.sizes)
    numbers = [int(each) for each in values.sizes if each.isascii() and each.isdigit()]
    if len(numbers) < max(2, len(values.sizes)) or min(numbers) < 2:
        raise flags.Error(
            f"--sizes={text}: must be two integers >= 2 or more. Try --sizes=1000,2000,5000."
        )
    if len(set(numbers)) < len(numbers):
        raise flags.Error(f"--sizes={text}: name each size once. Try --sizes=1000,2000,5000.")
    if values.samples is not None and max(numbers) > values.samples:
        raise flags.Error(
            f"--sizes={text}: must be at most --samples={values.samples}. Raise --samples."
        )
    if "fid" not in values.scores:
        raise flags.Error("--sizes has no effect: it is for the FID. Add fid to --scores.")
