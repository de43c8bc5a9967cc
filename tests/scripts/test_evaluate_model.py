"""evaluate_model.py: the paths of its outputs, the model card, and bad input."""

import json
import shutil
from pathlib import Path

import pytest
from evaluation_runs import evaluation_caller, refused, train_writer

from utils.models import checkpoint

FAST = ["--num_samples", 3, "--max_new_tokens", 12]


@pytest.fixture(scope="module")
def trained(processed, tmp_path_factory) -> Path:
    return train_writer(tmp_path_factory.mktemp("trained"), processed)


@pytest.fixture
def call(trained, processed, tmp_path, capsys, monkeypatch):
    return evaluation_caller(trained, tmp_path, capsys, monkeypatch, model="mine", data=processed)


def test_json_is_the_file_and_nothing_else(call):
    code, out, err = call("--json", *FAST)
    assert code == 0
    assert out == Path("mine/evaluation.json").read_text("utf-8")
    assert json.loads(out)["model_path"] == "mine"
    assert "error" not in err


def test_the_output_goes_to_the_given_path(call):
    assert call("--output_path", "figures/mine.json", *FAST, model="mine.pt")[0] == 0
    assert json.loads(Path("figures/mine.json").read_text("utf-8"))["model_path"] == "mine.pt"
    assert list(Path().glob("*.evaluation.json")) == []


def test_the_card_of_a_model_shows_the_figures(call):
    before = Path("mine/README.md").read_text("utf-8")
    assert "has not been measured" in before
    assert call(*FAST)[0] == 0
    card = Path("mine/README.md").read_text("utf-8")
    perplexity = json.loads(Path("mine/evaluation.json").read_text("utf-8"))["tuned"]["perplexity"]["value"]
    assert "has not been measured" not in card
    assert f"{perplexity:,.2f} [" in card
    assert checkpoint.load("mine").run["base_model"] == "tiny"  # the model is the same as before


def test_an_edited_card_stays_as_it_is_with_a_word(call):
    assert call(*FAST)[0] == 0
    with Path("mine/README.md").open("a") as file:
        file.write("Thanks to Zoé.\n")
    edited = Path("mine/README.md").read_bytes()
    status, _, err = call(*FAST)
    assert status == 0
    assert "warning: mine/README.md was edited, so it is kept; the figures are in mine/evaluation.json" in err
    assert Path("mine/README.md").read_bytes() == edited
    Path("mine/README.md").unlink()
    assert call(*FAST)[0] == 0
    assert "has not been measured" not in Path("mine/README.md").read_text("utf-8")


def test_the_card_of_a_model_from_elsewhere_stays_as_it_is(call):
    shutil.copytree("mine", "theirs")
    Path("theirs/run.json").unlink()
    Path("theirs/README.md").write_text("Ada's model")
    assert call(*FAST, model="theirs")[0] == 0
    assert Path("theirs/README.md").read_text() == "Ada's model"


def test_a_model_that_is_not_there(call):
    hint = refused(call(model="none.pt"), 1, "there is no model at none.pt")
    assert "fine_tune.py" in hint


def test_a_model_with_a_file_missing(call):
    Path("mine/tokenizer.json").unlink()
    refused(call(), 1, "tokenizer.json missing")


def test_a_truncated_model(call):
    Path("mine.pt").write_bytes(Path("mine.pt").read_bytes()[:1000])
    refused(call(model="mine.pt"), 1, "mine.pt", "truncated")


def test_data_that_is_not_there(call):
    hint = refused(call(data="none.pkl"), 3, "none.pkl does not exist")
    assert "preprocess.py" in hint


def test_a_model_without_a_base(call):
    hint = refused(call("--compare_base", model="tiny"), 1, "tiny does not name its base model")
    assert "--compare_base" in hint


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["--num_samples", "0"], 2, "--num_samples"),
        (["--precision", "fp16"], 2, "--precision"),
        (["--compare_to", "x"], 2, "unknown flag --compare_to"),
        (["--output_path", "mine"], 1, "mine is a folder"),
        (["--output_path", "mine.pt/figures.json"], 1, "cannot write mine.pt/figures.json"),
    ],
)
def test_flags_that_make_no_sense(call, words, code, expected):
    refused(call(*words, model="mine.pt"), code, expected)
