"""A small part of `make fuzz`, the same each time; tests of its harness; and files that it found."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import forked
import fuzz
from fuzz_readers import Reader

from utils.errors import DataError
from utils.reading.read_frame import read_frame
from utils.tasks.columns import RequestedColumns, read_rows
from utils.tasks.tasks import TASKS


def _raises(error):
    raise error


@pytest.mark.parametrize(
    ("case", "end"),
    [
        (lambda: 1, forked.RESULT),
        (lambda: _raises(DataError("a", "b")), forked.USER_ERROR),
        (lambda: sys.exit(2), forked.USER_ERROR),
        (lambda: sys.exit(0), forked.RESULT),
        (lambda: _raises(ValueError("a")), forked.TRACEBACK),
        (lambda: bytes(8 << 30), forked.TRACEBACK),
        (lambda: time.sleep(60), forked.KILLED),
    ],
    ids=["result", "user error", "usage", "help", "traceback", "memory", "time"],
)
def test_how_a_case_ends_is_noticed(case, end):
    assert forked.in_a_child(case, longest=1).end == end


def test_the_memory_and_time_of_a_case_are_measured():
    taken = forked.in_a_child(lambda: len(b"x" * (200 << 20)))
    assert 190 << 20 < taken.bytes < 300 << 20


def test_a_failing_file_is_kept_and_cut_to_the_failing_part(tmp_path):
    def use(path):
        if b"bad" in path.read_bytes():
            raise ValueError("bad")

    reader = Reader("a reader", {"a.csv": b"good" * 50}, use, "bytes", 1.0)
    damaged = b"good" * 50 + b"bad" + b"good" * 50
    (tmp_path / "case").mkdir()
    outcome = fuzz._try(reader, tmp_path / "case" / "a.csv", damaged)
    fails = fuzz.partial(fuzz._fails_alike, reader, tmp_path / "case" / "a.csv", outcome)
    small = fuzz._smaller(damaged, fails)
    assert b"bad" in small and len(small) < 20


def test_damaged_files_are_results_or_user_errors(tmp_path):
    """In a process of its own: one with threads cannot be forked safely."""
    words = ["--cases", "48", "--seed", "11", "--failures", tmp_path / "failures"]
    done = subprocess.run([sys.executable, fuzz.__file__, *words], capture_output=True, text=True, check=False)
    _, *rows, last = done.stdout.splitlines()
    assert (done.returncode, last) == (0, "0 cases failed"), done.stdout + done.stderr
    assert len(rows) == 24


def test_a_file_of_a_folder_may_have_no_column_of_its_own(tmp_path):
    (tmp_path / "a.csv").write_text("id,text\n1,the sea is blue today\n2,the rain is wet today\n")
    (tmp_path / "b.jsonl").write_text('{"":null}\n')
    assert len(read_rows(TASKS["tweets"], [str(tmp_path)], RequestedColumns())[0]) == 3


def test_a_damaged_gzip_on_stdin_is_a_user_error(monkeypatch, tmp_path):
    (tmp_path / "a").write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + b"\xff" * 40)
    with (tmp_path / "a").open() as piped:
        monkeypatch.setattr(sys, "stdin", piped)
        with pytest.raises(DataError, match="not a complete gzip file"):
            read_frame(["-"])
