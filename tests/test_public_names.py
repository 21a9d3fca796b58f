"""What users reach through `tgs`, and how it is saved."""

import importlib

import pytest

import tfgan_stab as tgs

PACKAGES = [
    "augment",
    "averaging",
    "callbacks",
    "data",
    "data.latents",
    "evaluation",
    "game",
    "game.losses",
    "game.penalties",
    "games",
    "games.plotting",
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
def test_completion_offers_the_public_names_of_a_package_and_no_others(name):
    module = package(name)
    assert sorted(module.__all__) == dir(module)
    for public in module.__all__:
        assert getattr(module, public) is not None


def test_a_name_is_the_same_object_wherever_it_appears():
    found = {}
    for name in PACKAGES:
        for public in package(name).__all__:
            found.setdefault(public, []).append(getattr(package(name), public))
    shared = set(found) & set(tgs.__all__)
    assert {"Lookahead", "RK4", "R1", "TopK", "Players", "KID", "FID", "Average"} <= shared
    for name in shared:
        assert all(each is getattr(tgs, name) for each in found[name]), name


@pytest.mark.parametrize(
    "name",
    [
        "updates.Scheme",
        "updates.Game",
        "averaging.Average",
        "averaging.Point",
        "augment.Change",
        "callbacks.Periodic",
        "callbacks.ScoreEvent",
        "callbacks.DamagedCheckpointError",
        "game.penalties.Penalty",
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
