"""classify.py and evaluate_model.py with classifiers that fine_tune.py did not train: scores, several labels, one."""

import csv
import json
from pathlib import Path

import pytest
import torch
from classifier_zoo import base_folder
from running import assert_one_error, json_of, run_script
from small_classifiers import labeled_data, opinions
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, pipeline

import classify
import evaluate_model
from utils.processed import save_processed

pytestmark = pytest.mark.usefixtures("_no_progress_bars")
TEXTS = ["good", "a bad thing", "so really great, lovely work"]
KINDS = {
    "regression": {"num_labels": 1, "problem_type": "regression"},
    "several": {"id2label": {0: "toxic", 1: "insult", 2: "threat"}, "problem_type": "multi_label_classification"},
    "one": {"id2label": {0: "spam"}},
}


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    """A random BERT of each kind."""
    folder, found = tmp_path_factory.mktemp("models"), {}
    base = base_folder(folder / "base", "bert")
    for kind, options in KINDS.items():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            config = AutoConfig.from_pretrained(base, **options)
            model = AutoModelForSequenceClassification.from_config(config)
        for parameter in model.parameters():
            parameter.data *= 10 if parameter.dim() > 1 else 1
        found[kind] = folder / kind
        model.save_pretrained(found[kind])
        AutoTokenizer.from_pretrained(base).save_pretrained(found[kind])
    return found


@pytest.fixture
def cli(capsys):
    """Run classify.py in this process: (exit code, stdout, stderr)."""

    def call(*words) -> tuple[int, str, str]:
        code = run_script(classify.main, "--precision", "fp32", "--device", "cpu", *words)
        return code, *capsys.readouterr()

    return call


def typed(texts: list[str]) -> list[str]:
    return [word for text in texts for word in ("--text", text)]


def plain(model: Path, texts: list[str]) -> list[dict[str, float]]:
    """The output of the maker's pipeline: the scores of each text by label."""
    rows = pipeline("text-classification", model=str(model), device="cpu")(texts, top_k=None)
    return [{each["label"]: each["score"] for each in row} for row in rows]


@pytest.mark.parametrize(
    ("kind", "name"), [("regression", "score"), ("several", "probability"), ("one", "probability")]
)
def test_a_table_has_the_columns_of_the_kind(cli, models, tmp_path, kind, name):
    data = tmp_path / "texts.csv"
    data.write_text("text\n" + "".join(f'"{text}"\n' for text in [*TEXTS, ""]) + "last\n")
    code, out, err = cli("--model_path", models[kind], "--data_path", data)
    assert (code, out) == (0, f"{tmp_path / 'texts.predictions.csv'}\n")
    assert ("predicted" in err) == (kind == "several")  # shares of one label say nothing
    expected = plain(models[kind], TEXTS)
    with (tmp_path / "texts.predictions.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:2] == ["text", "prediction"]
    assert set(header[2:]) == {f"{name}_{label}" for label in expected[0]}
    for row, scores in zip(rows, expected, strict=False):
        found = dict(zip(header[2:], map(float, row[2:]), strict=True))
        assert found == pytest.approx({f"{name}_{label}": score for label, score in scores.items()}, abs=1e-6)
        assert row[1] == max(scores, key=scores.get)
    assert rows[len(TEXTS)][1:] == [""] * (1 + len(expected[0]))


@pytest.mark.parametrize("kind", KINDS)
def test_json_names_the_kind_of_numbers(cli, models, kind):
    records = json_of(cli("--model_path", models[kind], "--json", *typed(TEXTS[:1])))
    [expected] = plain(models[kind], TEXTS[:1])
    [record] = records
    key = "scores" if kind == "regression" else "probabilities"
    assert record.keys() == {"text", "label", key} | ({"labels"} if kind == "several" else set())
    assert record[key] == pytest.approx(expected, abs=1e-6)
    if kind == "several":
        assert record["labels"] == [label for label in KINDS[kind]["id2label"].values() if expected[label] >= 0.5]


@pytest.mark.parametrize("kind", KINDS)
def test_lines_for_people(cli, models, kind):
    code, out, err = cli("--model_path", models[kind], *typed(TEXTS))
    assert code == 0
    assert ("predicted" in err) == (kind == "several")
    lines = out.splitlines()
    assert len(lines) == len(TEXTS)
    for line, text, expected in zip(lines, TEXTS, plain(models[kind], TEXTS), strict=True):
        assert line.startswith(max(expected, key=expected.get))
        assert all(f"{label} {score:.3f}" in line for label, score in expected.items())
        assert line.endswith(text)


@pytest.mark.parametrize("kind", KINDS)
def test_true_labels_give_no_scores_and_one_line_says_why(cli, models, tmp_path, kind):
    data = tmp_path / "texts.csv"
    data.write_text(
        "text,label\n" + "".join(f"{word} text {number},{number % 2}\n" for number, word in enumerate("abcdef"))
    )
    code, out, err = cli("--model_path", models[kind], "--data_path", data, "--label_column", "label", "--json")
    assert code == 0
    assert json.loads(out)["scores"] is None
    assert "no scores for column 'label': the model doesn't choose one label" in err


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("regression", "gives a text a score, no label, which is not measured here"),
        ("several", "gives a text several labels at once, which is not measured here"),
        ("one", "gives a text a score, no label, which is not measured here"),
    ],
    ids=KINDS,
)
def test_evaluation_refuses_them_by_name(models, tmp_path, capsys, kind, problem):
    save_processed(tmp_path / "data.pkl", labeled_data({"train": opinions(4), "test": opinions(4)}, ["neg", "pos"]))
    code = run_script(evaluate_model.main, "--model_path", models[kind], "--data", tmp_path / "data.pkl")
    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    hint = assert_one_error(err, f"{models[kind]} {problem}")
    assert f"python classify.py --model_path {models[kind]}" in hint
    assert not (models[kind] / "evaluation.json").exists()
