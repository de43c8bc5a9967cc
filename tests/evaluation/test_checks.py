"""Checks before an evaluation: flags, data and model that don't fit each other, and where outputs go by default."""

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest
from evaluation_runs import evaluation_caller, refused, train_writer
from small_models import processed_data

from utils.errors import UsageError, UserError
from utils.evaluation.checks import check_flags, check_not_foreign, check_outputs, default_answers, default_output
from utils.processed import save_processed
from utils.tasks.kinds import KINDS

FAST = ["--num_samples", 3, "--max_new_tokens", 12]


@pytest.fixture(scope="module")
def trained(processed, tmp_path_factory) -> Path:
    return train_writer(tmp_path_factory.mktemp("trained"), processed)


@pytest.fixture
def call(trained, processed, tmp_path, capsys, monkeypatch):
    return evaluation_caller(trained, tmp_path, capsys, monkeypatch, model="mine", data=processed)


def no_flags(**changes) -> Namespace:
    names = {flag for kind in KINDS.values() for flag in kind.evaluation_flags}
    return Namespace(data_path="data.pkl", **{**dict.fromkeys(names), "compare_base": False, **changes})


@pytest.mark.parametrize("kind", KINDS)
def test_a_flag_is_refused_by_the_kinds_that_have_no_use_for_it(kind):
    check_flags(no_flags(), kind)
    for flag in vars(no_flags()).keys() - {"data_path"}:
        if flag in KINDS[kind].evaluation_flags:
            check_flags(no_flags(**{flag: 1}), kind)
        else:
            with pytest.raises(UsageError, match=f"--{flag}"):
                check_flags(no_flags(**{flag: 1}), kind)


def test_a_refused_flag_is_explained():
    with pytest.raises(UsageError) as error:
        check_flags(no_flags(errors_path=Path("m.csv")), "generate")
    expected = (
        "--errors_path is for models that classify texts, give texts several labels, score texts or "
        "write emoji; data.pkl is for models that "
    )
    assert str(error.value).startswith(expected)


def test_default_paths_are_beside_the_model(tmp_path):
    file, elsewhere = tmp_path / "mine.pt", Path("owner/name")
    assert default_output(tmp_path) == tmp_path / "evaluation.json"
    assert default_output(file) == tmp_path / "mine.evaluation.json"
    assert default_output(elsewhere) == Path("evaluation.json")
    assert default_answers(tmp_path, None) == tmp_path / "answers.jsonl"
    assert default_answers(file, None) == tmp_path / "mine.answers.jsonl"
    assert default_answers(elsewhere, None) == Path("answers.jsonl")
    assert default_answers(file, Path("out/it.json")) == Path("out/it.answers.jsonl")


def test_an_output_does_not_replace_an_input_or_another_output(tmp_path):
    data, output = tmp_path / "data.pkl", tmp_path / "evaluation.json"
    data.touch()
    check_outputs([data], [output])
    with pytest.raises(UsageError, match="is named twice"):
        check_outputs([data], [output, tmp_path / "new" / ".." / "evaluation.json"])
    with pytest.raises(UsageError, match=r"data\.pkl would replace .*data\.pkl, which is read"):
        check_outputs([data], [output, data])


@pytest.mark.parametrize("name", ["evaluation.json", "answers.jsonl"])
def test_another_programs_file_by_a_name_that_was_not_chosen_stays(name, tmp_path):
    (tmp_path / name).write_text('{"accuracy": 1}\n')
    with pytest.raises(UserError, match=f"{name} exists, and evaluate_model.py did not write it"):
        check_not_foreign([tmp_path / "new.json", tmp_path / name])
    (tmp_path / name).write_text("")
    check_not_foreign([tmp_path / name])


def test_only_a_file_in_a_default_place_is_checked(call):
    Path("mine/evaluation.json").write_text('{"by": "another tool"}')
    code, out, err = call(*FAST)
    assert (code, out) == (1, "")
    assert "mine/evaluation.json exists, and evaluate_model.py did not write it" in err
    assert Path("mine/evaluation.json").read_text() == '{"by": "another tool"}'
    Path("chosen.json").write_text('{"by": "another tool"}')
    assert call(*FAST, "--output_path", "chosen.json")[0] == 0
    Path("mine/evaluation.json").unlink()
    assert [call(*FAST)[0], call(*FAST)[0]] == [0, 0]


def test_data_that_the_model_was_not_trained_on(call):
    save_processed(
        Path("other.pkl"), processed_data(train=["a b c"], validation=["d"], test=["Tea first", "two words"])
    )
    code, _, err = call(*FAST, data="other.pkl")
    assert code == 0
    assert "warning: mine was trained on a processed pickle other than other.pkl" in err
    assert "warning" not in call(*FAST)[2]
    assert "warning" not in call(*FAST, data="other.pkl", model="tiny")[2]


def test_data_without_test_texts(call):
    save_processed(Path("few.pkl"), processed_data(train=["a"], validation=["b"]))
    refused(call(data="few.pkl"), 3, "few.pkl has no test texts")


def test_data_for_another_kind_of_model(call):
    data = processed_data(train=["a"], validation=["b"], test=["c"])
    save_processed(Path("reviews.pkl"), replace(data, recipe={**data.recipe, "task": "reviews", "kind": "classify"}))
    refused(call(data="reviews.pkl"), 3, "reviews.pkl", "reviews")


def test_a_model_of_another_kind(call):
    run = json.loads(Path("mine/run.json").read_text("utf-8"))
    Path("mine/run.json").write_text(json.dumps({**run, "kind": "classify", "labels": ["a", "b"]}))
    refused(call(), 1, "mine classifies texts instead of writing them")
