"""The folders from which runs and searches continue: files that are kept, refusals, folders of earlier versions."""

import json
from pathlib import Path

import pytest
from safetensors import SafetensorError

from utils.errors import UsageError, UserError
from utils.training.state.run_state import (
    begin_run,
    check_run_state,
    explain_state_errors,
    keep_complete_checkpoints,
    resumes_from,
    run_state_folder,
)
from utils.training.state.search_state import begin_search, finish_search, search_folder, search_table_path
from utils.training.state.state_files import remove_run_state


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_earlier_arguments(folder: Path, **flags) -> None:
    """Write arguments.json as versions did that gave runs no id: their states have no progress.json either."""
    write(folder / "arguments.json", json.dumps({"data": "0", "processes": 1, "model_soup": 2, **flags}))


# ---- a training run


def test_only_complete_checkpoints_are_kept(tmp_path):
    folder = run_state_folder(tmp_path / "mine.pt")
    write_earlier_arguments(folder)
    for name in ("checkpoint-2/trainer_state.json", "checkpoint-4/model.safetensors"):
        write(folder / name)
    assert keep_complete_checkpoints(folder)
    assert names_in(folder) == {"arguments.json", "checkpoint-2"}
    (folder / "checkpoint-2/trainer_state.json").unlink()
    assert not keep_complete_checkpoints(folder)
    assert not folder.exists()


def test_weights_that_were_being_written_when_a_run_was_killed_go_with_its_state(tmp_path):
    """safetensors writes .tmp and six letters, and renames it."""
    begin_run(tmp_path / "state", {"model_soup": 1}, "0", resume=False)
    run = json.loads((tmp_path / "state/arguments.json").read_text())["run"]
    write(tmp_path / "state/checkpoint-7/progress.json", json.dumps({"run": run}))
    write(tmp_path / "state/checkpoint-7/.tmpXjSh4G", "half of the weights")
    write(tmp_path / "state/.tmp0aB3cD", "half of a run of a soup")
    remove_run_state(tmp_path / "state")
    assert names_in(tmp_path) == set()


def test_the_weights_of_a_finished_run_of_a_soup_are_kept(tmp_path):
    write_earlier_arguments(tmp_path)
    write(tmp_path / "run-1.safetensors")
    write(tmp_path / "checkpoint-4/model.safetensors")
    assert keep_complete_checkpoints(tmp_path)
    assert names_in(tmp_path) == {"arguments.json", "run-1.safetensors"}


@pytest.mark.parametrize("state", ["checkpoint-7/trainer_state.json", "run-1.safetensors"])
def test_an_interrupted_run_is_only_lost_with_overwrite(tmp_path, state):
    folder = tmp_path / "mine.training"
    check_run_state(folder, resume=False, overwrite=False)
    write_earlier_arguments(folder)
    check_run_state(folder, resume=False, overwrite=False)
    write(folder / state)
    with pytest.raises(UserError, match="an interrupted run left its state"):
        check_run_state(folder, resume=False, overwrite=False)
    check_run_state(folder, resume=True, overwrite=False)
    check_run_state(folder, resume=False, overwrite=True)


def test_an_interrupted_run_may_continue_with_other_flags_for_the_cache(tmp_path):
    flags = {"epochs": 2, "prefix_cache": "auto", "prefix_cache_gb": 8.0, "keep_prefix_cache": False}
    begin_run(tmp_path / "state", flags, "0", resume=False)
    others = {"prefix_cache": "off", "prefix_cache_gb": 1.0, "keep_prefix_cache": True}
    begin_run(tmp_path / "state", flags | others, "0", resume=True)
    with pytest.raises(UserError, match="epochs"):
        begin_run(tmp_path / "state", flags | {"epochs": 3}, "0", resume=True)


def test_a_soup_continues_that_was_killed_while_it_removed_the_states_of_a_run(tmp_path):
    begin_run(tmp_path, {"model_soup": 2}, "0", resume=False)
    run = json.loads((tmp_path / "arguments.json").read_text())["run"]
    write(tmp_path / "run-1.safetensors", "cut")
    write(tmp_path / "checkpoint-7/progress.json", json.dumps({"run": run, "seed": 42}))
    begin_run(tmp_path, {"model_soup": 2}, "0", resume=True)
    assert names_in(tmp_path) == {"arguments.json", "run-1.safetensors", "checkpoint-7"}


def test_a_state_with_the_old_names_of_flags_continues(tmp_path):
    write(tmp_path / "arguments.json", json.dumps({"seed": 1, "average_runs": 2, "data": "0", "processes": 1}))
    begin_run(tmp_path, {"seed": 1, "model_soup": 2}, "0", resume=True)
    with pytest.raises(UsageError, match=r"\{'model_soup': 2\}.*\{'model_soup': 3\}"):
        begin_run(tmp_path, {"seed": 1, "model_soup": 3}, "0", resume=True)


@pytest.mark.parametrize(
    "error", [OSError("No space left"), RuntimeError("inline_container.cc: write failed"), SafetensorError("I/O error")]
)
def test_a_full_disk_is_explained(error, tmp_path):
    with pytest.raises(UserError, match="cannot be written or read: ") as raised, explain_state_errors(tmp_path):
        raise error
    assert "free some space" in raised.value.hint


