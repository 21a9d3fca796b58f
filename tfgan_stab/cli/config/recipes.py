"""The comment that opens a recipe: which row of which paper it is, what it scores and costs."""

import dataclasses
import pathlib
import re
from collections.abc import Sequence

from tfgan_stab.cli.config.names import ConfigError, nearest

__all__ = ["FIELDS", "Recipe", "read_recipe"]

# All of them, in this order.
FIELDS = (
    "Paper",
    "Expected",
    "Differs",
    "Cost",
    "GPU hours",
    "Try",
    "Run",
    "Run to the end",
    "Required",
    "Often changed",
)
_FIELD = re.compile(r"# (?P<name>[A-Z][\w ]*):(?P<text>.*)")
_COST = re.compile(r"(?P<steps>[\d,]+) steps, (?P<evaluations>[\d,]+) field evaluations\b")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A recipe's header.

    Attributes:
        path: The gin file.
        sentence: What it is.
        fields: What the header says, by the name of the field.
    """

    path: pathlib.Path
    sentence: str
    fields: dict[str, str]

    @property
    def paper(self) -> str:
        """The folder that it lies in, such as "ttur"."""
        return self.path.parent.name

    @property
    def name(self) -> str:
        """Folder and file, such as "ttur/celeba_dcgan"."""
        return f"{self.paper}/{self.path.stem}"

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self._cost("steps")

    @property
    def evaluations(self) -> int:
        """Field evaluations of the whole run."""
        return self._cost("evaluations")

    @property
    def expected(self) -> str:
        """The score alone, such as "FID 12.5"; with a mark if nobody has verified it."""
        text = self.fields["Expected"]
        score, mark = _first_clause(text), "unverified"
        return score if mark in score or mark not in text else f"{score} ({mark})"

    @property
    def gpu_hours(self) -> str:
        """The number alone, such as "about 1.5", or "not measured"."""
        return _first_clause(self.fields["GPU hours"])

    @property
    def run_to_the_end(self) -> str:
        """Whether anybody has run it to the end: "yes" or "no"."""
        return re.split(r"\W", self.fields["Run to the end"])[0]

    def _cost(self, of: str) -> int:
        match = _COST.match(self.fields["Cost"])
        return int(match[of].replace(",", "")) if match else 0


def read_recipe(path: pathlib.Path) -> Recipe:
    """Reads a recipe's header: a sentence, an empty line, and each of `FIELDS` in that order.

    ::

        # DCGAN on CelebA with two learning rates.
        #
        # Paper:    Heusel et al. 2017 (TTUR), Table 1
        # Expected: FID 12.5, best of the run,
        #           against the training set

    Raises:
        ConfigError: If a field is missing, unknown, empty or out of order, or does not have the
            form that its place asks for.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    end = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    empty = next((i for i, line in enumerate(lines[:end]) if not line[1:].strip()), end)
    sentence = " ".join(line[1:].strip() for line in lines[:empty])
    found = _fields(path, lines[empty:end])
    _check_names(path, [name for name, _ in found])
    recipe = Recipe(path, sentence, dict(found))
    _check_values(recipe)
    return recipe


def _fields(path: pathlib.Path, lines: Sequence[str]) -> list[tuple[str, str]]:
    """Returns names and texts of the fields in the order of the file."""
    found: list[tuple[str, str]] = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match:
            found.append((match["name"], match["text"].strip()))
        elif line.startswith("#  ") and found:
            name, text = found.pop()
            found.append((name, f"{text} {line[1:].strip()}".strip()))
        elif line[1:].strip():
            raise ConfigError(
                f"{path}: expected a field such as `# Paper: ...`, or a line that continues one "
                f"and is indented. Received: {line!r}."
            )
    return found


def _check_names(path: pathlib.Path, names: Sequence[str]) -> None:
    for name in names:
        if name not in FIELDS:
            raise ConfigError(
                f"{path}: the header of a recipe has no field {name!r}. {nearest(name, FIELDS)}"
            )
    missing = [name for name in FIELDS if name not in names]
    if missing:
        raise ConfigError(
            f"{path}: the header of a recipe must have the field {missing[0]!r}. Received: "
            f"{', '.join(names) or 'no fields'}. Add a line `# {missing[0]}: ...`."
        )
    if tuple(names) != FIELDS:
        raise ConfigError(
            f"{path}: the header of a recipe must have each field once, in the order "
            f"{', '.join(FIELDS)}. Received: {', '.join(names)}."
        )


def _check_values(recipe: Recipe) -> None:
    forms = {
        "Cost": (_COST.match, "such as `225,000 steps, 450,000 field evaluations`"),
        "Run to the end": (re.compile(r"(yes|no)\b").match, "yes or no"),
    }
    if not recipe.sentence:
        raise ConfigError(
            f"{recipe.path}: a recipe must begin with a sentence that says what it is."
        )
    for name, text in recipe.fields.items():
        is_right, wanted = forms.get(name, (bool, "a text"))
        if not text or not is_right(text):
            raise ConfigError(
                f"{recipe.path}: the field {name!r} must be {wanted}. Received: {text!r}."
            )


def _first_clause(text: str) -> str:
    return re.split(r"[,;] |\.$", text)[0]
