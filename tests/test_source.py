"""The rules of this project that a program can check, checked on its own sources."""

import ast
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tfgan_stab"

# The rooms of the package in reading order: each imports from those above it only.
ORDER = [
    "_utils",
    "data",
    "networks",
    "game",
    "updates",
    "toy_games",
    "training",
    "evaluation",
    "callbacks",
    "cli",
]

# What the top level of the repository may hold.
TOP_LEVEL = {
    ".ci",
    ".github",
    ".gitignore",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "docs",
    "gin_configs",
    "pyproject.toml",
    "scripts",
    "setup.py",
    "tests",
    "tfgan_stab",
}

LONGEST_FILE = 400
LONGEST_BODY = 50  # Without the docstring.
MOST_FILES = 185

SLOPES = {"slope", "slopes"}  # The term of differential equations: minus the gradient.
# Where schemes are computed, and the tests of what they compute.
WITH_SLOPES = (
    "tfgan_stab/updates/",
    "tfgan_stab/toy_games/",
    "tfgan_stab/training/train_step.py",
    "tests/updates/",
    "tests/toy_games/",
    "tests/contracts/",
    "tests/game/penalties/test_weight_gradient.py",
    "tests/helpers.py",
)
RETIRED = SLOPES | set(
    "round rounds scene setbacks gatherer gathered keeper payer payers paid owed owing equip "
    "equipment rehearse adopt attend quieten complain facts news hear heard look looks pulled "
    "looked former begun reals fakes".split()
)
ALLOWED = {
    "round",  # Python's.
    "rounds",  # TensorFlow's random_index_shuffle has them.
    "CIPHER_ROUNDS",
    "negative_slope",  # Keras' argument of LeakyReLU.
    "NEGATIVE_SLOPE",
    "look_up",
}
PLACES_OF_PROSE = ("tfgan_stab/", "gin_configs/", "docs/", "scripts/", "tests/", "README")
# Ahead of a noun or in the plural, where the verb and the preposition are not meant.
RETIRED_PROSE = re.compile(
    r"\b(a|each|every|one|per|this|next|first|last) rounds?\b|\brounds (of|done|played|before|per)"
    r"|\b(payers?|setbacks?|owed|equipped|gatherers?|quieten\w*|rehears\w*)\b"
)
# Where files of version 0.1 are read, or its commands are told.
ALLOWED_PROSE = ("called a step a round", '"setbacks": "rollback_state"')

# Tests that write the words themselves: this one, and those of files of version 0.1.
WITH_RETIRED_WORDS = (
    "tests/callbacks/test_checkpoint_files.py",
    "tests/cli/test_runs_of_version_0_1.py",
    "tests/golden/",
    "tests/test_source.py",
)

# Files of tests that are about several modules at once, a page of the docs, or gin files.
OF_SEVERAL_MODULES = {
    "callbacks": {"early_stopping", "guarded_runs"},
    "cli": {
        "baselines",
        "data_files",
        "paper_recipes",
        "runs_of_version_0_1",
        "score_files",
        "updates",
        "wrong_settings",
    },
    "data": {"in_training"},
    "evaluation": {"image_fuzz", "write_your_own_score"},
    "evaluation/metrics": {"metric_inputs"},
    "toy_games": {"closed_forms"},
    "training": {"saved_by_0_1_0", "top_k"},
    "training/averaging": {"at_synchronizations", "bilinear_games", "precision", "replicas"},
}
SHORT_MODULE = 60  # Lines of a module that may do without a file of tests.

# `fit` prints a line of its own next to Keras' progress bar, and like it only if verbose.
PRINTS = {"cli", "callbacks", "training"}


def tracked_files():
    """Files under version control, or about to be; None outside a repository."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git repository")
    return [name for name in listing.stdout.splitlines() if (ROOT / name).is_file()]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def part_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def files_of_tests():
    """All but those that write the retired words themselves."""
    paths = sorted((ROOT / "tests").rglob("*.py"))
    return [path for path in paths if not name_of(path).startswith(WITH_RETIRED_WORDS)]


def nodes(kind):
    """Yields (path, node) for every such node in the package."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, kind):
                yield path, node


def imports():
    """Yields (path, line, dotted name) of every import in the package."""
    for path, node in nodes((ast.Import, ast.ImportFrom)):
        if isinstance(node, ast.Import):
            yield from ((path, node.lineno, alias.name) for alias in node.names)
        else:
            assert not node.level, f"{name_of(path)}:{node.lineno}: imports are absolute"
            yield from ((path, node.lineno, f"{node.module}.{a.name}") for a in node.names)


def places_of(library):
    return {name_of(path) for path, _, imported in imports() if imported.split(".")[0] == library}