def test_another_error_is_a_bug(tmp_path):
    with pytest.raises(RuntimeError, match="shapes"), explain_state_errors(tmp_path):
        raise RuntimeError("shapes cannot be multiplied")


@pytest.mark.parametrize("content", ["", '{"seed": 1', "[]", "null"])
def test_damaged_arguments_are_named(content, tmp_path):
    write(tmp_path / "arguments.json", content)
    with pytest.raises(UserError, match=r"arguments\.json is damaged"):
        begin_run(tmp_path, {"seed": 1}, "0", resume=True)


# ---- a search


def test_only_the_same_search_continues(tmp_path):
    folder, space = tmp_path / "model.search", {"epochs": [1, 4]}
    flags = {"seed": 1, "search": 4, "output_path": Path("model")}

    def begin(**changes):
        options = {"flags": flags, "space": space, "data_sha256": "0", "overwrite": False}
        begin_search(folder, **options | changes)

    begin()
    (folder / "study.db").touch()
    begin()
    begin(flags=flags | {"search": 9, "output_path": Path("./model")}, overwrite=True)
    for change in ({"flags": flags | {"seed": 2}}, {"space": {"epochs": [1, 5]}}, {"data_sha256": "1"}):
        with pytest.raises(UsageError, match="has a search with other settings"):
            begin(**change)
    assert names_in(folder) == {"arguments.json", "study.db"}
    begin(flags=flags | {"seed": 2}, overwrite=True)
    assert names_in(folder) == {"arguments.json"}


def test_a_search_with_the_old_names_of_flags_continues(tmp_path):
    write(tmp_path / "arguments.json", json.dumps({"average_runs": 1, "data": "0", "searched": {}}))
    write(tmp_path / "study.db", "trials")
    begin_search(tmp_path, {"model_soup": 1, "search": 4}, {}, "0", overwrite=False)
    assert names_in(tmp_path) == {"arguments.json", "study.db"}


@pytest.mark.parametrize(("output", "table"), [("mine", "mine/search.csv"), ("mine.pt", "mine.search.csv")])
def test_the_table_is_what_a_search_leaves(tmp_path, output, table):
    output = tmp_path / output
    write(search_folder(output) / "arguments.json", json.dumps({"data": "0", "searched": {}}))
    write(search_folder(output) / "search.csv", "number\n1\n")
    write(search_folder(output) / "study.db")
    finish_search(output)
    assert search_table_path(output) == tmp_path / table
    assert (tmp_path / table).read_text() == "number\n1\n"
    assert not search_folder(output).exists()


def test_a_state_without_the_flags_of_today_continues_where_they_change_nothing(tmp_path):
    write(tmp_path / "arguments.json", json.dumps({"epochs": 2, "data": "0", "processes": 1}))
    flags = {"epochs": 2, "lr_scheduler_type": "linear", "eval_strategy": None}
    begin_run(tmp_path, flags, "0", resume=True)
    with pytest.raises(UsageError, match="lr_scheduler_type"):
        begin_run(tmp_path, flags | {"lr_scheduler_type": "cosine"}, "0", resume=True)


@pytest.mark.parametrize("named", ["m.training", "m.training/checkpoint-20", "./m.training/"])
def test_the_newest_state_may_be_named(tmp_path, monkeypatch, named):
    monkeypatch.chdir(tmp_path)
    for step in (3, 20):
        (tmp_path / "m.training" / f"checkpoint-{step}").mkdir(parents=True)
    assert resumes_from(named, Path("m.training")) is True


@pytest.mark.parametrize("named", ["m.training/checkpoint-3", "other.training/checkpoint-20", "m", "checkpoint-20"])
def test_another_state_is_refused(tmp_path, monkeypatch, named):
    monkeypatch.chdir(tmp_path)
    for step in (3, 20):
        (tmp_path / "m.training" / f"checkpoint-{step}").mkdir(parents=True)
    with pytest.raises(UsageError, match="checkpoint-20"):
        resumes_from(named, Path("m.training"))
    with pytest.raises(UsageError, match="--output_path that was interrupted"):
        resumes_from(named, Path("new.training"))


@pytest.mark.parametrize("resume", [True, False])
def test_resuming_without_a_name(tmp_path, resume):
    assert resumes_from(resume, tmp_path) is resume


def test_a_state_that_cannot_be_removed_is_not_mixed_with_a_new_one(tmp_path, monkeypatch):
    folder = tmp_path / "model.training"
    (folder / "checkpoint-1").mkdir(parents=True)
    (folder / "arguments.json").write_text('{"data": "", "processes": 1}')
    (folder / "checkpoint-1" / "trainer_state.json").write_text("{}")
    monkeypatch.setattr("utils.training.state.state_files.remove", lambda path: False)
    with pytest.raises(UserError, match=r"earlier run's state in .*model\.training cannot be removed"):
        begin_run(folder, {}, "1" * 64, resume=False)
    monkeypatch.undo()
    begin_run(folder, {}, "1" * 64, resume=False)
    assert [entry.name for entry in folder.iterdir()] == ["arguments.json"]
