"""The list of recipes: as a table for a terminal, and in a page."""

import pathlib
import subprocess
import sys

import pytest

from tfgan_stab.cli import main
from tfgan_stab.cli.jobs import recipes as job

ROOT = pathlib.Path(__file__).resolve().parents[3]
FIRST = """\
# A recipe.
#
# Paper:      Heusel et al. 2017 (TTUR), Table 1, DCGAN | TTUR
# Expected:   FID 12.5, best of the run
# Differs:    nothing known
# Cost:       225,000 steps, 450,000 field evaluations
# GPU hours:  about 1.5, from 4 ms a step
# Try:        scripts/train.py
# Run:        scripts/train.py
# Run to the end: no
#
# Required:      nothing.
# Often changed: nothing.
"""
SECOND = FIRST.replace("FID 12.5", "not stated").replace("450,000", "900,000")
PAGE = f"# Recipes\n\n{job.BEGIN}\nold\n{job.END}\nMore.\n"


@pytest.fixture
def two(tmp_path, monkeypatch):
    """A folder with two recipes, in the place of those that we ship."""
    for name, text in (("papers/ttur/celeba", FIRST), ("baselines/modern", SECOND)):
        path = tmp_path / "gin_configs" / f"{name}.gin"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    folder = tmp_path / "gin_configs"
    monkeypatch.setattr(job, "shipped_files", lambda pattern: sorted(folder.glob(pattern)))
    return tmp_path


def listed(capsys, *flags):
    """What the command prints."""
    assert main.run("recipes", ["recipes.py", *flags]) == 0
    return capsys.readouterr().out


def test_table(two, capsys):
    heads, first, second, empty, count = listed(capsys).splitlines()
    assert heads.split("  ")[0] == "recipe"
    assert first.split("  ")[0] == "ttur/celeba"
    assert [row.index(cell) for row, cell in ((heads, "expected"), (first, "FID 12.5"))] == [
        second.index("not stated")
    ] * 2
    assert first.split()[-4:] == ["450,000", "about", "1.5", "no"]
    assert (empty, count.split(".")[0]) == ("", "2 recipes")


def test_one_paper(two, capsys):
    assert "baselines" not in listed(capsys, "--paper=ttur")
    assert "ttur/celeba" not in listed(capsys, "--paper=baselines")


def test_markdown(two, capsys):
    rows = listed(capsys, "--markdown", "--paper=ttur").splitlines()
    assert rows[1] == "| --- | --- | --- | --- | --- | --- |"
    assert rows[2:] == [
        "| [ttur/celeba](../gin_configs/papers/ttur/celeba.gin) | Heusel et al. 2017 (TTUR), "
        "Table 1, DCGAN \\| TTUR | FID 12.5 | 450,000 | about 1.5 | no |"
    ]
    for row in listed(capsys, "--markdown").splitlines()[2:]:
        link = row.split("](")[1].split(")")[0]
        assert (two / "docs" / link).resolve().is_file()


def test_update_of_a_page(two, capsys):
    page = two / "page.md"
    page.write_text(PAGE)
    assert listed(capsys, f"--update={page}") == f"Wrote 2 recipes into {page}.\n"
    table = job.as_markdown(job.all_recipes())
    assert page.read_text() == f"# Recipes\n\n{job.BEGIN}\n{table}\n{job.END}\nMore.\n"
    listed(capsys, f"--update={page}")
    assert page.read_text().count("ttur/celeba.gin") == 1


@pytest.mark.parametrize(
    ("flags", "message", "code"),
    [
        (["--paper=tur"], "--paper=tur: no recipes are of that paper. Did you mean `ttur`?", 2),
        (["--update=x.md", "--markdown"], "--markdown has no effect: --update writes", 2),
        (["--update=x.md", "--paper=ttur"], "--paper has no effect: --update writes", 2),
        (["ttur"], "Unexpected 'ttur': every argument is a flag, such as --paper=ttur", 2),
        (
            ["--update={}/none.md"],
            "none.md: expected a page in Markdown, such as docs/recipes.md",
            2,
        ),
        (["--update={}/empty.md"], "--update expects a page with these two lines", 1),
    ],
)
def test_what_cannot_be_listed(two, capsys, flags, message, code):
    (two / "empty.md").write_text("")
    flags = [each.format(two) for each in flags]
    assert main.run("recipes", ["recipes.py", *flags]) == code
    assert message in capsys.readouterr().err


def test_a_wrong_header_is_named(two, capsys):
    path = two / "gin_configs" / "baselines" / "modern.gin"
    path.write_text(FIRST.replace("Cost", "Price"))
    assert main.run("recipes", ["recipes.py"]) == 1
    assert "modern.gin: the header of a recipe has no field 'Price'" in capsys.readouterr().err


def test_script_lists_without_tensorflow():
    program = (
        "import sys, runpy\n"
        "sys.argv = ['recipes.py']\n"
        "try:\n    runpy.run_path('scripts/recipes.py', run_name='__main__')\n"
        "except SystemExit as end:\n    loaded = {'tensorflow', 'keras'} & set(sys.modules)\n"
        "    sys.exit(f'imported {loaded}' if loaded else end.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stderr) == (0, "") and "recipes." in done.stdout
