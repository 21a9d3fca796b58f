"""scripts/setup_venv.sh: it finds a Python, installs once, and names the step that failed."""

import pathlib
import re
import signal
import stat
import subprocess
import sys
import textwrap

import pytest

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent / "scripts"

# A fake Python: reports version 3.12, copies itself into environments, logs calls of pip.
PYTHON = """#!/usr/bin/env bash
here="$(cd "$(dirname "$0")" && pwd)"
case "$*" in
  --version) echo "Python 3.12.1" ;;
  *"import ensurepip"*) exit {without_venv} ;;
  "-c import sys"*) exit {unsuitable} ;;
  "-m venv"*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
  "-m pip --version") [ "$(basename "$here")" = bin ] ;;
  "-m pip install"*) echo "$*" >>"$here/../pip.log" && exit {pip_fails} ;;
esac
"""


def fake_python(folder, without_venv=0, unsuitable=0, pip_fails=0):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "python3"
    path.write_text(
        PYTHON.format(without_venv=without_venv, unsuitable=unsuitable, pip_fails=pip_fails)
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def shell(command, python):
    return subprocess.run(
        ["bash", "-c", f'source "{SCRIPTS}/setup_venv.sh"; {command}', "quickstart.sh"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(python)},
    )


def set_up(tmp_path, extras="", constraints="", **behaviour):
    python = fake_python(tmp_path / "python", **behaviour)
    return shell(f'set_up_venv "{tmp_path}/venv" "{extras}" 13 "{constraints}"', python)


def installations(tmp_path):
    log = tmp_path / "venv" / "pip.log"
    return [line for line in log.read_text().splitlines() if "--editable" in line]


@pytest.mark.parametrize("name", ["quickstart.sh", "test.sh", "setup_venv.sh"])
def test_scripts_are_valid_shell(name):
    done = subprocess.run(["bash", "-n", SCRIPTS / name], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_ci_runs_the_tests_only():
    ci = (SCRIPTS.parent / ".ci" / "run").read_text().splitlines()
    commands = [line for line in ci if line and not line.startswith(("#", "set "))]
    assert commands == ['exec bash "$(dirname -- "$0")/../scripts/test.sh"']


def test_setup_creates_an_environment_and_installs(tmp_path):
    done = set_up(tmp_path)
    assert done.returncode == 0, done.stderr
    assert installations(tmp_path)[0].endswith(f"--editable {SCRIPTS.parent}")


def test_a_second_setup_installs_nothing(tmp_path):
    assert set_up(tmp_path, "[tests]").returncode == 0
    assert set_up(tmp_path, "[tests]").returncode == 0
    assert set_up(tmp_path).returncode == 0, "the extra includes the plain installation"
    assert len(installations(tmp_path)) == 1


def test_other_extras_or_constraints_install_again(tmp_path):
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("numpy==1.26.4\n")
    set_up(tmp_path)
    set_up(tmp_path, "[tests]")
    set_up(tmp_path, "[tests]", constraints)
    constraints.write_text("numpy==2.0.0\n")
    set_up(tmp_path, "[tests]", constraints)
    assert len(installations(tmp_path)) == 4


def test_a_failed_installation_is_retried(tmp_path):
    failed = set_up(tmp_path, pip_fails=7)
    assert failed.returncode == 7
    assert "quickstart.sh stopped (exit code 7) at: tfgan_stab in" in failed.stderr
    fake_python(tmp_path / "venv" / "bin").rename(tmp_path / "venv" / "bin" / "python")
    assert set_up(tmp_path).returncode == 0
    assert len(installations(tmp_path)) >= 1


def test_the_failing_step_is_named(tmp_path):
    done = shell('step "counting"; false; echo "not reached"', "python3")
    assert done.returncode == 1
    assert done.stderr.endswith("quickstart.sh stopped (exit code 1) at: counting\n")
    assert "not reached" not in done.stdout


def test_no_suitable_python(tmp_path):
    python = fake_python(tmp_path / "python", unsuitable=1)
    done = shell("find_python 13", python)
    assert done.returncode == 1
    assert f"No Python 3.10 to 3.13 among: {python}" in done.stderr
    assert "set PYTHON to its path" in done.stderr


def test_a_python_without_venv(tmp_path):
    python = fake_python(tmp_path / "python", without_venv=1)
    done = set_up(tmp_path, without_venv=1)
    assert done.returncode == 1
    assert f"{python} cannot make virtual environments" in done.stderr
    assert "apt-get install python3-venv" in done.stderr


def test_an_environment_of_an_unsuitable_python_is_kept(tmp_path):
    broken = fake_python(tmp_path / "venv" / "bin", unsuitable=1)
    broken.rename(broken.with_name("python"))
    done = set_up(tmp_path)
    assert done.returncode == 1
    assert f"Remove {tmp_path}/venv and try again" in done.stderr
    assert (tmp_path / "venv" / "bin" / "python").exists()


def launching(tmp_path, program, *flags):
    """The command by which scripts/launch_local.py starts a program in several workers."""
    path = tmp_path / "program.py"
    path.write_text("import json, os, signal, sys, time\n" + textwrap.dedent(program))
    return [sys.executable, SCRIPTS / "launch_local.py", *flags, "--", path, "--own=1"]


def launched(tmp_path, program, *flags):
    """What becomes of such a program."""
    return subprocess.run(
        launching(tmp_path, program, *flags),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_local_workers_know_each_other(tmp_path):
    program = """\
        config = json.loads(os.environ["TF_CONFIG"])
        print(config["task"], config["cluster"]["worker"], sys.argv[1:])
    """
    done = launched(tmp_path, program, "--workers=3")
    assert done.returncode == 0, done.stderr
    addresses = re.search(r"(?<=} )\[.*?\]", done.stdout)[0]
    assert len(set(re.findall(r"localhost:\d+", addresses))) == 3
    marks = ["", "[1] ", "[2] "]
    tasks = [f"{{'type': 'worker', 'index': {i}}} {addresses} ['--own=1']" for i in range(3)]
    said = [mark + task for mark, task in zip(marks, tasks, strict=True)]
    assert sorted(done.stdout.splitlines()) == sorted(said)


def test_local_workers_end_with_the_code_of_the_first_that_fails(tmp_path):
    program = """\
        index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
        time.sleep(0.5 * (1 - index))
        sys.exit([9, 7][index])
    """
    done = launched(tmp_path, program)
    assert done.returncode == 7
    assert (
        "launch_local.py: worker 1 ended with exit code 7; the others have 60 s to end."
        in done.stderr
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers=0", "--", "a.py"], "expected --workers from 1 to 100. Received: 0. Leave"),
        (["--workers=100000", "--", "a.py"], "from 1 to 100. Received: 100000. Leave"),
        (["--workers=two", "--", "a.py"], "argument --workers: invalid int value: 'two'"),
        (["--workers=2"], "expected a Python file and its flags after --. Received: nothing."),
        (["--", "python", "a.py"], "Received: python, which is no file. This Python runs it: "),
    ],
)
def test_what_local_workers_cannot_be_started_with_is_refused(arguments, message):
    command = [sys.executable, SCRIPTS / "launch_local.py", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert message in done.stderr


def test_a_second_interrupt_ends_local_workers_that_go_on_after_the_first(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(
        "import signal, time\n"
        "signal.signal(signal.SIGINT, lambda *_: print('not yet', flush=True))\n"
        "print('ready', flush=True)\n"
        "end = time.monotonic() + 40\n"
        "while time.monotonic() < end:\n"
        "    time.sleep(0.1)\n"
    )
    command = [sys.executable, SCRIPTS / "launch_local.py", "--workers=1", "--", path]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as launcher:
        for words in ("ready\n", "not yet\n"):
            assert launcher.stdout.readline() == words
            launcher.send_signal(signal.SIGINT)
        _, said = launcher.communicate(timeout=20)
    assert launcher.returncode == 128 + 9
    assert said == (
        "launch_local.py: Ctrl-C goes on to all workers; once more ends them at once.\n"
    )


def test_all_that_local_workers_say_is_shown(tmp_path):
    """What is no text or an error, too, and what comes after a worker's end."""
    program = """\
        import subprocess
        print("wrong", file=sys.stderr, flush=True)
        sys.stdout.buffer.write(b"what \\xff is\\n")
        late = "import time; time.sleep(0.3); print('late')"
        subprocess.Popen([sys.executable, "-c", late])
    """
    done = launched(tmp_path, program, "--workers=1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["wrong", "what \ufffd is", "late"]


def test_a_signal_that_ends_a_local_worker_is_told_as_shells_do(tmp_path):
    done = launched(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)", "--workers=1")
    assert done.returncode == 128 + 9


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_goes_on_to_all_local_workers(tmp_path, name):
    program = f"""\
        signal.signal(signal.{name}, lambda *_: sys.exit(5))
        print("ready", flush=True)
        time.sleep(40)
    """
    command = launching(tmp_path, program)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as launcher:
        assert sorted(launcher.stdout.readline() for _ in range(2)) == ["[1] ready\n", "ready\n"]
        launcher.send_signal(getattr(signal, name))
        assert launcher.wait(timeout=20) == 5


def test_local_workers_that_wait_for_one_that_failed_are_ended(tmp_path):
    program = """\
        sys.exit(7) if '"index": 1' in os.environ["TF_CONFIG"] else time.sleep(40)
    """
    _, _, *flags = launching(tmp_path, program)
    impatient = "import sys; sys.path.insert(0, sys.argv.pop(1)); import launch_local\n"
    impatient += "launch_local.GRACE = 0.2; launch_local.main()"
    command = [sys.executable, "-c", impatient, SCRIPTS, *flags]
    assert subprocess.run(command, timeout=20, check=False).returncode == 7
