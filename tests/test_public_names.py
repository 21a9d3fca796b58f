"""What users reach through `tgs`, and how it is saved."""

import importlib

import pytest

import tfgan_stab as tgs

PACKAGES = [
    "callbacks",
    "data",
    "evaluation",
    "game",
    "game.penalties",
    "games",
    "networks",
    "updates",
]


def package(name):
    found = tgs
    for each in name.split("."):
        found = getattr(found, each)
    return found


def test_every_name_loads_and_is_offered_in_completion():
    assert set(tgs.__all__) | {"__version__"} == set(dir(tgs))
    for name in tgs.__all__:
        assert getattr(tgs, name) is not None


@pytest.mark.parametrize("name", PACKAGES)
def test_names_of_packages_load_and_are_offered_in_completion(name):
    module = package(name)
    assert set(module.__all__) <= set(dir(module))
    for public in module.__all__:
        assert getattr(module, public) is not None


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("Lookahead", "updates.Lookahead"),
        ("RK4", "updates.RK4"),
        ("R1", "game.penalties.R1"),
        ("GeneratorGradientNorm", "game.penalties.GeneratorGradientNorm"),
        ("TopK", "game.TopK"),
        ("Players", "game.Players"),
        ("KID", "evaluation.KID"),
        ("FID", "evaluation.FID"),
    ],
)
def test_a_name_is_the_same_object_in_both_places(short, long):
    folder, _, name = long.rpartition(".")
    assert getattr(tgs, short) is getattr(package(folder), name)


@pytest.mark.parametrize(
    "name",
    [
        "updates.Scheme",
        "updates.Game",
        "game.penalties.LossPenalty",
        "game.penalties.WeightGradientPenalty",
        "game.penalties.PenaltyContext",
        "evaluation.Score",
        "evaluation.Extractor",
    ],
)
def test_what_users_extend_is_public_and_documented(name):
    folder, _, own = name.rpartition(".")
    found = getattr(package(folder), own)
    assert isinstance(found, type) and found.__doc__


def test_unknown_names_are_errors():
    with pytest.raises(AttributeError, match="module 'tfgan_stab' has no attribute 'Lookahed'"):
        _ = tgs.Lookahed
    with pytest.raises(ModuleNotFoundError, match="tfgan_stab.model"):
        importlib.import_module("tfgan_stab.model")
