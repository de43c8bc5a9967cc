"""evaluate_model.py on models that classify: figures against a plain loop; files, output and refusals."""

import csv
import io
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics as reference
import torch
from evaluation_runs import evaluation_caller, refused
from running import assert_one_error, run_script
from small_models import END, SHAPE, processed_data, random_model, tiny_tokenizer
from transformers import GPT2Config, GPT2ForSequenceClassification

import evaluate_model
from utils.files import sha256_of
from utils.models import checkpoint, saving
from utils.models.classifier_tokenizer import encode_for_classification, with_template
from utils.models.model_card import marked
from utils.processed import SPLITS, Processed, Split, save_processed
from utils.text.cleaning import Cleaning

NOUNS = ["soup", "tea", "room", "staff", "phone", "cable", "screen", "song", "garden", "train", "cake", "view"]
PRAISE = ["lovely", "great", "kind", "perfect"]
BLAME = ["awful", "stale", "rude", "broken"]
GOOD = [f"The {noun} was {word}, really {word}." for noun in NOUNS for word in PRAISE]
BAD = [f"The {noun} was {word}, sadly {word}." for noun in NOUNS for word in BLAME]
CLEANING = asdict(Cleaning(emoji="keep"))
LONGEST = 35  # tokens, and a token is a byte: some texts are cut


def labeled(**splits: list[tuple[str, str]]) -> Processed:
    """The output of preprocess.py for (text, label) rows, encoded for `tiny`."""
    tokenizer = tiny_tokenizer()
    parts = {}
    for name in SPLITS:
        texts = [text for text, _ in splits.get(name, [])]
        ids, _ = encode_for_classification(with_template(tokenizer, "{prompt}"), texts)
        labels = [label for _, label in splits.get(name, [])]
        parts[name] = Split(texts, [""] * len(texts), labels, texts, ids, [0] * len(texts))
    data = processed_data()
    recipe = {"task": "reviews", "kind": "classify", "cleaning": CLEANING}
    recipe["labels"] = sorted({label for part in parts.values() for label in part.label})
    return replace(data, recipe={**data.recipe, **recipe}, splits=parts)


def in_splits(**texts: list[str]) -> dict[str, list[tuple[str, str]]]:
    """(text, label) rows, the labels alternating: 48 to train on, 16 for validation, the rest for the test."""
    rows = [
        (text, label)
        for together in zip(*texts.values(), strict=True)
        for label, text in zip(texts, together, strict=True)
    ]
    return {"train": rows[:48], "validation": rows[48:64], "test": rows[64:]}


PLAIN = [f"The {noun} was there at {hour}." for noun in NOUNS for hour in "1234"]
TWO = in_splits(bad=BAD, good=GOOD)
THREE = in_splits(**{"1": BAD, "2": PLAIN, "10": GOOD})


def random_classifier(labels: list[str], seed: int = 0) -> GPT2ForSequenceClassification:
    """A random model of two blocks whose answers differ from text to text."""
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: number for number, label in enumerate(labels)}}
    shape = {**SHAPE, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 128, "initializer_range": 0.3}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GPT2ForSequenceClassification(GPT2Config(**shape, **names)).eval()


