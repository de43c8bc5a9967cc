"""Files, and names that are no files: a result, or an OSError, and never an endless wait."""

import os
import socket

import pytest

from utils import system_errors
from utils.system_errors import read_file


def test_files_and_pipes_have_an_end(tmp_path):
    (tmp_path / "a").write_bytes(b"one")
    assert read_file(tmp_path / "a") == b"one"
    reading, writing = os.pipe()
    os.write(writing, b"two")
    os.close(writing)
    (tmp_path / "link").symlink_to(f"/dev/fd/{reading}")
    assert read_file(tmp_path / "link") == b"two"
    os.close(reading)


def test_devices_have_no_end(tmp_path, monkeypatch):
    monkeypatch.setattr(system_errors, "MOST_PIPED", 1000)
    (tmp_path / "link").symlink_to("/dev/zero")
    with pytest.raises(OSError, match="more than 1,000 bytes"):
        read_file(tmp_path / "link")


def test_a_pipe_or_a_socket_of_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the names of sockets are short
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("socket")
        for name in ("pipe", "socket"):
            with pytest.raises(OSError, match="a pipe or a socket"):
                read_file(tmp_path / name)


def test_a_folder_and_nothing(tmp_path):
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "nothing")
