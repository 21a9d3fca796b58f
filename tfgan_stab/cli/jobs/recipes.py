"""The list of recipes, as a table for people or for a page of the docs."""

from collections.abc import Sequence

from absl import flags

from tfgan_stab._utils.files import write_atomically
from tfgan_stab.cli.config.gin import shipped_files
from tfgan_stab.cli.config.names import nearest
from tfgan_stab.cli.config.recipes import Recipe, read_recipe
from tfgan_stab.cli.flags.recipes import RecipesSettings

__all__ = ["BEGIN", "END", "all_recipes", "as_markdown", "as_text", "recipes", "with_table"]

PATTERNS = ("papers/*/*.gin", "baselines/*.gin", "combined/*.gin")
HEADINGS = ("recipe", "paper, row", "expected", "field evaluations", "GPU hours", "run to the end")
LONGEST = 44  # Characters of a cell in a terminal.
# What encloses the table in a page.
BEGIN = "<!-- The table is written by scripts/recipes.py --update=docs/recipes.md -->\n"
END = "<!-- The end of the table -->\n"


def recipes(settings: RecipesSettings) -> str:
    """Returns the table that a command line asks for; writes it into a page if it asks for that.

    Raises:
        flags.Error: If there is no such paper.
        ConfigError: If a recipe's header is not complete.
        ValueError: If the page has no place for the table.
        OSError: If it cannot be read or written.
    """
    found = all_recipes()
    if settings.update is not None:
        if not settings.update.is_file():
            raise flags.Error(
                f"--update={settings.update}: expected a page in Markdown, such as "
                "docs/recipes.md. Received: no file of that name. Correct the path."
            )
        page = settings.update.read_text(encoding="utf-8")
        write_atomically(settings.update, with_table(page, as_markdown(found)))
        return f"Wrote {len(found)} recipes into {settings.update}."
    if settings.paper is not None:
        known = {recipe.paper for recipe in found}
        if settings.paper not in known:
            hint = nearest(settings.paper, known)
            raise flags.Error(f"--paper={settings.paper}: no recipes are of that paper. {hint}")
        found = [recipe for recipe in found if recipe.paper == settings.paper]
    return as_markdown(found).rstrip() if settings.markdown else as_text(found)


def all_recipes() -> list[Recipe]:
    """Returns the recipes that we ship, by paper and name, after reading all their headers."""
    return [read_recipe(path) for pattern in PATTERNS for path in shipped_files(pattern)]


def as_text(recipes: Sequence[Recipe]) -> str:
    """Returns a table for a terminal, and how to go on.

    Args:
        recipes: What to list.
    """
    full = [HEADINGS, *((recipe.name, *_cells(recipe)) for recipe in recipes)]
    rows = [[_cut(cell) for cell in row] for row in full]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    count = f"{len(recipes)} recipes. Each file's header says more; docs/recipes.md how to go on."
    return "\n".join([*lines, "", count])


def as_markdown(recipes: Sequence[Recipe]) -> str:
    """Returns a table for a page in `docs/`, with links to the files.

    Args:
        recipes: What to list.
    """
    rows = [HEADINGS, ["---"] * len(HEADINGS)]
    for recipe in recipes:
        folder = "" if recipe.path.parents[1].name == "gin_configs" else "papers/"
        link = f"[{recipe.name}](../gin_configs/{folder}{recipe.name}.gin)"
        rows.append([link, *(cell.replace("|", "\\|") for cell in _cells(recipe))])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def with_table(page: str, table: str) -> str:
    """Returns a page with another table.

    Args:
        page: Text with the lines `BEGIN` and `END`.
        table: What comes between them.

    Raises:
        ValueError: If the page does not have these lines.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(
            "--update expects a page with these two lines, between which the table comes:\n"
            f"{BEGIN}{END}Received: a page without them. Add them."
        )
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def _cut(cell: str) -> str:
    return cell if len(cell) <= LONGEST else f"{cell[: LONGEST - 3].rstrip()}..."


def _cells(recipe: Recipe) -> list[str]:
    """Returns what the table says of a recipe beside its name."""
    evaluations = f"{recipe.evaluations:,}"
    paper = recipe.fields["Paper"]
    return [paper, recipe.expected, evaluations, recipe.gpu_hours, recipe.run_to_the_end]