def run_of(labels: list[str], data_path: Path, threshold: float | None) -> dict:
    return {
        "task": "reviews",
        "kind": "classify",
        "labels": labels,
        "template": "{prompt}",
        "cleaning": CLEANING,
        "calibration": {"temperature": 1.7, "threshold": threshold},
        "max_length": LONGEST,
        "base_model": "tiny",
        "arguments": {"output_path": "mine"},
        "data": {
            "sha256": sha256_of(data_path),
            "sources": [{"path": "reviews.csv", "sha256": "0" * 64, "rows": 96}],
            "rows": {"train": 48, "validation": 16, "test": 32},
        },
        "trainable_parameters": 10,
        "total_parameters": 100,
        "seed": 42,
        "device": "cpu",
        "precision": "fp32",
        "versions": {"torch": "2.13.0"},
        "results": {
            "validation_macro_f1_before": 0.4,
            "validation_macro_f1_after": 0.75,
            "epochs": 1.0,
            "steps": 3,
            "train_seconds": 1.0,
        },
    }


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")  # tests/terminal/test_tables.py has tables on narrow ones


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with reviews.pkl of two labels and its model `mine` or mine.pt, stars.pkl of three and its `three`."""
    folder = tmp_path_factory.mktemp("made")
    for name, data_name, rows, threshold in (("mine", "reviews", TWO, 0.45), ("three", "stars", THREE, None)):
        labels = ["bad", "good"] if rows is TWO else ["1", "2", "10"]
        save_processed(folder / f"{data_name}.pkl", labeled(**rows))
        trained = checkpoint.Trained(
            random_classifier(labels), tiny_tokenizer(), run_of(labels, folder / f"{data_name}.pkl", threshold)
        )
        saving.save(folder / name, trained, "", marked("not measured\n"))
        saving.save(folder / f"{name}.pt", trained, "", marked("not measured\n"))
    return folder


@pytest.fixture
def call(made, tmp_path, capsys, monkeypatch):
    return evaluation_caller(made, tmp_path, capsys, monkeypatch, model="mine", data="reviews.pkl")


def plain_probabilities(model_path: str, texts: list[str]) -> np.ndarray:
    """Each text in a batch of its own: start token and bytes, cut, and logits divided by the temperature."""
    labels = ["1", "2", "10"] if model_path == "three" else ["bad", "good"]
    model, tokenizer = random_classifier(labels).double(), tiny_tokenizer()
    rows = []
    for text in texts:
        ids = torch.tensor([[END, *tokenizer(text).input_ids][:LONGEST]])
        with torch.inference_mode():
            rows.append((model(ids, attention_mask=torch.ones_like(ids)).logits[0] / 1.7).softmax(-1).tolist())
    return np.array(rows)


@pytest.mark.parametrize(("model", "path"), [("mine", "mine/evaluation.json"), ("mine.pt", "mine.evaluation.json")])
def test_figures_are_those_of_a_plain_loop(call, model, path):
    code, out, err = call(model=model)
    assert code == 0, err
    assert out.endswith(f"\nwritten: {path}\n")
    evaluation = json.loads(Path(path).read_text("utf-8"))
    texts, truth = zip(*TWO["test"], strict=True)
    probabilities = plain_probabilities(model, list(texts))
    decided = np.where(probabilities[:, 1] >= 0.45, "good", "bad")
    assert 0 < (decided == "good").sum() < len(texts)
    assert (decided == np.where(probabilities[:, 1] >= 0.5, "good", "bad")).mean() < 1  # the threshold matters
    precision, recall, f1, _ = reference.precision_recall_fscore_support(
        truth, decided, pos_label="good", average="binary"
    )
    expected = {
        "accuracy": np.mean(decided == truth),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "macro_f1": reference.f1_score(truth, decided, average="macro"),
        "roc_auc": reference.roc_auc_score(np.array(truth) == "good", probabilities[:, 1]),
        "log_loss": reference.log_loss(truth, probabilities),
    }
    found = evaluation["tuned"]
    assert {name: found[name]["value"] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert all(found[name]["low"] <= found[name]["value"] <= found[name]["high"] for name in expected)
    assert found["confusion_matrix"] == reference.confusion_matrix(truth, decided).tolist()
    assert (
        evaluation.items()
        >= {
            "kind": "classify",
            "model_path": model,
            "base_model": "tiny",
            "data_sha256": sha256_of(Path("reviews.pkl")),
            "split": "test",
            "labels": ["bad", "good"],
            "threshold": 0.45,
            "temperature": 1.7,
            "texts": 32,
            "truncated_texts": sum(len(text) + 1 > LONGEST for text in texts),
            "texts_left_out": 0,
            "mistakes": int((decided != truth).sum()),
        }.items()
    )
    assert 0 < evaluation["truncated_texts"] < 32
    table = {line.split("  ")[0]: line for line in out.splitlines()}
    assert f"{expected['accuracy']:.3f} [" in table["accuracy"]
    assert f"{expected['macro_f1']:.3f} [" in table["macro F1"]
    assert f"{evaluation['truncated_texts']} cut to {LONGEST} tokens" in out


def test_the_baselines_answer_the_same_texts(call):
    code, out, err = call()
    assert code == 0
    evaluation = json.loads(Path("mine/evaluation.json").read_text("utf-8"))
    majority, words = (evaluation["baselines"][name] for name in ("majority", "tfidf_logistic_regression"))
    assert majority["accuracy"]["value"] == 0.5
    assert majority["roc_auc"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert majority["macro_f1"]["value"] == pytest.approx(1 / 3)
    assert words["accuracy"]["value"] == words["accuracy"]["high"] == 1.0  # the words tell all
    assert {"C", "class_weight"} < words["settings"].keys()
    assert words["train_seconds"] > 0
    assert words.keys() - {"settings", "train_seconds"} == evaluation["tuned"].keys()

    # A random model loses against them, and that is said.
    difference = evaluation["difference"]
    assert difference["accuracy"]["value"] == pytest.approx(evaluation["tuned"]["accuracy"]["value"] - 1)
    assert difference["accuracy"]["high"] < 0
    assert f"warning: the model is {evaluation['verdict']}\n" in err
    assert evaluation["verdict"].startswith("worse in accuracy (-0.")
    assert evaluation["verdict"] in out


def test_the_baselines_learn_only_from_train_and_validation(call):
    """There, every label is the other one: what was learnt and chosen there is wrong about all test texts."""
    other = {"bad": "good", "good": "bad"}
    learnt = {name: [(text, other[label]) for text, label in TWO[name]] for name in ("train", "validation")}
    save_processed(Path("reviews.pkl"), labeled(**learnt, test=TWO["test"]))
    assert call()[0] == 0
    words = json.loads(Path("mine/evaluation.json").read_text("utf-8"))["baselines"]["tfidf_logistic_regression"]
    assert words["settings"]["validation_macro_f1"] == 1.0
    assert words["accuracy"]["value"] == 0.0


def test_a_model_that_beats_the_baseline_gets_no_warning(call):
    """Labels that no word tells, but this model's own answers."""
    texts = [text for text, _ in TWO["test"]]
    answers = np.where(plain_probabilities("mine", texts)[:, 1] >= 0.45, "good", "bad")
    unlearnable = {"train": [(text, "good" if number % 3 else "bad") for number, (text, _) in enumerate(TWO["train"])]}
    data = labeled(**unlearnable, validation=TWO["validation"], test=list(zip(texts, answers.tolist(), strict=True)))
    save_processed(Path("reviews.pkl"), data)
    code, out, err = call()
    assert code == 0
    evaluation = json.loads(Path("mine/evaluation.json").read_text("utf-8"))
    assert evaluation["tuned"]["accuracy"]["value"] == evaluation["tuned"]["accuracy"]["high"] == 1.0
    assert evaluation["verdict"].startswith("better in accuracy")
    assert "warning: the model is" not in err
    assert (evaluation["mistakes"], evaluation["most_confident_mistakes"]) == (0, [])
    assert "mistakes" not in out


