"""What plotting refuses; its pictures are checked where the command is tested."""

import pytest

import tfgan_stab as tgs


@pytest.mark.parametrize("name", ["draw", "animate"])
def test_plotting_needs_a_run(tmp_path, name):
    with pytest.raises(ValueError, match="`runs` must hold at least one trajectory"):
        getattr(tgs.games.plotting, name)({}, tmp_path / "picture.png")
    assert not list(tmp_path.iterdir())
