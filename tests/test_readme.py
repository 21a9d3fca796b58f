"""What the README says is so."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("python")
    quick = example.replace("steps_per_epoch=200", "steps_per_epoch=2")
    assert quick != example
    names = {}
    exec(compile(quick.replace("samples=2000", "samples=100"), "README.md", "exec"), names)
    assert names["images"].shape == (64, 8, 8, 1)
    written = {path.name for path in (tmp_path / "runs" / "example").iterdir()}
    assert written == {"run.json", "metrics.jsonl", "tensorboard", "samples", "checkpoints"}


def test_every_file_that_is_named_is_there():
    named = re.findall(r"(?:scripts|gin_configs|docs|tfgan_stab)/[\w/]+\.\w+", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_public_name_of_the_table_is_there():
    import tfgan_stab as tgs

    named = set(re.findall(r"`tgs\.([\w.]+)`", README))
    assert len(named) >= 7
    for name in named:
        place = tgs
        for part in name.split("."):
            place = getattr(place, part)
