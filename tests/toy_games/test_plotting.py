"""What drawing refuses; what it draws is looked at where the command is tested."""

import pytest

import tfgan_stab as tgs


@pytest.mark.parametrize("name", ["draw", "animate"])
def test_nothing_to_draw_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="`runs` must hold at least one trajectory"):
        getattr(tgs.games.plotting, name)({}, tmp_path / "picture.png")
    assert not list(tmp_path.iterdir())
