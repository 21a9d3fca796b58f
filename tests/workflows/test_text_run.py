"""A run on texts: gin file in, scores and readable samples out, and samples drawn later."""

import json

import pytest

from tfgan_stab.cli import main

# Settings that make the run that we ship small.
SMALL = [
    *("text_length = 8", "vocabulary_size = 12", "batch_size = 8", "latents = 3", "blocks = 1"),
    *("generator_width = 4", "discriminator_width = 4", "epochs = 1", "steps_per_epoch = 2"),
    *("tgs.train.sample_rows = 2", "tgs.train.sample_columns = 3", "score_samples = 20"),
    "tgs.NgramJSD.lengths = [4, 6]",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The workdir of a run that has ended, and what it printed."""
    place = tmp_path_factory.mktemp("language")
    (place / "some.txt").write_text("all of it is or was one word; " * 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        settings = [*SMALL, f"text_source = '{place}/some.txt'"]
        arguments = ["train.py", "--gin_file=gin_configs/runs/text.gin", "--workdir=run"]
        arguments += [f"--gin_param={setting}" for setting in settings]
        assert main.run("train", arguments) == 0
    return place / "run"


def sample(*arguments):
    return main.run("sample", ["sample.py", *map(str, arguments)])


@pytest.mark.slow
def test_a_run_on_texts_is_scored_and_shown(run, capsys):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [(line["score"], line["step"]) for line in lines] == [
        *(("jsd_4", 0), ("jsd_6", 0)),
        *(("jsd_4", 2), ("jsd_6", 2)),
    ]
    assert all(0 < line["value"] <= 1 for line in lines)
    (path,) = (run / "samples").iterdir()
    texts = path.read_text(encoding="utf-8").splitlines()
    assert path.name == "step-00000002.txt" and [len(text) for text in texts] == [8] * 6
    data = json.loads((run / "run.json").read_text())["data"]
    assert data["shape"] == [8, 12] and set("".join(texts)) <= set(data["characters"])
    assert {path.name for path in (run / "best").iterdir()} == {"jsd_4", "jsd_6"}


@pytest.mark.slow
def test_later_samples_are_the_same_texts(run, tmp_path, capsys):
    expected = (run / "samples" / "step-00000002.txt").read_text(encoding="utf-8")
    (best,) = (run / "best" / "jsd_4").iterdir()
    sources = [run, run / "generator.keras", best / "generator.keras"]
    for number, source in enumerate(sources):
        output = tmp_path / f"{number}.txt"
        assert sample(f"--source={source}", f"--output={output}", "--count=6") == 0
        assert len(output.read_text(encoding="utf-8").splitlines()) == 6
        if "best" not in source.parts:
            assert output.read_text(encoding="utf-8") == expected
    capsys.readouterr()
    assert sample(f"--source={run}", f"--output={tmp_path}/0.txt", "--count=6") == 1
    assert "must not exist yet. Received: a file" in capsys.readouterr().err
    assert sample(f"--source={sources[1]}", f"--output={tmp_path}/pictures", "--count=6") == 1
    assert "ends in .npz, texts to one in .txt" in capsys.readouterr().err
    assert not (tmp_path / "pictures").exists()


@pytest.mark.slow
def test_evaluating_later_gives_the_runs_score(run, tmp_path):
    arguments = ["--scores=jsd", "--samples=20", f"--output={tmp_path}/jsd.json"]
    assert main.run("evaluate", ["evaluate.py", f"--source={run}", *arguments]) == 0
    written = json.loads((tmp_path / "jsd.json").read_text())["scores"]
    found = {each["score"]: each["value"] for each in written}
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    last = {line["score"]: line["value"] for line in lines if line["step"] == 2}
    assert found.keys() == {f"jsd_{n}" for n in range(1, 7)}
    assert {name: found[name] for name in last} == last
