"""Lines from a real pipe."""

import os
import sys
from pathlib import Path

import pytest

from utils.errors import DataError
from utils.reading import piped_lines
from utils.reading.piped_lines import arriving_lines, is_redirected


@pytest.fixture
def writer(monkeypatch):
    """Return the file descriptor of the other end of stdin's pipe."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield writing


def test_lines_are_given_out_before_the_next_ones_are_written(writer):
    lines = arriving_lines()
    os.write(writer, "\ufeffun été\r\n\ntwo\n".encode())
    assert next(lines) == ["un été", "", "two"]
    os.write(writer, b"thr")
    os.write(writer, b"ee\nf\xe9")
    assert next(lines) == ["three"]
    os.close(writer)
    assert list(lines) == [["fé"]]


def test_a_line_without_an_end_does_not_fill_the_memory(writer, monkeypatch):
    monkeypatch.setattr(piped_lines, "LONGEST_LINE", 10)
    os.write(writer, b"x" * 11)
    os.close(writer)
    with pytest.raises(DataError, match="longer than 10 bytes"):
        list(arriving_lines())


def test_pipes_and_files_are_redirections_and_terminals_are_not(writer, monkeypatch, tmp_path):
    os.close(writer)
    assert is_redirected()
    (tmp_path / "lines.txt").write_text("one\n")
    main, terminal = os.openpty()
    for opened, expected in (((tmp_path / "lines.txt").open(), True), (os.fdopen(terminal), False)):
        with opened:
            monkeypatch.setattr(sys, "stdin", opened)
            assert is_redirected() is expected
    os.close(main)
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert not is_redirected()
    monkeypatch.setattr(sys, "stdin", None)
    assert not is_redirected()
