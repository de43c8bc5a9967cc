"""One writer for each output: real processes, which are killed too, and threads."""

import errno
import os
import signal
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from utils import locks
from utils.errors import UserError
from utils.locks import one_writer, recover_for_reading


def names(folder: Path = Path()) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def held_by_a_child(path: Path) -> int:
    """Start a process that holds the lock until it is killed; return its number."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        with one_writer(path):
            os.write(writing, b".")
            signal.pause()
    os.close(writing)
    assert os.read(reading, 1) == b"."
    os.close(reading)
    return child


def end(child: int, number: int = signal.SIGKILL) -> None:
    os.kill(child, number)
    os.waitpid(child, 0)


def is_refused(path: Path) -> bool:
    try:
        with one_writer(path):
            return False
    except UserError:
        return True


SPELLINGS = {
    "the same": "m",
    "dots": "other/../m",
    "absolute": "{}/m",
    "slash": "m/",
    "a link": "link",
    "a link to a link": "link2",
    "through a folder that is a link": "here/m",
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
@pytest.mark.parametrize("exists", [True, False], ids=["old", "new"])
def test_the_second_process_is_refused_at_once(spelling, exists, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("other").mkdir()
    Path("link").symlink_to("m")
    Path("link2").symlink_to("link")
    Path("here").symlink_to(".")
    if exists:
        Path("m").mkdir()
    child = held_by_a_child(Path("m"))
    before = names()
    with pytest.raises(UserError) as caught, one_writer(Path(spelling.format(tmp_path))):
        pass
    assert caught.value.exit_code == 1
    assert caught.value.problem.startswith(f"{tmp_path}/m is being written by another run, process {child} on ")
    assert "nothing was changed" in caught.value.hint
    assert names() == before
    assert not is_refused(Path("m2"))
    end(child)
    assert not is_refused(Path(spelling.format(tmp_path)))
    assert ".m.lock" not in names()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["KILL", "TERM"])
def test_a_lock_ends_with_its_process(number, tmp_path):
    child = held_by_a_child(tmp_path / "m")
    assert is_refused(tmp_path / "m")
    end(child, number)
    assert not is_refused(tmp_path / "m")
    assert names(tmp_path) == []


def test_a_child_does_not_hold_the_lock_of_its_dead_parent(tmp_path):
    reading, writing = os.pipe()
    if not (parent := os.fork()):
        with one_writer(tmp_path / "m"):
            if not os.fork():
                os.write(writing, f"{os.getpid()}\n".encode())  # by now its copy of the lock is closed
            signal.pause()
    grandchild = int(os.read(reading, 20))
    end(parent)
    refused = is_refused(tmp_path / "m")
    os.kill(grandchild, signal.SIGKILL)
    assert not refused


def test_a_fork_that_ends_leaves_the_lock(tmp_path):
    with one_writer(tmp_path / "m"):
        if not (child := os.fork()):
            os._exit(0)
        os.waitpid(child, 0)
        assert is_refused(tmp_path / "m")
    assert names(tmp_path) == []


def test_an_error_releases_the_lock(tmp_path):
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), one_writer(tmp_path / "m"):
            raise error
        assert names(tmp_path) == []
    assert not is_refused(tmp_path / "m")


def test_threads_exclude_each_other(tmp_path):
    entered, ready = [], threading.Barrier(8)

    def enter():
        ready.wait()
        with ExitStack() as stack:
            try:
                stack.enter_context(one_writer(tmp_path / "m"))
            except UserError:
                entered.append(False)
            else:
                entered.append(True)
                ready.wait()
                return
        ready.wait()

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entered) == [False] * 7 + [True]
    assert names(tmp_path) == []


def test_processes_that_come_and_go_are_never_two(tmp_path):
    children = []
    for _ in range(4):
        if not (child := os.fork()):
            code = 0
            for _ in range(150):
                try:
                    with one_writer(tmp_path / "m"):
                        try:
                            os.close(os.open(tmp_path / "inside", os.O_CREAT | os.O_EXCL))
                            (tmp_path / "inside").unlink()
                        except OSError:
                            code = 1
                except UserError:
                    pass
            os._exit(code)
        children.append(child)
    assert {os.waitpid(child, 0)[1] for child in children} == {0}
    assert names(tmp_path) == []


def test_several_outputs_are_taken_together_or_not_at_all(tmp_path):
    child = held_by_a_child(tmp_path / "b")
    with pytest.raises(UserError, match="/b is being written"), one_writer(tmp_path / "a", None, tmp_path / "b"):
        pass
    assert not is_refused(tmp_path / "a")
    end(child)
    with one_writer(tmp_path / "a", tmp_path / "a", tmp_path / "b"):
        assert is_refused(tmp_path / "a") and is_refused(tmp_path / "b")


def test_only_the_first_of_several_processes_holds_it(tmp_path, monkeypatch):
    for name, value in {"LOCAL_RANK": "1", "RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    child = held_by_a_child(tmp_path / "m")
    assert names(tmp_path) == []
    end(child)


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    with one_writer(tmp_path / "m"):
        assert names(tmp_path) == []
    assert f"no locks here, so make sure that no other run writes {tmp_path}/m" in caplog.text


def test_a_folder_that_cannot_be_locked_is_left_to_the_writer():
    with one_writer(Path("/proc/none/m")):
        pass


@pytest.mark.parametrize("kind", ["a file", "a link"])
def test_a_file_of_that_name_that_is_no_lock_is_left_alone(kind, tmp_path):
    (tmp_path / "notes").write_text("important")
    path = tmp_path / ".m.lock"
    path.symlink_to("notes") if kind == "a link" else path.write_text("important")
    if kind == "a file":
        assert is_refused(tmp_path / "m")
    else:
        assert not is_refused(tmp_path / "m")
    assert path.read_text() == (tmp_path / "notes").read_text() == "important"


def test_leftovers_of_dead_runs_go_and_others_stay(tmp_path):
    ours = {".m.abc_d123.part": "", ".m.new-model/x": ""}
    others = {".m.original.part.txt": "", ".m.notes": "", ".other.abcd1234.part": "", ".other.new-model/x": ""}
    for name in ours | others:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    child = held_by_a_child(tmp_path / "other")
    assert is_refused(tmp_path / "other")
    with one_writer(tmp_path / "m"):
        pass
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left - {".other.lock"} == {".m.original.part.txt", ".m.notes"}
    end(child)


def test_a_lost_model_is_restored_for_readers_but_not_while_a_run_replaces_it(tmp_path):
    old = tmp_path / ".m.old-model"
    child = held_by_a_child(tmp_path / "m")
    old.mkdir()
    (old / "run.json").write_text("{}")
    recover_for_reading(tmp_path / "m")
    assert old.is_dir()
    end(child)
    recover_for_reading(tmp_path / "m")
    assert (tmp_path / "m" / "run.json").read_text() == "{}"
    assert names(tmp_path) == ["m"]


def test_links_in_circles_are_nobodys_lock(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with one_writer(tmp_path / "a"):
        pass


def test_a_full_disk_leaves_a_lock_without_its_holder(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    path, refused = tmp_path / "model", pytest.raises(UserError, match="is being written by another run")
    with one_writer(path), refused, one_writer(path):
        pass
    assert list(tmp_path.iterdir()) == []