def test_three_labels(call):
    code, out, err = call(model="three", data="stars.pkl")
    assert code == 0, err
    evaluation = json.loads(Path("three/evaluation.json").read_text("utf-8"))
    texts, truth = zip(*THREE["test"], strict=True)
    probabilities = plain_probabilities("three", list(texts))
    numbers = [["1", "2", "10"].index(label) for label in truth]
    found = evaluation["tuned"]
    assert found["accuracy"]["value"] == np.mean(probabilities.argmax(1) == numbers)
    assert found["roc_auc"]["value"] == pytest.approx(
        reference.roc_auc_score(numbers, probabilities, multi_class="ovr"), rel=1e-4
    )
    assert np.shape(found["confusion_matrix"]) == (3, 3)
    assert (evaluation["labels"], evaluation["threshold"]) == (["1", "2", "10"], None)
    assert not {"precision", "recall", "f1"} & found.keys()
    assert "macro precision" in out
    assert "\nprecision" not in out


def test_the_mistakes(call):
    code, out, _ = call("--errors_path", "wrong/mistakes.csv")
    assert code == 0
    assert out.endswith("\nwritten: mine/evaluation.json and wrong/mistakes.csv\n")
    with Path("wrong/mistakes.csv").open(encoding="utf-8", newline="") as file:
        mistakes = list(csv.DictReader(file))
    evaluation = json.loads(Path("mine/evaluation.json").read_text("utf-8"))
    truth = dict(TWO["test"])
    probabilities = plain_probabilities("mine", list(truth))
    expected = {
        text: (label, "good" if row[1] >= 0.45 else "bad", row)
        for (text, label), row in zip(truth.items(), probabilities, strict=True)
        if label != ("good" if row[1] >= 0.45 else "bad")
    }
    assert len(mistakes) == len(expected) == evaluation["mistakes"] > 10
    assert list(mistakes[0]) == ["text", "label", "prediction", "probability_bad", "probability_good"]
    for row in mistakes:
        label, prediction, shares = expected.pop(row["text"])
        assert (row["label"], row["prediction"]) == (label, prediction)
        assert [float(row["probability_bad"]), float(row["probability_good"])] == pytest.approx(shares, abs=1e-5)
    confidence = [float(row[f"probability_{row['prediction']}"]) for row in mistakes]
    assert confidence == sorted(confidence, reverse=True)
    shown = evaluation["most_confident_mistakes"]
    assert [mistake["text"] for mistake in shown] == [row["text"] for row in mistakes[:10]]
    assert [mistake["probability"] for mistake in shown] == pytest.approx(confidence[:10], abs=1e-5)
    assert f"the 10 most confident of {len(mistakes)} mistakes" in out
    assert all(row["text"] in out for row in mistakes[:10])