def calls(*names):
    """Yields (path, line) of every call of a function or method of such a name."""
    for path, node in nodes(ast.Call):
        function = node.func
        name = getattr(function, "attr", getattr(function, "id", None))
        if name in names:
            yield path, node.lineno


def test_every_part_of_the_package_has_its_place_in_the_order():
    parts = {part_of(path) for path in modules()} - {"__init__"}
    assert parts <= set(ORDER), f"say in ORDER where {parts - set(ORDER)} belong"


def allowed_imports(package):
    """What a package's docstring says that it may import, as dotted names; None for everything."""
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8")))
    said = re.search(r"May import (.*?)[.;](\s|$)", text, re.DOTALL)
    assert said, f"{name_of(package)} does not say what it may import"
    return None if said[1].startswith("every other") else re.findall(r"`([\w.]+)`", said[1])


@pytest.mark.slow
def test_packages_import_what_their_docstrings_allow():
    wrong = []
    allowed = {
        path.parent: allowed_imports(path.parent) for path in PACKAGE.glob("*/**/__init__.py")
    }
    for path, line, imported in imports():
        here = [folder for folder in path.parents if folder in allowed]
        names = imported.split(".", 1)
        if names[0] != "tfgan_stab" or names[1] == "__version__" or not here:
            continue
        for folder in here:
            own = ".".join(folder.relative_to(PACKAGE).parts)
            known = None if allowed[folder] is None else [own, *allowed[folder]]
            if known is not None and not any(f"{names[1]}.".startswith(f"{k}.") for k in known):
                wrong.append(f"{name_of(path)}:{line} imports {imported}")
    assert wrong == []


def test_imports_point_upwards():
    for package in PACKAGE.glob("*/__init__.py"):
        room = package.parent.name
        above = ORDER[: ORDER.index(room)]
        rooms = {name.split(".")[0] for name in allowed_imports(package.parent) or []}
        assert rooms <= set(above), f"{room} may import {rooms - set(above)}, which come later"


def test_only_the_configuration_knows_gin():
    assert places_of("gin") == {"tfgan_stab/cli/config/gin.py"}


def test_only_one_module_imports_tfgan():
    assert places_of("tensorflow_gan") <= {"tfgan_stab/evaluation/extractors/tfgan.py"}


def test_only_one_module_writes_variables():
    places = {name_of(path) for path, _ in calls("assign", "assign_add", "assign_sub")}
    # A layer's own state, which Keras' scopes intercept where a network must stay a function.
    layer_states = {
        "tfgan_stab/networks/normalization.py",
        "tfgan_stab/networks/spectral_normalization.py",
    }
    assert places <= {"tfgan_stab/training/distribution.py", *layer_states}


def test_the_package_prints_only_where_a_user_is_watching():
    wrong = [f"{name_of(path)}:{line}" for path, line in calls("print")]
    assert [place for place in wrong if part_of(ROOT / place.split(":")[0]) not in PRINTS] == []


def test_the_package_raises_instead_of_asserting():
    assert [f"{name_of(path)}:{node.lineno}" for path, node in nodes(ast.Assert)] == []


def test_no_function_is_empty():
    wrong = [f"{name_of(path)}:{node.lineno}" for path, node in nodes(ast.Pass)]
    assert wrong == []


def test_exceptions_are_caught_by_kind_and_never_dropped():
    wrong = []
    for path, node in nodes(ast.ExceptHandler):
        caught = [] if node.type is None else ast.walk(node.type)
        kinds = {each.id for each in caught if isinstance(each, ast.Name)}
        everything = node.type is None or kinds & {"Exception", "BaseException"}
        if everything and not any(isinstance(each, ast.Raise) for each in ast.walk(node)):
            wrong.append(f"{name_of(path)}:{node.lineno}")
    assert wrong == []


def test_files_and_functions_stay_short():
    long_files, long_functions = {}, {}
    for path in modules():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > LONGEST_FILE:
            long_files[name_of(path)] = lines
    for path, node in nodes((ast.FunctionDef, ast.AsyncFunctionDef)):
        body = node.body[ast.get_docstring(node) is not None :]
        lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
        if lines > LONGEST_BODY:
            long_functions[f"{name_of(path)}:{node.name}"] = lines
    assert (long_files, long_functions) == ({}, {})


def test_the_house_has_ten_rooms_and_no_loose_modules():
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py"}
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(ORDER)
    assert len(modules()) <= MOST_FILES
    for path in PACKAGE.rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), name_of(path)


def test_no_imports_run_in_circles():
    known = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in modules()}
    imported = {module: set() for module in known}
    for path, _, name in imports():
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        target = name if name in known else name.rpartition(".")[0]
        if target in known and target != module:
            imported[module].add(target)
    left = dict(imported)
    while free := [module for module, needs in left.items() if not needs & left.keys()]:
        for module in free:
            del left[module]
    assert list(left) == []


