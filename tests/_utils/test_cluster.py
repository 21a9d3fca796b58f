"""What TF_CONFIG and Slurm's variables say, and what is said where they make no sense."""

import json

import pytest

from tfgan_stab._utils.cluster import config_of, host_names, is_chief

WORKERS = {"worker": ["a:1", "b:1"]}


def tf_config(kind, index, **cluster):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


def slurm(rank, node, local, nodes="n[9-10]", counts="1(x2)", job=10_007):
    """What srun tells a task."""
    numbers = {"JOB_ID": job, "PROCID": rank, "NODEID": node, "LOCALID": local}
    texts = {"STEP_NODELIST": nodes, "STEP_TASKS_PER_NODE": counts}
    return {f"SLURM_{name}": str(value) for name, value in (numbers | texts).items()}


def test_the_first_of_several_workers_is_known_from_what_started_it():
    assert is_chief({}) and is_chief({"TF_CONFIG": "{}"})
    assert [is_chief(tf_config("worker", index, **WORKERS)) for index in (0, 1)] == [True, False]
    assert is_chief(tf_config("worker", "0", **WORKERS))
    assert not is_chief(tf_config("worker", 0, chief=["c:1"], **WORKERS))
    assert is_chief(tf_config("chief", 0, chief=["c:1"], **WORKERS))
    assert [is_chief(slurm(rank, rank, 0)) for rank in (0, 1)] == [True, False]


def test_hosts_are_in_the_order_of_the_ranks():
    """As text, n10 comes before n9."""
    second = config_of(slurm(1, 1, 0))
    assert second["cluster"] == {"worker": ["n9:12007", "n10:12007"]}
    assert second["task"] == {"type": "worker", "index": 1}
    several = config_of(slurm(3, 1, 1, counts="2(x2),1", nodes="n[9-10],m"))
    assert several["cluster"]["worker"] == [
        *("n9:12007", "n9:12008", "n10:12007", "n10:12008"),
        "m:12007",
    ]


@pytest.mark.parametrize(
    ("short", "names"),
    [
        ("login", ["login"]),
        ("gpu[08-10,12],login", ["gpu08", "gpu09", "gpu10", "gpu12", "login"]),
        ("r[1-2]n[1,3]", ["r1n1", "r1n3", "r2n1", "r2n3"]),
        ("a-1,b[1-2]-ib", ["a-1", "b1-ib", "b2-ib"]),
    ],
)
def test_short_forms_of_host_names_are_spelt_out(short, names):
    assert host_names(short) == names


@pytest.mark.parametrize(
    "text",
    [
        "host0:2222,host1:2222",
        "[]",
        json.dumps({"cluster": WORKERS}),
        tf_config("worker", 2, **WORKERS)["TF_CONFIG"],
        tf_config("worker", -1, **WORKERS)["TF_CONFIG"],
        tf_config("evaluator", 0, evaluator=["e:1"], **WORKERS)["TF_CONFIG"],
        tf_config("worker", 0, worker=["a:1", "a:1"])["TF_CONFIG"],
    ],
)
def test_a_cluster_without_a_place_for_this_process_is_refused(text):
    message = "TF_CONFIG must be JSON with the address of each worker.*Received: .*Correct it"
    with pytest.raises(ValueError, match=message) as told:
        is_chief({"TF_CONFIG": text})
    assert text in str(told.value) and '"index": 0' in str(told.value)


def test_slurm_variables_that_name_no_rank_are_refused():
    without = slurm(0, 0, 0)
    del without["SLURM_PROCID"]
    for environment in (without, slurm(0, 0, 0, counts="1"), slurm(0, 0, 0, nodes="n[1-")):
        with pytest.raises(ValueError, match="SLURM_STEP_NODELIST.*by srun, or set TF_CONFIG"):
            config_of(environment)
    message = r"rank 1 for n10:12007, which is number 2 of .*srun --distribution=block"
    with pytest.raises(ValueError, match=message):
        config_of(slurm(1, 1, 0, counts="2(x2)"))