@pytest.mark.parametrize(("model", "rows"), [("mine", TWO), ("three", THREE)])
def test_every_text_has_its_outcome_for_paired_comparison(call, model, rows):
    test = [*rows["test"][:9], ("😀", rows["test"][0][1]), *rows["test"][9:]]
    labels = ["bad", "good"] if model == "mine" else ["1", "2", "10"]
    data = labeled(**{**rows, "test": test})
    split = replace(data.splits["test"], group=["same"] * 2 + data.splits["test"].group[2:])
    save_processed(Path("data.pkl"), replace(data, splits={**data.splits, "test": split}))
    run = json.loads(Path(model, "run.json").read_text("utf-8"))
    Path(model, "run.json").write_text(json.dumps({**run, "cleaning": asdict(Cleaning(emoji="remove"))}))
    assert call(model=model, data="data.pkl")[0] == 0
    evaluation = json.loads(Path(model, "evaluation.json").read_text("utf-8"))
    found = evaluation["per_text"]
    probabilities = plain_probabilities(model, [text for text, _ in rows["test"]])
    predicted = (probabilities[:, 1] >= 0.45).astype(int) if model == "mine" else probabilities.argmax(axis=1)
    truth = [labels.index(label) for _, label in rows["test"]]
    shown = probabilities[:, 1] if model == "mine" else probabilities.max(axis=1)
    assert found["row"] == [number for number in range(len(test)) if number != 9]
    assert (found["label"], found["prediction"]) == (truth, predicted.tolist())
    assert found["correct"] == (predicted == truth).astype(int).tolist()
    assert found["probability"] == pytest.approx(shown.tolist(), abs=1e-5)
    assert found["cluster"] == [0, *range(len(truth) - 1)]
    assert np.mean(found["correct"]) == evaluation["tuned"]["accuracy"]["value"]


def test_labels_that_are_probably_wrong(call):
    """The model's own answers as labels, of which two are exchanged, and a baseline that has learnt the same."""
    texts = [*GOOD, *BAD]
    second = plain_probabilities("mine", texts)[:, 1]
    sure = np.argsort(second)
    answers = {text: "good" if share >= 0.45 else "bad" for text, share in zip(texts, second, strict=True)}
    wrong = [texts[sure[0]], texts[sure[-1]]]
    exchanged = {"good": "bad", "bad": "good"}
    test = [(text, exchanged[label] if text in wrong else label) for text, label in answers.items()]
    save_processed(Path("reviews.pkl"), labeled(train=list(answers.items()), validation=TWO["validation"], test=test))
    code, out, _ = call()
    assert code == 0
    found = json.loads(Path("mine/evaluation.json").read_text("utf-8"))["probable_label_errors"]
    assert f"call wrong: {found['texts']} (--report shows them)" in out
    assert "Northcutt" in found["method"]
    assert found["texts"] == len(found["shown"]) <= 10
    assert {error["text"] for error in found["shown"]} <= set(wrong)
    assert found["shown"]
    for error in found["shown"]:
        assert error["probable_label"] == answers[error["text"]] != error["label"]
        share = second[texts.index(error["text"])]
        expected = share if error["probable_label"] == "good" else 1 - share
        assert error["probability"] == pytest.approx(expected, abs=1e-5)
        assert error["baseline_probability"] > 0.5


