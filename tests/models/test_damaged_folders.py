"""No damaged folder gives a traceback, runs code or asks a question; unusual good ones open. See `damaged_folders`."""

import io
import shutil
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
import transformers
from damaged_folders import DAMAGED, UNUSUAL, RunsCode, config, good_folder
from running import run_script, user_error
from small_models import random_model

import classify
import evaluate_model
import fine_tune
import generate
from utils.models import checkpoint
from utils.models.folder_checks import check_files

SCRIPTS = {
    "generate": (generate.main, ["--prompt", "a", "--model_path"]),
    "classify": (classify.main, ["--text", "a", "--model_path"]),
    "evaluate": (evaluate_model.main, ["--data", "{data}", "--model_path"]),
    "fine_tune": (fine_tune.main, ["--data", "{data}", "--output_path", "{output}", "--model"]),
}
pytestmark = pytest.mark.usefixtures("_no_progress_bars", "_only_errors")


@pytest.fixture(scope="module")
def _only_errors():
    """The log level of transformers in the scripts, which set it before the import."""
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    yield
    transformers.logging.set_verbosity(before)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return good_folder(tmp_path_factory.mktemp("zoo") / "good")


@pytest.fixture
def folder(good, tmp_path, monkeypatch):
    """A good folder of its own for each test, and stdin where a question would be answered with yes."""
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 9))
    monkeypatch.setattr(RunsCode, "trap", tmp_path / "trap")
    return shutil.copytree(good, tmp_path / "model")


def assert_refused(name, script, folder, processed, capfd):
    main, words = SCRIPTS[script]
    words = [word.format(data=processed, output=folder.parent / "new") for word in words]
    capfd.readouterr()
    code = run_script(main, *words, folder)
    out, err = capfd.readouterr()
    lines = [line for line in err.splitlines() if not line.startswith("base model ")]
    assert (code, out) == (1, ""), (name, err)
    assert [line.partition(": ")[0] for line in lines] == ["error", "hint"], err
    assert not RunsCode.trap.exists()


@pytest.mark.parametrize(("number", "name"), [*enumerate(DAMAGED)], ids=list(DAMAGED))
def test_a_damaged_folder_is_one_error(number, name, folder, processed, capfd):
    change, word = DAMAGED[name]
    change(folder)
    assert word in user_error(checkpoint.load, str(folder)).problem
    assert_refused(name, list(SCRIPTS)[number % len(SCRIPTS)], folder, processed, capfd)


@pytest.mark.parametrize("script", list(SCRIPTS))
def test_every_script_refuses_in_two_lines(script, folder, processed, capfd):
    config(n_head=3)(folder)
    assert_refused("heads", script, folder, processed, capfd)


def test_a_folder_that_may_be_listed_and_not_entered(folder, monkeypatch):
    monkeypatch.setattr(Path, "stat", Mock(side_effect=PermissionError(13, "Permission denied")))
    assert user_error(check_files, folder).problem.endswith("cannot be read: Permission denied")


@pytest.mark.parametrize("name", list(UNUSUAL))
def test_an_unusual_folder_is_opened(name, folder):
    UNUSUAL[name](folder)
    text = torch.arange(9)[None]
    assert torch.equal(checkpoint.load(str(folder)).model(text).logits, random_model("gpt2")(text).logits)


def test_a_bug_of_ours_keeps_its_traceback(folder, monkeypatch):
    from utils.models import tokenization

    monkeypatch.setattr(tokenization, "context_length", lambda model: 1 / 0)
    monkeypatch.setattr("utils.models.model_checks.context_length", tokenization.context_length)
    with pytest.raises(ZeroDivisionError):
        checkpoint.load(str(folder))
