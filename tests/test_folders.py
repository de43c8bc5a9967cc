"""A folder is replaced at once: whatever happens meanwhile, one of the two is there whole, and files of others stay."""

import os
import signal
from pathlib import Path

import pytest

from utils import folders
from utils.errors import UserError
from utils.folders import exchange, is_mount_point, new_folder, recover_folder, replace_folder

OLD, NEW = {"run.json": "old", "weights": "old"}, {"run.json": "new", "weights": "new"}
KEPT = {"thesis.txt": "years", "photos/a.jpg": "a", "photos/deep/b.jpg": "b"}


def names(folder: Path = Path()) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def replace(path: Path, kept: tuple[str, ...] = ()) -> None:
    with new_folder(path) as new:
        write(new, NEW)
        replace_folder(new, path, kept)


@pytest.fixture(params=["exchange", "two renames"])
def model(tmp_path, monkeypatch, request):
    """A model's folder with files of its owner, on a system that exchanges names or not."""
    if request.param == "two renames":
        monkeypatch.setattr(folders, "exchange", lambda *_: False)
    write(tmp_path / "m", OLD | KEPT)
    return tmp_path / "m"


def test_this_system_exchanges_names(tmp_path):
    write(tmp_path / "a", {"x": "a"})
    write(tmp_path / "b", {"x": "b"})
    assert exchange(tmp_path / "a", tmp_path / "b")
    assert contents(tmp_path) == {"a/x": "b", "b/x": "a"}
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "a", tmp_path / "none")


def test_the_new_folder_has_the_name_and_files_of_others_stay(model):
    inodes = {name: (model / name).stat().st_ino for name in KEPT}
    (model / "link").symlink_to("thesis.txt")
    (model / "dangling").symlink_to("nowhere")
    os.mkfifo(model / "pipe")
    (model / "photos").chmod(0o500)
    model.chmod(0o750)
    replace(model, ("thesis.txt", "photos", "link", "dangling", "pipe"))
    assert {name: (model / name).stat().st_ino for name in KEPT} == inodes
    assert (model / "link").is_symlink() and (model / "dangling").is_symlink() and (model / "pipe").is_fifo()
    assert (model / "photos").stat().st_mode & 0o777 == 0o500
    assert model.stat().st_mode & 0o777 == 0o750
    assert contents(model) == NEW | KEPT | {"link": "years"}
    assert names(model.parent) == ["m"]