def test_the_file_of_label_errors_is_that_of_the_model_alone(call):
    """The same, with labels that the baseline has never seen; the first text is empty once it is cleaned."""
    texts = [*GOOD, *BAD]
    second = plain_probabilities("mine", texts)[:, 1]
    answers = {text: "good" if share >= 0.5 else "bad" for text, share in zip(texts, second, strict=True)}
    wrong = texts[int(np.argmax(second))]
    test = [("😀", "bad"), *((text, "bad" if text == wrong else label) for text, label in answers.items())]
    save_processed(Path("reviews.pkl"), labeled(train=TWO["train"], validation=TWO["validation"], test=test))
    run = json.loads(Path("mine", "run.json").read_text("utf-8"))
    Path("mine", "run.json").write_text(json.dumps({**run, "cleaning": asdict(Cleaning(emoji="remove"))}))
    code, out, _ = call("--label_errors", "suspects.csv")
    assert code == 0
    with Path("suspects.csv").open(newline="") as file:
        first, *_ = found = list(csv.DictReader(file))
    assert (first["text"], first["label"], first["suggested_label"]) == (wrong, "bad", "good")
    assert int(first["row"]) == 1 + texts.index(wrong)
    assert float(first["confidence"]) == pytest.approx(second.max(), abs=1e-5)
    record = json.loads(Path("mine/evaluation.json").read_text("utf-8"))["label_errors"]
    assert record == {"path": "suspects.csv", "found": len(found), "texts": len(texts)}
    assert f"{len(found)} of {len(texts)} test labels are probably wrong: suspects.csv" in out
    code, _, err = call("--label_errors", "reviews.pkl")
    assert code == 2
    assert_one_error(err, "would replace")


def test_a_mistake_is_shown_on_one_short_line_and_written_in_full(call):
    long = 'The soup,\nwith a "quote", was ' + "not " * 80 + "good"
    label = "bad" if plain_probabilities("mine", [" ".join(long.split())])[0, 1] >= 0.45 else "good"
    data = labeled(train=TWO["train"], validation=TWO["validation"], test=[(long, label), ("The tea.", "good")])
    save_processed(Path("reviews.pkl"), data)
    code, out, _ = call("--errors_path", "mistakes.csv")
    assert code == 0
    with Path("mistakes.csv").open(encoding="utf-8", newline="") as file:
        assert long in [row["text"] for row in csv.DictReader(file)]
    text = 'The soup, with a "quote", was ' + "not " * 80
    line = text[:99].rstrip() + "…"
    shown = json.loads(Path("mine/evaluation.json").read_text("utf-8"))["most_confident_mistakes"]
    assert text[:299].rstrip() + "…" in [mistake["text"] for mistake in shown]
    assert f"  {line}\n" in out


def test_no_mistake_runs_in_a_spreadsheet(call):
    run, plain = ["=1+1 soup", "@SUM(1)", " -2", '"+3"', "\u200b＝4"], ["plain", "wait\r=2"]
    test = [(text, label) for text in run + plain for label in ("bad", "good")]  # half of them are mistakes
    save_processed(Path("reviews.pkl"), labeled(**TWO | {"test": test}))
    assert call("--errors_path", "escaped.csv", "--escape_formulas")[0] == 0
    assert call("--errors_path", "plain.csv")[0] == 0
    names = ("plain.csv", "escaped.csv")
    before, after = (list(csv.reader(io.StringIO(Path(name).read_bytes().decode(), newline=""))) for name in names)
    assert {row[0] for row in before[1:]} == {*run, *plain}
    assert after == [["'" * (row[0] in run) + row[0], *row[1:]] for row in before]


def test_json_is_the_file_and_nothing_else(call):
    code, out, _ = call("--json")
    assert code == 0
    assert out == Path("mine/evaluation.json").read_text("utf-8")


def test_the_same_command_gives_the_same_figures(call):
    first, second, other = (json.loads(call("--json", "--seed", seed)[1]) for seed in (1, 1, 2))
    for found in (first, second, other):
        found["baselines"]["majority"].pop("train_seconds")
        found["baselines"]["tfidf_logistic_regression"].pop("train_seconds")
    assert first == second
    assert other["tuned"]["accuracy"]["value"] == first["tuned"]["accuracy"]["value"]
    assert other["tuned"]["log_loss"] != first["tuned"]["log_loss"]


def test_the_card_of_a_model_shows_the_figures(call):
    assert call()[0] == 0
    card = Path("mine/README.md").read_text("utf-8")
    accuracy = json.loads(Path("mine/evaluation.json").read_text("utf-8"))["tuned"]["accuracy"]["value"]
    assert "pipeline_tag: text-classification" in card
    assert f"| Accuracy | {accuracy:.1%} [" in card


