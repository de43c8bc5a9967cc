"""Temporary folders are removed; a full TMPDIR is reported in two lines."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from utils.errors import UserError
from utils.temporary import explain_temporary_errors, folder_for_a_while, remove, temporary_folder


@pytest.fixture
def tmpdir_is(tmp_path, monkeypatch):
    """An empty TMPDIR."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def failing(function, times, error=errno.EIO):
    """Return the function, whose first calls fail."""
    calls = iter(range(times))

    def fails(*arguments, **options):
        if next(calls, None) is not None:
            raise OSError(error, os.strerror(error))
        return function(*arguments, **options)

    return fails


def test_a_folder_is_gone_after_its_block(tmpdir_is):
    with temporary_folder() as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_text("x")
        assert folder.parent == tmpdir_is
    with pytest.raises(KeyboardInterrupt), temporary_folder() as folder:
        raise KeyboardInterrupt
    assert list(tmpdir_is.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_a_disk_that_fails_within_the_block_is_told(tmpdir_is, code):
    problem = f"cannot write to {tmpdir_is}: {os.strerror(code)}"
    with pytest.raises(UserError, match=problem) as caught, temporary_folder():
        raise OSError(code, os.strerror(code))
    assert "set TMPDIR" in caught.value.hint
    assert list(tmpdir_is.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmpdir_is, monkeypatch):
    monkeypatch.setattr(os, "mkdir", failing(os.mkdir, 100, errno.ENOSPC))
    with pytest.raises(UserError, match="No space left on device"), temporary_folder():
        pass


def test_no_usable_tmpdir_at_all_is_told(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    with (
        pytest.raises(UserError, match=r"cannot write to any folder for temporary files: .*/nowhere"),
        temporary_folder(),
    ):
        pass


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "No such file", "x"), ConnectionError("refused")])
def test_errors_that_are_not_of_the_disk_pass(error):
    with pytest.raises(type(error)), explain_temporary_errors():
        raise error


def test_a_folder_elsewhere_raises_what_the_system_says(tmp_path):
    with pytest.raises(FileNotFoundError), folder_for_a_while(tmp_path / "missing"):
        pass
    with pytest.raises(OSError, match="full"), folder_for_a_while(tmp_path, ".x."):
        raise OSError(errno.ENOSPC, "full")
    assert list(tmp_path.iterdir()) == []


def test_a_removal_that_fails_is_tried_twice(tmp_path, monkeypatch):
    file, folder = tmp_path / "file", tmp_path / "folder"
    for failures, gone in ((1, True), (9, False)):
        folder.mkdir(exist_ok=True)
        for path in (file, folder / "a", folder / "b"):
            path.write_text("x")
        with monkeypatch.context() as patch:
            patch.setattr(os, "unlink", failing(os.unlink, failures))
            assert remove(file) is gone
            patch.setattr(os, "unlink", failing(os.unlink, failures))
            assert remove(folder) is gone
        assert [file.exists(), folder.exists()] == [not gone] * 2
    assert remove(Path("missing"))
    (tmp_path / "link").symlink_to(folder)
    assert remove(tmp_path / "link")
    assert folder.exists()
