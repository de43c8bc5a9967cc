"""Files that --overwrite replaces, files that stay in a model's folder, and refusals."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from running import user_error
from small_models import MODEL_FILES, random_model, tiny_tokenizer

from utils import folders
from utils.models import checkpoint, model_files, saving
from utils.models.checkpoint import Trained
from utils.models.model_card import is_edited, marked
from utils.models.model_files import check_output, is_written, other_files

RUN = {"task": "tweets", "base_model": "tiny", "template": "{prompt}", "arguments": {"search": None}}
EVALUATION = {"model_path": "m", "data_sha256": "0", "split": "test"}
ANSWER = {"row": 1, "reference": "a", "tuned": {}}

SAVED = MODEL_FILES - {"training.svg"}  # which is drawn after the model is saved


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model as a folder and as a file, saved once."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("m", "m.pt"):
        saving.save(folder / name, Trained(random_model("gpt2"), tiny_tokenizer(), RUN), "", marked("# A card\n"))
    return folder


@pytest.fixture
def model(made, tmp_path):
    shutil.copytree(made / "m", tmp_path / "m")
    return tmp_path / "m"


def save_again(path: Path, seed: int = 1) -> None:
    check_output(path, overwrite=True)
    saving.save(path, Trained(random_model("gpt2", seed), tiny_tokenizer(), RUN), "", marked("# A new card\n"))


FOREIGN = {
    "thesis.txt": "years",
    "photos/a.jpg": "a",
    "v2/run.json": json.dumps(RUN),
    "v2/model.safetensors": "another model",
    "data.csv": "text\nhello\n",
    "evaluation.json": '{"accuracy": 1, "by": "another tool"}',
    "answers.jsonl": '{"question": "?"}\n',
    "search.csv": "mine",
    ".git/config": "[core]",
    "mistakes.csv": "written by evaluate_model.py, where its user said",
    "emoji.pkl": "a table",
    ".README.md.lock": "of an editor",
}


@pytest.mark.parametrize("exchanges", [True, False], ids=["exchange", "two renames"])
def test_files_of_others_stay_and_ours_go(exchanges, model, monkeypatch, caplog):
    if not exchanges:
        monkeypatch.setattr(folders, "exchange", lambda *_: False)
    for name, text in FOREIGN.items():
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_text(text)
    (model / "link").symlink_to("/etc")
    (model / ".README.md.abcd1234.part").write_text("of a dead run")
    caplog.set_level("INFO")
    save_again(model)
    assert {name: (model / name).read_text() for name in FOREIGN} == FOREIGN
    assert (model / "link").is_symlink()
    tops = {Path(name).parts[0] for name in FOREIGN} | {"link"}
    assert {path.name for path in model.iterdir()} == SAVED | tops
    assert "fine_tune.py did not write it: .README.md.lock, .git, answers.jsonl, data.csv, emoji.pkl, …" in caplog.text
    assert (model / "README.md").read_text().startswith("# A new card")
    assert [path.name for path in model.parent.iterdir()] == ["m"]
    checkpoint.load(str(model))


def test_our_files_of_the_old_model_are_removed(model):
    run = json.loads((model / "run.json").read_text())
    (model / "run.json").write_text(
        json.dumps({**run, "search": {"trials": 2}, "files": [*run["files"], "odd.vocabulary"]})
    )
    ours = {"evaluation.json": EVALUATION, "answers.jsonl": ANSWER, "search.csv": "", "odd.vocabulary": ""}
    for name, content in ours.items():
        (model / name).write_text(json.dumps(content))
    assert other_files(model) == []
    save_again(model)
    assert {path.name for path in model.iterdir()} == SAVED


def test_a_name_that_run_json_lists_is_no_pattern(model):
    run = json.loads((model / "run.json").read_text())
    (model / "run.json").write_text(json.dumps({**run, "files": [*run["files"], "*", "thesis.???"]}))
    (model / "thesis.txt").write_text("years")
    assert other_files(model) == ["thesis.txt"]


def test_a_model_of_an_earlier_version_lists_no_files(model):
    run = json.loads((model / "run.json").read_text())
    del run["files"]
    (model / "run.json").write_text(json.dumps(run))
    for name in ("vocab.txt", "merges.txt", "model-00001-of-00002.safetensors", "notes.md"):
        (model / name).write_text("")
    assert other_files(model) == ["notes.md"]
    save_again(model)
    assert {path.name for path in model.iterdir()} == SAVED | {"notes.md"}


@pytest.mark.parametrize("name", ["adapter_config.json", "vocab.txt", "pytorch_model.bin", "added_tokens.json"])
def test_a_file_that_would_be_taken_for_a_part_of_the_model_is_refused(name, model):
    (model / name).write_text("{}")
    problem = user_error(check_output, model, True).problem
    assert problem.startswith(f"{model} has {name}, which fine_tune.py did not write")


NOT_OURS = {
    "another tool": '{"other": "tool"}',
    "one field": '{"task": "cook", "time": 3}',
    "a list": '["task", "kind"]',
    "a text": '"task kind template"',
    "no JSON": "task: tweets",
    "empty": "",
    "deep": "[" * 100_000,
    "null": "null",
}


@pytest.mark.parametrize("text", NOT_OURS.values(), ids=NOT_OURS.keys())
def test_a_run_json_of_others_makes_no_folder_ours(text, tmp_path):
    (tmp_path / "m" / "photos").mkdir(parents=True)
    (tmp_path / "m" / "run.json").write_text(text)
    for overwrite in (True, False):
        error = user_error(check_output, tmp_path / "m", overwrite)
        assert error.problem == f"{tmp_path / 'm'} exists, and fine_tune.py did not write it"
        assert "nothing was changed" in error.hint
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["photos", "run.json"]


def other_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", "something else")


def cut_in_half(path):
    path.write_bytes(path.read_bytes()[:5000])


OTHER_PT = {
    "a text": lambda path: path.write_text("my notes"),
    "another archive": other_zip,
    "truncated": cut_in_half,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a device": lambda path: (path.unlink(), path.symlink_to("/dev/null")),
}


@pytest.mark.parametrize("change", OTHER_PT.values(), ids=OTHER_PT.keys())
def test_a_pt_file_of_others_is_refused(change, made, tmp_path):
    path = tmp_path / "m.pt"
    shutil.copy(made / "m.pt", path)
    assert is_written(path)
    change(path)
    assert "exists, and fine_tune.py did not write it" in user_error(check_output, path, True).problem


def test_a_pipe_is_no_file_of_ours(tmp_path):
    (tmp_path / "m").mkdir()
    for name in ("run.json", "README.md"):
        os.mkfifo(tmp_path / "m" / name)
    assert "fine_tune.py did not write it" in user_error(check_output, tmp_path / "m", True).problem
    assert is_edited(tmp_path / "m")


def test_an_empty_file_and_an_empty_folder_are_free(tmp_path):
    (tmp_path / "m.pt").touch()
    (tmp_path / "m").mkdir()
    for name in ("m.pt", "m"):
        check_output(tmp_path / name, overwrite=False)


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="Linux")
def test_a_mount_point_is_refused(model, monkeypatch):
    monkeypatch.setattr(model_files, "is_mount_point", lambda path: path == model)
    error = user_error(check_output, model, True)
    assert "is a mount point" in error.problem
    assert error.hint.endswith(f"--output_path {model}/model")


def test_a_folder_that_its_owner_protects_is_refused(model, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, _: path != model)
    assert "Permission denied" in user_error(check_output, model, True).problem


def test_a_name_that_is_too_long_and_a_circle_are_users_errors(tmp_path):
    (tmp_path / "a").symlink_to("a")
    for name in ("n" * 300, "a", "a/m", "n" * 300 + ".pt"):
        problem = user_error(check_output, tmp_path / name, True).problem
        assert problem.startswith("cannot write ") or "fine_tune.py did not write it" in problem


# ---- model cards that were edited


def test_a_new_model_gets_a_new_card_and_an_edited_one_stays_beside_it(model, caplog):
    save_again(model)
    assert not (model / "README.edited.md").exists()
    for number, name in enumerate(("README.edited.md", "README.edited1.md")):
        with (model / "README.md").open("a") as file:
            file.write(f"Thanks to Zoé {number}.\n")
        save_again(model, seed=number)
        assert f"the model card that {model} had was edited, and is kept as {name}" in caplog.text
        assert (model / name).read_text().endswith(f"Thanks to Zoé {number}.\n")
        assert not is_edited(model)


EDITS = {
    "a line more": lambda card: card + "Thanks.\n",
    "a line less": lambda card: card.replace("# A card\n", ""),
    "one letter": lambda card: card.replace("card", "cart", 1),
    "another license": lambda card: "---\nlicense: mit\n---\n" + card,
    "all new": lambda card: "My model.\n",
    "the mark alone": lambda card: card[:-30] + "0" * 10 + card[-20:],
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_an_edit_is_noticed(edit, model):
    assert not is_edited(model)
    (model / "README.md").write_text(edit((model / "README.md").read_text()))
    assert is_edited(model)


def test_line_ends_are_no_edit(model):
    card = (model / "README.md").read_text()
    (model / "README.md").write_bytes(card.replace("\n", "\r\n").encode())
    assert not is_edited(model)
    (model / "README.md").write_text(card.rstrip("\n"))
    assert not is_edited(model)
    (model / "README.md").unlink()
    assert not is_edited(model)