def test_texts_that_the_model_cleans_away_are_left_out_everywhere(call):
    run = json.loads(Path("mine/run.json").read_text("utf-8"))
    Path("mine/run.json").write_text(json.dumps({**run, "cleaning": asdict(Cleaning())}))
    test = [("😀", "good"), *TWO["test"][:10], ("😡", "bad")]
    save_processed(Path("reviews.pkl"), labeled(train=TWO["train"], validation=TWO["validation"], test=test))
    code, out, err = call()
    assert code == 0
    assert "warning: 2 test texts are left out" in err
    assert "2 more are empty after cleaning" in out
    evaluation = json.loads(Path("mine/evaluation.json").read_text("utf-8"))
    assert (evaluation["texts"], evaluation["texts_left_out"]) == (10, 2)
    assert {found["texts"] for found in [evaluation["tuned"], *evaluation["baselines"].values()]} == {10}

    save_processed(Path("reviews.pkl"), labeled(train=TWO["train"], test=[("😀", "good")]))
    code, _, err = call()
    assert code == 3
    assert_one_error(err, "all test texts are empty after the model's cleaning")


def test_a_classifier_of_another_maker(call):
    """No recipe: its own labels, the texts as they are, no calibration."""
    Path("mine/run.json").unlink()
    Path("mine/README.md").write_text("Ada's model")
    code, _, err = call()
    assert code == 0, err
    evaluation = json.loads(Path("mine/evaluation.json").read_text("utf-8"))
    assert (evaluation["base_model"], evaluation["threshold"], evaluation["temperature"]) == (None, None, 1.0)
    assert Path("mine/README.md").read_text() == "Ada's model"


def test_data_that_the_model_was_not_trained_on(call):
    save_processed(Path("other.pkl"), labeled(**{**TWO, "test": TWO["test"][:9]}))
    code, _, err = call(data="other.pkl")
    assert code == 0
    assert "warning: mine was trained on a processed pickle other than other.pkl" in err
    assert "processed pickle" not in call()[2]


def test_two_evaluations_are_compared(call, capsys):
    assert call()[0] == 0
    assert call(model="mine.pt")[0] == 0
    files = ["mine/evaluation.json", "mine.evaluation.json"]
    assert run_script(evaluate_model.main, "--compare", *files, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    accuracy = json.loads(Path(files[0]).read_text("utf-8"))["tuned"]["accuracy"]
    assert [model["figures"]["accuracy"] for model in found["models"]] == [accuracy, accuracy]


# ---- bad input


def test_a_base_model_has_nothing_to_compare(call):
    hint = refused(call("--compare_base"), 2, "--compare_base", "no trained head")
    assert "TF-IDF" in hint
    assert "a constant answer" in hint


def test_a_model_that_writes_on_data_with_labels(call):
    random_model("gpt2").save_pretrained("writer")
    tiny_tokenizer().save_pretrained("writer")
    hint = refused(call(model="writer"), 3, "reviews.pkl", "task reviews", "writer writes texts")
    assert "trained on reviews.pkl" in hint


@pytest.mark.parametrize("model", ["mine", "mine.pt", "theirs"])
def test_a_model_that_classifies_on_data_without_labels(call, model):
    if model == "theirs":
        shutil.copytree("mine", "theirs")
        Path("theirs/run.json").unlink()
    save_processed(Path("texts.pkl"), processed_data(train=["a"], validation=["b"], test=["c"]))
    refused(
        call(model=model, data="texts.pkl"),
        1,
        f"{model} classifies texts instead of writing them",
        "texts.pkl has no labels",
    )


def test_mistakes_of_a_model_that_writes(call):
    save_processed(Path("texts.pkl"), processed_data(train=["a"], validation=["b"], test=["c"]))
    refused(call("--errors_path", "m.csv", model="tiny", data="texts.pkl"), 2, "--errors_path", "texts.pkl")


def test_labels_that_the_model_does_not_know(call):
    hint = refused(call(data="stars.pkl"), 3, "stars.pkl", "'1', '10', '2'", "mine", "'bad', 'good'")
    assert "fine_tune.py --data stars.pkl" in hint


def test_data_without_test_texts(call):
    save_processed(Path("few.pkl"), labeled(train=TWO["train"]))
    refused(call(data="few.pkl"), 3, "few.pkl has no test texts")


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["--errors_path", "reviews.pkl"], 2, "which is read"),
        (["--output_path", "reviews.pkl"], 2, "which is read"),
        (["--output_path", "out.json", "--errors_path", "./out.json"], 2, "out.json is named twice"),
        (["--errors_path", "mine"], 2, "mine would replace"),
        (["--errors_path", "mine.pt/wrong.csv"], 1, "cannot write mine.pt/wrong.csv"),
    ],
)
def test_outputs_that_cannot_be_written(call, words, code, expected):
    before = Path("reviews.pkl").read_bytes()
    refused(call(*words), code, expected)
    assert Path("reviews.pkl").read_bytes() == before