def test_files_are_copied_where_there_are_no_hard_links(model, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(1, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    replace(model, ("thesis.txt", "photos"))
    assert contents(model) == NEW | KEPT


def test_a_file_that_comes_while_the_names_change_is_not_lost(model, monkeypatch):
    real = folders.sync_folder

    def late(folder):
        if folder == model.parent:
            write(folder / ".m.old-model", {"photos/late.jpg": "late", "photos/new/later.jpg": "later"})
        real(folder)

    monkeypatch.setattr(folders, "sync_folder", late)
    replace(model, ("thesis.txt", "photos"))
    assert contents(model) == NEW | KEPT | {"photos/late.jpg": "late", "photos/new/later.jpg": "later"}
    assert names(model.parent) == ["m"]


STEPS = ("mkdir", "link", "symlink", "fsync", "rename", "unlink", "rmdir", "chmod", "exchange")


def steps_until_the_end(path: Path, end: int | None) -> int:
    """Replace the folder in a child that is killed (SIGKILL) before step `end`; return the number of steps."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        count = 0

        def step(*_):
            nonlocal count
            count += 1
            os.write(writing, b".")
            if count == end:
                os.kill(os.getpid(), signal.SIGKILL)

        def stepping(real):
            def call(*args, **options):
                step()
                return real(*args, **options)

            return call

        for name in STEPS:
            where = folders if name == "exchange" else os
            setattr(where, name, stepping(getattr(where, name)))
        try:
            replace(path, ("thesis.txt", "photos"))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        count = len(file.read())
    os.waitpid(child, 0)
    return count


def test_a_kill_at_any_step_leaves_one_of_the_two_folders(model, tmp_path, request):
    total = steps_until_the_end(model, None)
    assert total > 25
    seen = set()
    for end in range(1, total + 1):
        path = tmp_path / str(end) / "m"
        write(path, OLD | KEPT)
        assert steps_until_the_end(path, end) == end
        found = contents(path) if path.exists() else None
        recover_folder(path)
        assert contents(path) in (OLD | KEPT, NEW | KEPT)
        assert found in (None, contents(path))
        seen.add("lost" if found is None else found["run.json"])
        replace(path, ("thesis.txt", "photos"))
        assert contents(path) == NEW | KEPT
        assert names(path.parent) == ["m"]
    assert seen == {"old", "new"} | ({"lost"} if "two renames" in request.node.name else set())


@pytest.mark.parametrize("name", ["fsync", "rename", "link", "mkdir", "chmod"])
def test_an_error_at_any_step_leaves_one_of_the_two_folders(model, tmp_path, monkeypatch, name):
    write(tmp_path / "other" / "m", OLD | KEPT)
    real, calls = getattr(os, name), []
    monkeypatch.setattr(os, name, lambda *args, **options: (calls.append(1), real(*args, **options))[1])
    replace(tmp_path / "other" / "m", ("thesis.txt", "photos"))
    for fails in range(len(calls)):
        path = tmp_path / str(fails) / "m"
        write(path, OLD | KEPT)
        numbers = iter(range(1000))

        def once(*args, numbers=numbers, fails=fails, **options):
            if next(numbers) == fails:
                raise OSError(5, "Input/output error")
            return real(*args, **options)

        monkeypatch.setattr(os, name, once)
        expected = NEW | KEPT
        try:
            replace(path, ("thesis.txt", "photos"))
        except OSError:
            expected = OLD | KEPT
        except UserError as error:
            assert "m is in place, but the disk may lose it" in error.problem
        monkeypatch.setattr(os, name, real)
        assert contents(path) == expected
        assert names(path.parent) == ["m"]


@pytest.mark.parametrize("had", [True, False], ids=["replaced", "new"])
def test_a_folder_that_the_disk_may_lose_is_not_called_unwritten(model, tmp_path, monkeypatch, had):
    def fail(folder):
        if folder == path.parent:
            raise OSError(5, "Input/output error")

    path = model if had else tmp_path / "other"
    monkeypatch.setattr(folders, "sync_folder", fail)
    with pytest.raises(UserError, match="is in place, but the disk may lose it: Input/output error"):
        replace(path)
    assert contents(path) == NEW


def test_a_restored_folder_that_the_disk_may_lose_is_not_called_missing(tmp_path, monkeypatch):
    write(tmp_path, {".m.old-model/run.json": "{}"})
    monkeypatch.setattr(folders, "sync_folder", lambda _: Path("/none").stat())
    with pytest.raises(UserError, match="m is in place, but"):
        recover_folder(tmp_path / "m")
    assert contents(tmp_path / "m") == {"run.json": "{}"}


def test_only_a_folder_that_lost_its_name_is_restored(tmp_path):
    write(tmp_path, {".m.old-model/run.json": "{}", "m/run.json": "new"})
    recover_folder(tmp_path / "m")
    assert contents(tmp_path / "m") == {"run.json": "new"}
    write(tmp_path, {".n.old/run.json": "{}", ".p.old/notes.txt": "a user's"})
    for name in ("n", "p"):
        recover_folder(tmp_path / name)
    assert contents(tmp_path / "n") == {"run.json": "{}"}
    assert not (tmp_path / "p").exists()


def test_a_folder_that_cannot_be_restored_says_how(tmp_path, monkeypatch):
    write(tmp_path, {".m.old-model/run.json": "{}"})
    monkeypatch.setattr(Path, "rename", lambda *_: Path("/none").stat())
    with pytest.raises(UserError, match=r"m is missing, and its old version is in .*\.m\.old-model"):
        recover_folder(tmp_path / "m")


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="Linux")
def test_mount_points():
    assert is_mount_point(Path("/proc"))
    assert is_mount_point(Path("/"))
    assert not is_mount_point(Path(__file__).parent)
