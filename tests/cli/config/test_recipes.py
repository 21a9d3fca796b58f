"""A recipe's header is complete, in order, and says what tables need; or the error names it."""

import pytest

from tfgan_stab.cli.config.names import ConfigError
from tfgan_stab.cli.config.recipes import FIELDS, read_recipe

HEADER = """\
# DCGAN on CelebA with two
# learning rates: a recipe.
#
# Paper:      Heusel et al. 2017 (TTUR), Table 1
# Expected:   FID 12.5, best of the run,
#             against the training set
# Differs:    nothing known
# Cost:       225,000 steps, 450,000 field evaluations
# GPU hours:  about 1.5, from 4 ms a step
# Try:        scripts/train.py
#             --gin_file=x.gin
# Run:        scripts/train.py
# Run to the end: no
#
# Required:      the pictures.
# Often changed: batch_size,
#                seed.
from __gin__ import dynamic_registration
# Paper: not of the header.
"""


@pytest.fixture
def read(tmp_path):
    """A function that reads a recipe with such a text."""

    def read(text):
        path = tmp_path / "papers" / "ttur" / "celeba_dcgan.gin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return read_recipe(path)

    return read


def test_header(read):
    recipe = read(HEADER)
    assert recipe.sentence == "DCGAN on CelebA with two learning rates: a recipe."
    assert tuple(recipe.fields) == FIELDS
    assert (recipe.name, recipe.paper) == ("ttur/celeba_dcgan", "ttur")
    assert (recipe.steps, recipe.evaluations) == (225_000, 450_000)
    assert (recipe.expected, recipe.gpu_hours) == ("FID 12.5", "about 1.5")
    assert recipe.run_to_the_end == "no"
    assert recipe.fields["Try"] == "scripts/train.py --gin_file=x.gin"
    assert recipe.fields["Often changed"] == "batch_size, seed."


@pytest.mark.parametrize(
    ("expected", "short"),
    [
        ("FID 12.5, unverified, best of the run", "FID 12.5 (unverified)"),
        ("unverified: FID 12.5", "unverified: FID 12.5"),
        ("not stated.", "not stated"),
        ("19.7 modes of 25, mean of 5 runs", "19.7 modes of 25"),
    ],
)
def test_expected_in_short(read, expected, short):
    text = HEADER.replace("FID 12.5, best of the run,", expected).replace(
        "#             against the training set\n", ""
    )
    assert read(text).expected == short


def test_who_ran_it_to_the_end(read):
    text = HEADER.replace("end: no", "end: yes, on one H100: FID 13.1")
    assert read(text).run_to_the_end == "yes"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# Differs:    nothing known\n", "", "must have the field 'Differs'.*Add a line"),
        ("# Differs:", "# Difers:", "has no field 'Difers'. Did you mean `Differs`"),
        ("# Differs:    nothing known", "# Differs:", "'Differs' must be a text. Received: ''"),
        ("# Run to", "# Differs: again\n# Run to", "each field once, in the order Paper, Exp"),
        ("225,000 steps,", "about 225,000 steps,", "'Cost' must be such as `225,000 steps"),
        ("450,000 field evaluations", "450,000 evaluations", "'Cost' must be such as"),
        ("end: no", "end: not yet", "'Run to the end' must be yes or no. Received: 'not yet'"),
        (
            "#             --gin_file",
            "# --gin_file",
            "a field such as `# Paper: ...`, or a line th",
        ),
        (HEADER, "", "must have the field 'Paper'. Received: no fields"),
        ("# DCGAN on CelebA with two\n# learning rates: a recipe.\n", "", "begin with a sentence"),
    ],
)
def test_wrong_header(read, old, new, message):
    assert old in HEADER
    with pytest.raises(ConfigError, match=f"celeba_dcgan.gin: .*{message}"):
        read(HEADER.replace(old, new))


def test_order_counts(read):
    cost, hours = HEADER.splitlines()[7:9]
    with pytest.raises(ConfigError, match="in the order.*Received: .*GPU hours, Cost, Try"):
        read(HEADER.replace(f"{cost}\n{hours}", f"{hours}\n{cost}"))
