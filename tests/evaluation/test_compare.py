"""evaluate_model.py --compare: the order, the table, and files that don't fit."""

import json
from pathlib import Path

import pytest
from running import assert_one_error, run_script

import evaluate_model


def figure(value: float) -> dict:
    return {"value": value, "low": value - 0.02, "high": value + 0.01}


def classifier(name: str, macro_f1: float, **changes) -> dict:
    return {
        "kind": "classify",
        "model_path": f"models/{name}",
        "base_model": name,
        "data_sha256": "ab" * 32,
        "tuned": {
            "accuracy": figure(0.9),
            "macro_f1": figure(macro_f1),
            "roc_auc": figure(0.95),
            "expected_calibration_error": figure(0.03),
        },
        "baselines": {"tfidf_logistic_regression": {"accuracy": figure(0.82)}},
        **changes,
    }


def writer(name: str, bits_per_byte: float, **changes) -> dict:
    return {
        "model_path": f"models/{name}",
        "base_model": name,
        "data_sha256": "ab" * 32,
        "tuned": {
            "perplexity": figure(20.0),
            "bits_per_byte": figure(bits_per_byte),
            "token_accuracy": figure(0.4),
        },
        **changes,
    }


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")  # tests/terminal/test_tables.py has tables on narrow ones


@pytest.fixture
def compare(tmp_path, capsys, monkeypatch):
    """Write evaluations to files 0.json, 1.json, … and compare them: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def comparing(*evaluations, words=()):
        names = [f"{number}.json" for number in range(len(evaluations))]
        for name, evaluation in zip(names, evaluations, strict=True):
            Path(name).write_text(evaluation if isinstance(evaluation, str) else json.dumps(evaluation), "utf-8")
        code = run_script(evaluate_model.main, "--compare", *names, *words)
        return code, *capsys.readouterr()

    return comparing


def test_the_best_classifier_comes_first(compare):
    code, out, err = compare(classifier("gpt2", 0.85), classifier("smollm2", 0.91), classifier("bert", 0.88))
    assert (code, err) == (0, "")
    header, _, *rows = out.splitlines()[2:]
    assert header.split("  ")[0] == "model"
    assert all(
        title in header
        for title in ("base model", "macro F1", "accuracy", "ROC-AUC", "expected calibration error", "TF-IDF accuracy")
    )
    assert [row.split()[:2] for row in rows] == [
        ["models/smollm2", "smollm2"],
        ["models/bert", "bert"],
        ["models/gpt2", "gpt2"],
    ]
    assert "0.910 [0.890, 0.920]" in rows[0]
    assert rows[0].endswith("0.820 [0.800, 0.830]")


def test_the_writer_with_the_fewest_bits_comes_first(compare):
    code, out, err = compare(writer("gpt2", 1.5), writer("smollm2", 1.25, base_model=None))
    assert (code, err) == (0, "")
    rows = out.splitlines()[4:]
    assert [row.split()[:2] for row in rows] == [["models/smollm2", "–"], ["models/gpt2", "gpt2"]]
    assert "1.2500 [1.2300, 1.2600]" in rows[0]
    assert "20.00 [19.98, 20.01]" in rows[0]


def test_json_holds_the_same(compare):
    code, out, _ = compare(classifier("gpt2", 0.85), classifier("bert", 0.88), words=["--json"])
    assert code == 0
    found = json.loads(out)
    assert found["kind"] == "classify"
    assert [model["file"] for model in found["models"]] == ["1.json", "0.json"]
    assert found["models"][1] == {
        "file": "0.json",
        "model_path": "models/gpt2",
        "base_model": "gpt2",
        "data_sha256": "ab" * 32,
        "figures": {
            "macro_f1": figure(0.85),
            "accuracy": figure(0.9),
            "roc_auc": figure(0.95),
            "expected_calibration_error": figure(0.03),
        },
        "baseline_accuracy": figure(0.82),
    }


def test_an_area_that_could_not_be_measured_is_a_gap(compare):
    evaluation = classifier("gpt2", 0.85)
    evaluation["tuned"]["roc_auc"] = None
    code, out, _ = compare(evaluation)
    assert code == 0
    assert " – " in out.splitlines()[-1]


def test_figures_of_different_test_data_are_shown_with_a_warning(compare):
    other = classifier("bert", 0.88, data_sha256="cd" * 32)
    code, out, err = compare(classifier("gpt2", 0.85), other, classifier("smollm2", 0.9))
    assert code == 0
    assert len(out.splitlines()) == 7
    assert err.splitlines() == [
        "warning: 0.json and 1.json were measured on different test data, so their figures cannot be compared"
    ]


def test_files_of_two_kinds_are_refused(compare):
    code, out, err = compare(classifier("gpt2", 0.85), writer("gpt2", 1.5))
    assert (code, out) == (3, "")
    hint = assert_one_error(err, "0.json evaluates a model that classifies texts", "1.json a model that writes texts")
    assert "one kind" in hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "damaged"),
        ('{"kind": "classify", ', "damaged"),
        ("[1, 2]", "not an evaluation of a model"),
        ('"text"', "not an evaluation of a model"),
        ('{"kind": "other"}', "not an evaluation of a model"),
        ('{"kind": ["classify"]}', "not an evaluation of a model"),
        ("{}", "model_path is missing"),
        (json.dumps(writer("gpt2", 1.5, data_sha256=None)), "data_sha256 is missing"),
        (json.dumps(writer("gpt2", 1.5, tuned=7)), "tuned.bits_per_byte is missing"),
        (json.dumps(classifier("gpt2", 0.8, tuned={"macro_f1": {"value": "high"}})), "tuned.macro_f1 is missing"),
        (json.dumps(classifier("gpt2", 0.8, baselines={})), "baselines.tfidf_logistic_regression.accuracy is missing"),
    ],
)
def test_a_file_that_is_not_an_evaluation(compare, text, expected):
    code, out, err = compare(classifier("bert", 0.9), text)
    assert (code, out) == (3, "")
    hint = assert_one_error(err, "1.json", expected)
    assert "evaluate_model.py" in hint


def test_a_file_that_is_not_text(compare, tmp_path):
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    code, out, err = compare(words=["bytes.json"])
    assert (code, out) == (3, "")
    assert_one_error(err, "bytes.json is damaged")


def test_files_that_are_not_there(compare, tmp_path):
    code, out, err = compare(classifier("bert", 0.9), words=["none.json"])
    assert (code, out) == (3, "")
    assert_one_error(err, "none.json does not exist")
    (tmp_path / "folder").mkdir()
    assert_one_error(compare(words=["folder"])[2], "cannot read folder")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--compare"], "--compare"),
        (["--compare", "0.json", "--data", "data.pkl"], "--data_path has no use"),
        (["--compare", "0.json", "--output_path", "all.json"], "--output_path has no use"),
        (["--compare", "0.json", "--errors_path", "all.csv"], "--errors_path has no use"),
        ([], "required: --data_path"),
    ],
)
def test_flags_that_make_no_sense(tmp_path, capsys, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    assert run_script(evaluate_model.main, *words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert_one_error(err, expected)
    assert list(tmp_path.iterdir()) == []
