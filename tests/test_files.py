"""Files are written completely or not at all."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from utils import folders
from utils.errors import UsageError, UserError
from utils.files import atomic_write, check_apart, check_writable, sha256_of

ROOT = Path(__file__).parent.parent


@pytest.fixture
def old(tmp_path):
    """A file that a failed write must leave as it is, alone in its folder."""
    path = tmp_path / "folder" / "result.pkl"
    path.parent.mkdir()
    path.write_bytes(b"old")
    return path


def untouched(path):
    return path.read_bytes() == b"old" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("mode", "content", "stored"), [("wb", b"\r\n\xff", b"\r\n\xff"), ("w", "é\n", b"\xc3\xa9\n")])
def test_a_block_that_ends_replaces_the_file(old, mode, content, stored):
    with atomic_write(old, mode) as file:
        file.write(content)
        assert old.read_bytes() == b"old"
    assert old.read_bytes() == stored
    assert list(old.parent.iterdir()) == [old]


def test_missing_folders_are_made(tmp_path):
    with atomic_write(tmp_path / "a" / "b" / "c.txt", "w") as file:
        file.write("x")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "x"


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt()])
def test_a_block_that_raises_leaves_the_old_file(old, error):
    with pytest.raises(type(error)), atomic_write(old) as file:
        file.write(b"half of the new one")
        raise error
    assert untouched(old)


def test_a_full_disk_leaves_the_old_file(old):
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from utils.process import run\n"
        "from utils.files import atomic_write\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "def main():\n"
        "    with atomic_write(Path(sys.argv[1])) as file:\n"
        "        file.write(bytes(100_000))\n"
        "sys.exit(run(main))"
    )
    ended = subprocess.run([sys.executable, "-c", code, old], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        f"error: cannot write {old}: File too large",
        "hint: free some space or choose another output path; an existing file there is unchanged",
    ]
    assert untouched(old)


@pytest.mark.parametrize("write", [check_writable, lambda path: atomic_write(path).__enter__()])
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("folder/result.pkl/new.pkl", ".* is a file, not a folder|Not a directory"),
        ("folder/result.pkl/deeper/new.pkl", "Not a directory"),
        ("folder/" + "n" * 250, "File name too long"),
        ("folder/" + "n" * 300, "File name too long"),
    ],
)
def test_a_path_that_cannot_be_written_is_a_users_error(old, write, path, reason):
    with pytest.raises(UserError, match=f"cannot write .*: ({reason})") as caught:
        write(old.parent.parent / path)
    assert caught.value.exit_code == 1
    assert caught.value.hint
    assert untouched(old)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="root may write everywhere but in /proc")
def test_a_read_only_folder_is_a_users_error():
    for path in (Path("/proc/new.pkl"), Path("/proc/new/new.pkl")):
        with pytest.raises(UserError, match="cannot write /proc/new"):
            check_writable(path)


def test_a_folder_as_output_is_refused(old):
    with pytest.raises(UserError, match="is a folder, not a file"):
        check_writable(old.parent)
    with pytest.raises(UserError, match="cannot write"), atomic_write(old.parent) as file:
        file.write(b"new")
    assert untouched(old)
    assert list(old.parent.parent.iterdir()) == [old.parent]


def test_checking_leaves_only_the_folder(old, tmp_path):
    check_writable(old)
    assert untouched(old)
    check_writable(tmp_path / "new" / "file.pkl")
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_file_mode_honours_umask(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        with atomic_write(tmp_path / "file") as file:
            file.write(b"x")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_sha256(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc" * 100_000)
    assert sha256_of(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_an_output_that_would_replace_an_input_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    table = tmp_path / "data" / "table.csv"
    table.write_text("text\n")
    (tmp_path / "link.csv").symlink_to(table)
    (tmp_path / "hard.csv").hardlink_to(table)
    for output in ("data/table.csv", "./data/../data/table.csv", table, "link.csv", "hard.csv", "data", "."):
        with pytest.raises(UsageError, match=r"would replace .*table\.csv, which is read"):
            check_apart(Path(output), [None, "-", "hf://user/name", "x" * 300, table])
    for output in ("data/other.csv", "new/table.csv", "data/table.csv/x"):
        check_apart(Path(output), [table, "gpt2"])
    assert table.read_text() == "text\n"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_file_that_is_replaced_keeps_its_permissions(old, mode):
    old.chmod(mode)
    with atomic_write(old) as file:
        file.write(b"new")
    assert (old.read_bytes(), old.stat().st_mode & 0o777) == (b"new", mode)


def test_a_new_file_that_the_disk_may_lose_is_not_called_unchanged(old, monkeypatch):
    def fail(folder):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(folders, "sync_folder", fail)
    with pytest.raises(UserError) as caught, atomic_write(old) as file:
        file.write(b"new")
    assert caught.value.problem == f"{old} is in place, but the disk may lose it: Input/output error"
    assert "unchanged" not in caught.value.hint
    assert (old.read_bytes(), list(old.parent.iterdir())) == (b"new", [old])


def test_a_link_stays_and_its_target_is_replaced(old, tmp_path):
    link = tmp_path / "current.pkl"
    link.symlink_to(Path("folder") / old.name)
    check_writable(link)
    with atomic_write(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert old.read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["current.pkl", "folder", "result.pkl"]


def test_a_link_to_nothing_yet_is_followed(tmp_path):
    (tmp_path / "link").symlink_to("new/file")
    with atomic_write(tmp_path / "link", "w") as file:
        file.write("new")
    assert (tmp_path / "new" / "file").read_text() == "new"
    assert (tmp_path / "link").is_symlink()


def test_a_device_and_a_pipe_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    for name in ("pipe", "null"):
        with pytest.raises(UserError, match="is a device or a pipe, not a file"):
            check_writable(tmp_path / name)
        assert not (tmp_path / name).is_file()
