"""run.json: every kind's is read as it was written."""

import json

import pytest
from running import user_error

from utils.models.run_file import RECORD, check_record, read_run

COMMON = {"template": "{prompt}", "base_model": "tiny", "cleaning": None, "labels": None}
EMOJI = {
    "targets": [["1F600", "😀", "Smileys", "1F600"], ["1F1EB", "🇫🇷", None, "1F1EB"]],
    "descriptions": [["a", "😀"]],
}


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "instruct", "task": "alpaca"},
        {"kind": "emoji", "task": "emoji", **EMOJI},
        {"kind": "generate", "task": "tweets", "cleaning": {}},
        {"kind": "classify", "task": "reviews", "cleaning": {}, "labels": ["0", "1"]},
    ],
    ids=["instruct", "emoji", "generate", "classify"],
)
def test_a_run_file_by_fine_tune_is_complete(tmp_path, fields):
    (tmp_path / "run.json").write_text(json.dumps(COMMON | fields), encoding="utf-8")
    assert read_run(tmp_path / "run.json") == COMMON | fields


def test_a_cleaning_that_is_no_choice_is_refused(tmp_path):
    fields = {"kind": "generate", "task": "tweets", "cleaning": {"case": "upper"}}
    (tmp_path / "run.json").write_text(json.dumps(COMMON | fields), encoding="utf-8")
    assert "case is 'upper', not one of keep, lower" in user_error(read_run, tmp_path / "run.json").problem


def test_a_part_of_a_token_is_refused(tmp_path):
    fields = {"kind": "generate", "task": "tweets", "cleaning": {}, "sampling": {"top_k": 1.5}}
    (tmp_path / "run.json").write_text(json.dumps(COMMON | fields), encoding="utf-8")
    assert "sampling: top_k is 1.5" in user_error(read_run, tmp_path / "run.json").problem


@pytest.mark.parametrize(
    ("kind", "calibration"),
    [("multilabel", {}), ("multilabel", None), ("classify", {"thresholds": [0.5, 0.5]}), ("score", {"thresholds": []})],
)
def test_thresholds_of_another_kind_of_model_are_refused(tmp_path, kind, calibration):
    labels = ["0", "1"] if kind != "score" else []
    fields = {"kind": kind, "task": "reviews", "cleaning": {}, "labels": labels, "calibration": calibration}
    (tmp_path / "run.json").write_text(json.dumps(COMMON | fields), encoding="utf-8")
    assert "thresholds are for 'multilabel' alone" in user_error(read_run, tmp_path / "run.json").problem


@pytest.mark.parametrize("threshold", [{}, {"threshold": 5}])
def test_a_mixture_without_a_probability_to_decide_at_is_refused(tmp_path, threshold):
    mixed = {"used": True, "exponents": {"model": 1.0, "tfidf": 0.5}, **threshold}
    fields = {"kind": "classify", "task": "reviews", "cleaning": {}, "labels": ["0", "1"], "baseline": mixed}
    (tmp_path / "run.json").write_text(json.dumps(COMMON | fields), encoding="utf-8")
    assert "baseline: the threshold" in user_error(read_run, tmp_path / "run.json").problem


SOURCE = {"path": "a.csv", "rows": 9, "sha256": "0"}
WHOLE = {field: dict.fromkeys(parts, "x") for field, parts in RECORD.items()}
WHOLE["data"]["sources"] = [SOURCE]


def test_a_complete_run_file_has_all_that_model_cards_need():
    check_record("m", WHOLE)
    check_record("m", WHOLE | {"cleaning": None})  # of instructions


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arguments": {}}, "output_path in arguments"),
        ({"arguments": None}, "output_path in arguments"),
        ({"data": {**WHOLE["data"], "sources": [{"path": "a.csv"}]}}, "sources have no path, rows and sha256"),
    ],
    ids=["empty", "null", "sources"],
)
def test_entries_that_model_cards_lack_are_named(changes, words):
    assert words in user_error(check_record, "m", WHOLE | changes).problem


@pytest.mark.parametrize("field", sorted(RECORD))
def test_a_field_that_model_cards_lack_is_named(field):
    rest = {name: value for name, value in WHOLE.items() if name != field}
    assert f"it lacks {field}" in user_error(check_record, "m", rest).problem
