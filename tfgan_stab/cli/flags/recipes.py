"""The flags of the list of recipes."""

import dataclasses
import pathlib

from absl import flags

from tfgan_stab.cli.flags.settings import Settings, flag, path

__all__ = ["RecipesSettings"]


@dataclasses.dataclass(frozen=True)
class RecipesSettings(Settings):
    """Which recipes to list, and how.

    Example:
        >>> RecipesSettings.parse(["recipes.py", "--paper=ttur"]).paper
        'ttur'
    """

    usage = """\
Lists the recipes: gin files that are rows of papers' tables, with what they score and cost.

  {program} --paper=ttur
"""
    example = "--paper={}"

    paper: str | None = flag(
        flags.DEFINE_string,
        None,
        "List the recipes of one paper alone: the name of a folder in gin_configs/papers/, or "
        "`baselines` or `combined`.",
    )
    markdown: bool = flag(flags.DEFINE_bool, False, "Print the table in Markdown.")
    update: pathlib.Path | None = flag(
        flags.DEFINE_string,
        None,
        "A page in Markdown whose table of recipes to replace, such as docs/recipes.md.",
        convert=path,
    )

    def check(self) -> None:
        """Also checks that no flag is without effect."""
        super().check()
        for name in ("paper", "markdown"):
            if self.update is not None and name in self.given:
                raise flags.Error(
                    f"--{name} has no effect: --update writes the table of all recipes, in "
                    "Markdown. Leave one of them out."
                )