def words_of(name):
    """The words of an identifier: `StepPenalties.paid_by` has step, penalties, paid, by."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


@pytest.mark.slow
def test_the_words_are_those_of_the_field():
    """Identifiers do without the private words of version 0.1: see the table in CHANGELOG.md."""
    wrong = []
    for path in modules() + files_of_tests():
        retired = RETIRED - (SLOPES if name_of(path).startswith(WITH_SLOPES) else set())
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = [getattr(node, field, None) for field in ("name", "id", "attr", "arg")]
            for name in names:
                if isinstance(name, str) and name not in ALLOWED and words_of(name) & retired:
                    wrong.append(f"{name_of(path)}:{getattr(node, 'lineno', '?')}: {name}")
    assert wrong == []


def test_prose_does_without_retired_words():
    wrong = []
    for name in tracked_files():
        if not name.startswith(PLACES_OF_PROSE) or name.startswith(WITH_RETIRED_WORDS):
            continue
        if not name.endswith((".py", ".gin", ".md", ".sh")):
            continue
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
            if RETIRED_PROSE.search(line) and not any(each in line for each in ALLOWED_PROSE):
                wrong.append(f"{name}:{number}: {line.strip()}")
    assert wrong == []


def test_the_top_level_holds_only_what_belongs_there():
    assert {name.split("/")[0] for name in tracked_files()} <= TOP_LEVEL


def test_nothing_is_left_for_later_and_nothing_tells_of_one_machine():
    # Written in pieces, so that this file does not contain what it looks for.
    words = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
    pattern = re.compile(rf"\b({'|'.join(words)})\b|\.\./shar" + r"ed|/wor" + r"k/|/ro" + r"ot/")
    found = []
    for name in tracked_files():
        path = ROOT / name
        if path.suffix in {".py", ".md", ".gin", ".sh", ".toml", ".txt"}:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if pattern.search(line):
                    found.append(f"{name}:{number}: {line.strip()}")
    assert found == []


@pytest.mark.slow
def test_every_test_of_an_error_matches_its_message():
    found = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(getattr(node, "func", None), "attr", None)
            if name in ("raises", "warns") and not any(k.arg == "match" for k in node.keywords):
                # Ctrl-C comes without a message.
                if not any(getattr(kind, "id", "") == "KeyboardInterrupt" for kind in node.args):
                    found.append(f"{name_of(path)}:{node.lineno}")
    assert found == []


def test_no_gin_file_is_hidden_from_version_control():
    files = {name_of(path) for path in (ROOT / "gin_configs").rglob("*.gin")}
    assert files <= set(tracked_files())


def test_every_gin_file_says_what_it_is_what_it_requires_and_what_is_often_changed():
    files = sorted((ROOT / "gin_configs").rglob("*.gin"))
    assert files
    for path in files:
        opening = path.read_text(encoding="utf-8").split("from __gin__")[0]
        for words in ("# Required: ", "# Often changed: "):
            assert words in opening, f"{name_of(path)} does not open with {words!r}"


def test_no_module_has_the_name_of_what_loads_on_first_use():
    """Importing it would put the module in the place of the public name."""
    lazy = [path for path in modules() if "_HOMES" in path.read_text(encoding="utf-8")]
    shadowed = []
    for path in lazy:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Dict):
                names = [key.value for key in node.value.keys]
                shadowed += [n for n in names if (path.parent / f"{n}.py").exists()]
    assert len(lazy) >= 2 and shadowed == []


def test_tests_lie_where_what_they_test_does():
    """`a/b.py` is tested in `tests/a/test_b.py`; parts of it may be in `tests/a/test_b_part.py`."""
    strays, untested = {}, []
    for folder in {path.parent for path in modules()} - {PACKAGE}:
        place = folder.relative_to(PACKAGE).as_posix()
        names = {path.stem for path in folder.glob("*.py")} - {"__init__"}
        tested = {path.stem[5:] for path in (ROOT / "tests" / place).glob("test_*.py")}
        for name in tested:
            if not any(name == module or name.startswith(f"{module}_") for module in names):
                strays.setdefault(place, set()).add(name)
        for name in names - tested:
            if len((folder / f"{name}.py").read_text("utf-8").splitlines()) > SHORT_MODULE:
                untested.append(f"{place}/{name}.py")
    assert (strays, untested) == (OF_SEVERAL_MODULES, [])


def test_of_many_cases_so_many_are_marked_as_are_asked_for(pytester):
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.cases(full=3, fast=2)
        @pytest.mark.parametrize("case", range(9))
        def test_case(case):
            pass
        """
    )
    marks = "-m=" + "not exhaustive", "-m=not slow and not exhaustive", "-m=exhaustive", "-k=test"
    counts = [pytester.inline_run("-q", choice).countoutcomes()[0] for choice in marks]
    assert counts == [3, 2, 6, 9]
