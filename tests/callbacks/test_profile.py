"""A profile's table: times without what runs inside, of the operations that a step has."""

import keras
import numpy as np
import pytest
from tensorflow.tsl.profiler.protobuf import xplane_pb2

import tfgan_stab as tgs
from tfgan_stab.callbacks.profile import Operation, operations, own_times, table


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], {}),
        ([("a", 0, 5), ("b", 5, 7)], {"a": 5, "b": 2}),
        ([("a", 0, 10), ("b", 1, 9), ("c", 2, 4), ("d", 5, 9)], {"a": 2, "b": 2, "c": 2, "d": 4}),
        ([("b", 3, 4), ("a", 0, 10)], {"a": 9, "b": 1}),
        ([("a", 0, 10), ("b", 0, 10)], {"a": 0, "b": 10}),
    ],
)
def test_own_times_leave_out_what_runs_inside(events, expected):
    assert dict(own_times(iter(events))) == expected


def written(path, host, device):
    """Writes a trace with events (name, begin, end, by XLA) of one host and one device line."""
    space = xplane_pb2.XSpace()
    for plane_name, events in (("/host:CPU", host), ("/device:GPU:0", device), ("Task", device)):
        plane = space.planes.add(name=plane_name)
        plane.stat_metadata[1].name = "hlo_op"
        line = plane.lines.add(name="a line")
        for number, (name, begin, end, by_xla) in enumerate(events, start=1):
            plane.event_metadata[number].name = name
            event = line.events.add(metadata_id=number, offset_ps=begin, duration_ps=end - begin)
            if by_xla:
                event.stats.add(metadata_id=1)
    path.write_bytes(space.SerializeToString())
    return path


def test_operations_of_host_and_device_are_told_from_other_events(tmp_path):
    host = [
        ("ExecutorState::Process", 0, 900, False),
        ("while/body/_1/while/StatefulPartitionedCall:StatefulPartitionedCall", 0, 800, False),
        ("while/body/_1/while/PartitionedCall/dis/dense/MatMul:MatMul", 100, 400, False),
        ("fusion.3", 500, 600, True),
        ("ThreadpoolListener::Record", 700, 701, False),
    ]
    found = operations(written(tmp_path / "a.xplane.pb", host, [("kernel", 0, 250, False)]))
    assert [(each.name, each.calls) for each in found] == [
        ("MatMul dis/dense/MatMul", 1),
        ("kernel", 1),
        ("fusion.3", 1),
    ]
    np.testing.assert_allclose([each.seconds for each in found], [3e-10, 2.5e-10, 1e-10])


def test_the_table_has_ten_rows_and_the_others():
    found = [Operation(f"op{n}", 4, 0.001 * (20 - n)) for n in range(15)]
    lines = table(found, steps=2).splitlines()
    assert len(lines) == 12
    assert lines[1].split() == ["10.000", "10.3%", "2.0", "op0"]
    assert lines[-1].split() == ["20.000", "20.5%", "all", "others"]


@pytest.mark.cases(full=1)
@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_profile_of_a_training_names_its_costliest_operations(jit_compile, tmp_path, capsys):
    gan = tgs.GAN(
        tgs.networks.mlp_generator(latents=8, width=256, depth=2),
        tgs.networks.mlp_discriminator(width=256, depth=2),
        latents=8,
    )
    gan.compile("adam", keras.optimizers.Adam(), jit_compile=jit_compile)
    profile = tgs.callbacks.Profile(tmp_path, steps=6, start=5)
    gan.fit(np.zeros([512 * 20, 2], "float32"), batch_size=512, verbose=0, callbacks=[profile])
    text = (tmp_path / "operations.txt").read_text()
    said = capsys.readouterr().out
    assert f"Profile of 6 steps in {tmp_path}:\n{text}" in said
    assert len(text.splitlines()) == 12 and ("dot" in text or "MatMul" in text)
    assert list(tmp_path.glob("plugins/profile/*/*.xplane.pb"))
    # Two layers of 256 x 256 and their derivatives: most of the time, in either form.
    rows = [line.split() for line in text.splitlines()[1:11]]
    assert sum(float(row[1].rstrip("%")) for row in rows) > 40


@pytest.mark.slow
def test_a_training_that_is_too_short_says_so(tmp_path, capsys):
    networks = tgs.networks.mlp_generator(latents=8), tgs.networks.mlp_discriminator()
    gan = tgs.GAN(*networks, latents=8)
    gan.compile("sgd", "sgd", jit_compile=False)
    profile = tgs.callbacks.Profile(tmp_path)
    gan.fit(np.zeros([16, 2], "float32"), batch_size=8, verbose=0, callbacks=[profile])
    assert "Profile: none. It starts after 10 steps; 2 were taken." in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [{"steps": 0}, {"start": 0.5}])
def test_wrong_numbers_are_refused(arguments):
    with pytest.raises(ValueError, match="must be a number of steps"):
        tgs.callbacks.Profile("profile", **arguments)
