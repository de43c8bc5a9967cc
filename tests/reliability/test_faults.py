"""A small part of faults.py, which lets calls that write fail; and its judgment of the remaining files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fault_cases import Case
from fault_verdicts import judge
from syscall_faults import Ended

FAULTS = Path(__file__).parent / "faults.py"
HELPERS = Path(__file__).parent.parent / "helpers"
CASE = Case("a command", "", "", folders=("model",), state="model.training")
OLD = {"work": None, "work/model": None, "work/model/a": b"old", "work/model/b": b"old", "work/data": b"data"}
NEW = {**OLD, "work/model/a": b"new", "work/model/b": b"new"}
TOLD = "a log line\nerror: cannot write\nhint: free some space\n"


def test_after_every_fault_the_old_or_the_new_output_is_whole():
    """In a process of its own: one with threads cannot be forked safely."""
    cases = r"preprocess, replacing|scrape|\.pt replaced"
    ended = subprocess.run(
        [sys.executable, FAULTS, "--brief", "--every", "197", "--cases", cases], capture_output=True, text=True
    )
    if ended.returncode == 77:
        pytest.skip(ended.stderr.strip())
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = [line[:34].strip() for line in ended.stdout.splitlines()[1:]]
    assert rows == ["preprocess, replacing", "scrape", "fine_tune, .pt replaced"]


@pytest.mark.parametrize(
    ("changes", "code", "err", "outcome"),
    [
        ({}, 1, TOLD, "old whole"),
        (NEW, 1, TOLD, "new whole"),
        (NEW, 0, "", "new whole"),
        ({"work/model.training": None, "work/model.training/x": b""}, 1, TOLD, "old whole"),
        ({"work/model.training": None}, 0, "", "temporary left"),
        ({}, 0, "", "lost"),
        ({"work/model/a": b"new"}, 1, TOLD, "lost"),
        ({"work/model/a": b"ol"}, 1, TOLD, "lost"),
        ({"work/data": None}, 1, TOLD, "lost"),
        ({"work/.model.old": None}, 1, TOLD, "temporary left"),
        ({"tmp/x": b""}, 1, TOLD, "temporary left"),
        ({}, 1, "Traceback (most recent call last):\nOSError", "traceback"),
        ({}, 1, "error: x\n", "other"),
        ({}, 1, TOLD + "Exception\n", "other"),
        ({}, 2, TOLD, "other"),
        ({}, -7, "", "other"),
        ({}, None, "", "other"),
    ],
)
def test_files_that_are_left_are_judged(changes, code, err, outcome):
    after = {name: content for name, content in {**OLD, **changes}.items() if (name, content) != ("work/data", None)}
    verdict = judge(CASE, OLD, NEW, after, Ended(code, "", err, []), cannot_remove=False)
    assert verdict.outcome == outcome


WRITES_SHORT = """
import os, sys
from pathlib import Path
from syscall_faults import SHORT, run_with_faults, unavailable

if reason := unavailable():
    sys.exit(reason)

def write():
    with Path("a").open("wb", buffering=0) as file:
        print(file.write(b"12345678"), file.write(b"abc"), os.pwrite(file.fileno(), b"XYZ_", 1), file.tell())
    with Path("b").open("wb") as file:
        file.write(b"12345678")

ended = run_with_faults(write, Path(), lambda call: SHORT if call.kind == "write" else 0)
print(ended.code, ended.out.strip(), Path("a").read_bytes(), Path("b").read_bytes(), ended.err)
"""


def test_a_call_may_write_half_of_its_bytes(tmp_path):
    options = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(HELPERS)}, "capture_output": True}
    ended = subprocess.run([sys.executable, "-c", WRITES_SHORT], text=True, **options)
    if "seccomp" in ended.stderr or "is for Linux" in ended.stderr:
        pytest.skip(ended.stderr.strip())
    assert ended.stdout.strip() == "0 4 1 2 5 b'1XY4a' b'12345678'", ended.stderr


def test_files_that_cannot_be_removed_may_stay():
    after = {**OLD, "work/.model.part": b"x"}
    assert judge(CASE, OLD, NEW, after, Ended(1, "", TOLD, []), cannot_remove=True).outcome == "old whole"
