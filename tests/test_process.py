"""A script's process: the two lines of an error, exit codes, and readers that leave."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.speed.crowd import busy
from utils import process
from utils.errors import DataError, UsageError, UserError
from utils.interrupts import ToldInterrupt
from utils.process import run

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(("kind", "code"), [(UserError, 1), (UsageError, 2), (DataError, 3)])
def test_run_prints_the_errors_of_users_and_returns_their_code(capsys, kind, code):
    def main():
        raise kind("line one\n  and two", "do\tthis")

    assert run(main) == code
    assert capsys.readouterr() == ("", "error: line one and two\nhint: do this\n")


def test_run_returns_what_main_returns(capsys):
    assert run(lambda: 0) == 0
    assert capsys.readouterr() == ("", "")


def test_run_reports_an_interrupt(capsys):
    def main():
        raise KeyboardInterrupt

    assert run(main) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


@pytest.mark.parametrize(
    ("interrupt", "said"),
    [
        (KeyboardInterrupt, "interrupted\nno output was changed; to start again: python fine_tune.py --epochs 2\n"),
        (ToldInterrupt, "interrupted\n"),
    ],
)
def test_an_interruption_says_the_command_once(capsys, monkeypatch, interrupt, said):
    def main():
        raise interrupt

    monkeypatch.setattr(sys, "argv", [str(ROOT / "fine_tune.py"), "--epochs", "2"])
    assert run(main, repeats=True) == 130
    assert capsys.readouterr().err.replace(f"{ROOT}/", "") == said


def test_run_lets_a_bug_keep_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 // 0)


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_leaves_is_no_error(lines):
    code = f"import sys; from utils.process import run; sys.exit(run(lambda: print('line\\n' * {lines}) or 0))"
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    writer = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=buffered, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    writer.stdout.close()
    with writer.stderr as stderr:
        assert stderr.read() == ""
    assert writer.wait() == 0


CHOSEN = {
    "by us": ({}, 0, "10000"),
    "by us, beside other work": ({}, 9999, "0"),
    "count": ({"GOMP_SPINCOUNT": "7"}, 0, "7"),
    "policy": ({"OMP_WAIT_POLICY": "passive"}, 0, "0"),
}


@pytest.mark.parametrize(("chosen", "running", "spins"), CHOSEN.values(), ids=CHOSEN.keys())
def test_threads_wait_as_long_as_the_user_says_or_briefly(chosen, running, spins, tmp_path):
    """OpenMP prints what it has read when it is loaded, with torch. `running`: threads on the whole machine."""
    (tmp_path / "loadavg").write_text(f"0.20 0.18 0.12 {running + 1}/10000 11206\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    code = "import pathlib, sys; from utils import process; process.RUNNING = pathlib.Path(sys.argv[1])"
    code += "; process.run(lambda: __import__('torch').get_num_threads() and 0)"
    shown = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "loadavg")],
        cwd=ROOT,
        env={**environment, "OMP_DISPLAY_ENV": "verbose", **chosen},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"GOMP_SPINCOUNT = '{spins}'" in shown.stderr


@pytest.mark.skipif(not process.RUNNING.exists(), reason="only Linux says how many threads are running")
def test_busy_processes_are_seen():
    with busy(2 * os.cpu_count()) as others:
        assert all(other.poll() is None for other in others)
        time.sleep(0.5)
        assert process.processors_are_busy()


def test_a_system_without_a_load_average_is_not_busy(monkeypatch, tmp_path):
    monkeypatch.setattr(process, "RUNNING", tmp_path / "missing")
    assert not process.processors_are_busy()
