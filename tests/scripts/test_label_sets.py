"""`--labels multi` through all scripts: raw labels → pickle → model → labels of texts → figures and the page."""

import csv
import json
import pickle

import numpy as np
import pytest
from running import assert_one_error, run_script
from sklearn.metrics import f1_score
from trained_classifiers import FAST, trained

import classify
import evaluate_model
import fine_tune
import preprocess
from utils.processed import load_processed

NAMES = ["fast", "heavy", "red"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of texts that name their labels, of which each text has up to three."""
    path = tmp_path_factory.mktemp("labels") / "things.csv"
    rows = []
    for number in range(320):
        labels = [name for place, name in enumerate(NAMES) if number >> place & 1]
        rows.append((f"a {' '.join(labels)} thing, number {number}", ";".join(labels) or ";"))
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("review", "labels"), *rows])
    return path


@pytest.fixture(scope="module")
def data(table):
    path = table.with_name("things.pkl")
    words = ["--task", "reviews", "--labels", "multi", "--data", table, "--model", "tiny", "--output_path", path]
    assert run_script(preprocess.main, *words, "--near_duplicates", "off") == 0
    return path


@pytest.fixture(scope="module", params=["gpt2", "bert"])
def model(request, data):
    return trained(request.param, data)


def test_the_pickle_has_tuples_that_any_python_reads(data):
    content = pickle.loads(data.read_bytes())
    assert (content["recipe"]["kind"], content["recipe"]["labels"]) == ("multilabel", NAMES)
    labels = content["splits"]["train"]["label"]
    assert {type(each) for each in labels} == {tuple}
    assert ("fast", "heavy", "red") in labels
    assert () in labels
    assert sum(content["audit"]["without_label"].values()) == 40
    assert sum(content["audit"]["labels"]["red"].values()) == 160


def test_true_labels_may_be_columns_of_yes_and_no(model, tmp_path, capsys):
    """The figures are those of the same labels in one column; a row whose cells are all empty has no true labels."""
    texts = ["a fast thing", "a heavy red thing", "a thing", "a red thing"]
    rows = [[text, *("1" if name in text else "" for name in NAMES)] for text in texts]
    rows = [row if any(row[1:]) else [row[0], *"000"] for row in rows] + [["red and unlabelled", "", "", ""]]
    (tmp_path / "one.csv").write_text(
        "".join(f"{row}\n" for row in ["review,labels", *_in_one_column(texts), "red and unlabelled,"])
    )
    (tmp_path / "three.csv").write_text("".join(f"{','.join(row)}\n" for row in [["review", *NAMES], *rows]))
    capsys.readouterr()
    results = []
    for name, words in (("one", []), ("three", ["--label_column", "red, fast,heavy"])):
        flags = ["--data", tmp_path / f"{name}.csv", "--output_path", tmp_path / f"{name}.out.csv", "--json"]
        assert run_script(classify.main, "--model_path", model, *flags, *FAST, *words) == 0
        printed = capsys.readouterr()
        results.append(json.loads(printed.out)["scores"])
    assert "the labels in columns 'red', 'fast' and 'heavy'" in printed.err
    assert results[0] == results[1]
    assert (results[0]["rows"], results[0]["per_label"]["red"]["rows"]) == (4, 2)


def _in_one_column(texts):
    return [f"{text},{';'.join(name for name in NAMES if name in text) or ';'}" for text in texts]


@pytest.mark.parametrize(
    ("column", "cell", "code", "words"),
    [
        ("fast,heavy", "1", 2, "names no column for 'red'"),
        ("fast,heavy,blue", "1", 3, "there is no column 'blue'"),
        ("fast,heavy,red,", "1", 2, "has a comma without a column before or after it"),
        ("fast,heavy,red", "perhaps", 3, "column 'red' holds 'perhaps' in row 2, expected 0 or 1"),
    ],
)
def test_columns_of_yes_and_no_that_are_wrong_are_refused(model, tmp_path, capsys, column, cell, code, words):
    data, output = tmp_path / "a.csv", tmp_path / "out.csv"
    data.write_text(f"review,fast,heavy,red\na thing,0,1,0\na red thing,0,0,{cell}\n")
    flags = ["--model_path", model, "--data", data, "--label_column", column, "--output_path", output]
    assert run_script(classify.main, *flags, *FAST) == code
    assert_one_error(capsys.readouterr().err, words)
    assert not output.exists()


def test_any_tool_gives_the_probabilities_that_classify_gives(model, data):
    from transformers import pipeline

    config = json.loads((model / "config.json").read_text())
    assert (config["problem_type"], list(config["id2label"].values())) == ("multi_label_classification", NAMES)
    thresholds = json.loads((model / "run.json").read_text())["calibration"]["thresholds"]
    assert config["thresholds"] == dict(zip(NAMES, thresholds, strict=True))
    texts = load_processed(data).splits["test"].prompt[:5]
    found = classify.classify(texts, model, precision="fp32", device="cpu")
    other = pipeline("text-classification", model=str(model), truncation=True, top_k=None, device="cpu")
    for record, scores in zip(found, other(texts), strict=True):
        assert record.keys() == {"text", "labels", "probabilities"}
        expected = {each["label"]: each["score"] for each in scores}
        assert record["probabilities"] == pytest.approx(expected, abs=1e-5)
        assert record["labels"] == [
            name for name in NAMES if record["probabilities"][name] >= config["thresholds"][name]
        ]


def test_evaluation_measures_what_classify_gives(model, data, capsys):
    errors = data.with_name("errors.csv")
    words = ["--model_path", model, "--data", data, "--device", "cpu", "--report", "--overwrite"]
    capsys.readouterr()
    assert run_script(evaluate_model.main, *words, "--errors_path", errors) == 0
    shown = capsys.readouterr().out
    evaluation = json.loads((model / "evaluation.json").read_text())
    test = load_processed(data).splits["test"]
    found = classify.classify(test.prompt, model, precision="fp32", device="cpu")
    true, predicted = (
        np.array([[name in of_text for name in NAMES] for of_text in each])
        for each in (test.label, [record["labels"] for record in found])
    )
    for average in ("macro", "micro"):
        expected = f1_score(true, predicted, average=average, zero_division=0)
        assert evaluation["tuned"][f"{average}_f1"]["value"] == pytest.approx(expected)
    assert evaluation["tuned"]["macro_f1"]["value"] > evaluation["baselines"]["most_frequent"]["macro_f1"]["value"]
    assert f"{evaluation['tuned']['micro_f1']['value']:.3f}" in shown
    page = (model / "report.html").read_text()
    assert "Results by label" in page
    assert "Labels per text" in page
    with errors.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == evaluation["mistakes"] == int((true != predicted).any(axis=1).sum())
    assert "| red |" in (model / "README.md").read_text()


def test_a_file_gets_labels_and_is_compared_with_its_own(model, table, tmp_path, capsys):
    capsys.readouterr()
    words = ["--data", table, "--output_path", tmp_path / "labeled.csv", "--label_column", "labels", "--json"]
    assert run_script(classify.main, "--model_path", model, *words, "--device", "cpu", "--precision", "fp32") == 0
    out, err = capsys.readouterr()
    with (tmp_path / "labeled.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["review", "labels", "prediction", *(f"probability_{name}" for name in NAMES)]
    true, predicted = (
        np.array([[name in row[column].split(";") for name in NAMES] for row in rows])
        for column in ("labels", "prediction")
    )
    scores = json.loads(out)["scores"]
    assert scores["rows"] == 320
    assert scores["macro_f1"] == pytest.approx(f1_score(true, predicted, average="macro", zero_division=0))
    assert scores["micro_f1"] == pytest.approx(f1_score(true, predicted, average="micro", zero_division=0))
    assert scores["subset_accuracy"] == pytest.approx((true == predicted).all(axis=1).mean())
    assert f"macro F1 {scores['macro_f1']:.3f}" in err


def test_lines_for_people(model, capsys):
    capsys.readouterr()
    words = ["--text", "a red thing", "--text", "", "--device", "cpu"]
    assert run_script(classify.main, "--model_path", model, *words) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "heavy 0." in first
    assert second.split() == ["–", "no", "text"]


@pytest.mark.parametrize(
    "words",
    [["--class_weights", "balanced"], ["--oversample"], ["--augment"], ["--threshold", 0.4], ["--label_errors", "x"]]
)  # fmt: skip
def test_flags_for_classes_are_refused_before_any_work(words, data, tmp_path, capsys):
    assert run_script(fine_tune.main, "--data", data, "--output_path", tmp_path / "model", *words) == 2
    assert_one_error(capsys.readouterr().err, words[0], "the data is for models that give texts several labels")
    assert not list(tmp_path.iterdir())


def test_data_with_a_label_that_the_model_does_not_know(model, data, tmp_path, capsys):
    things = tmp_path / "things.csv"
    lines = [f'"thing {number} is {number % 3}",{["fast;blue", "red", "blue"][number % 3]}' for number in range(60)]
    things.write_text("\n".join(["review,labels", *lines]))
    words = ["--task", "reviews", "--labels", "multi", "--data", things, "--model", "tiny"]
    assert run_script(preprocess.main, *words, "--near_duplicates", "off", "--output_path", tmp_path / "b.pkl") == 0
    capsys.readouterr()
    assert run_script(evaluate_model.main, "--model_path", model, "--data", tmp_path / "b.pkl") == 3
    assert_one_error(
        capsys.readouterr().err, "has labels that", "does not know: 'blue'; it knows 'fast', 'heavy', 'red'"
    )
    assert not (tmp_path / "evaluation.json").exists()


def test_two_models_are_compared_on_the_same_texts(model, data, tmp_path, capsys):
    files = []
    for name in ("one", "two"):
        files.append(tmp_path / f"{name}.json")
        words = ["--model_path", model, "--data", data, "--device", "cpu", "--output_path", files[-1]]
        assert run_script(evaluate_model.main, *words) == 0
    capsys.readouterr()
    assert run_script(evaluate_model.main, "--compare", *files, "--report", tmp_path / "page.html") == 0
    assert "TF-IDF macro F1" in capsys.readouterr().out
    assert "have the same macro F1 on the same texts" in (tmp_path / "page.html").read_text()
