"""fine_tune.py on labeled data, for every family: files, trained parameters, and the model that is kept."""

import json

import numpy
import pytest
import torch
from architectures import POSITIONS, architecture_folder
from running import assert_one_error, run_script
from safetensors.torch import load_file
from sklearn.metrics import f1_score
from small_classifiers import ENCODERS, FAMILIES, base_folder, labeled_data, opinions
from small_models import MODEL_FILES

import classify
import evaluate_model
import fine_tune
from utils.inference.classifier import classifier_logits, classify_texts, open_classifier
from utils.processed import save_processed
from utils.training.rows import labeled_rows

LABELS = ["neg", "pos"]
ROWS = {"train": opinions(48), "validation": opinions(12, 48), "test": opinions(12, 60)}
FAST = ["--precision", "fp32", "--device", "cpu", "--max_steps", 2, "--lr", 1e-3]


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "reviews.pkl"
    save_processed(path, labeled_data(ROWS, LABELS))
    return path


@pytest.fixture
def call(data, tmp_path, capsys):
    """Run fine_tune.py: (exit code, stdout, stderr)."""

    def calling(*words, data=data, output=tmp_path / "model"):
        code = run_script(fine_tune.main, "--data", data, "--output_path", output, *words)
        return code, *capsys.readouterr()

    return calling


@pytest.fixture
def trained(call, tmp_path):
    """Train successfully and return run.json."""

    def training(*words, **places):
        code, _, err = call(*words, **places)
        assert code == 0, err
        return json.loads((tmp_path / "model" / "run.json").read_text())

    return training


def test_the_files_and_the_record_of_a_classifier(trained, tmp_path):
    run = trained(*FAST, "--save_steps", 1)
    folder = tmp_path / "model"
    assert {file.name for file in folder.iterdir()} == MODEL_FILES - {"generation_config.json"}
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["GPT2ForSequenceClassification"]
    assert config["id2label"] == {"0": "neg", "1": "pos"}
    assert config["label2id"] == {"neg": 0, "pos": 1}
    assert (run["kind"], run["labels"], run["task"], run["max_length"]) == ("classify", LABELS, "reviews", 1024)
    assert run["calibration"].keys() == {"temperature", "threshold"}
    assert run["results"].keys() >= {"validation_macro_f1_before", "validation_macro_f1_after"}
    assert (run["arguments"]["epochs"], run["arguments"]["class_weights"]) == (2.0, "none")
    assert not [path for path in tmp_path.iterdir() if path.name not in ("model", "reviews.pkl")]
    history = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in history if "eval_macro_f1" in entry] == [0, 1, 2]


def test_it_learns_and_the_saved_model_gives_the_same_answers(trained, tmp_path):
    run = trained("--precision", "fp32", "--device", "cpu", "--lr", 5e-3, "--epochs", 6, "--warmup_steps", 0)
    classifier = open_classifier(str(tmp_path / "model"))
    texts, labels = zip(*ROWS["validation"], strict=True)
    found = classify_texts(classifier, texts)
    likeliest = [LABELS[row.argmax()] for row in found.probabilities]
    assert run["results"]["validation_macro_f1_after"] == pytest.approx(f1_score(labels, likeliest, average="macro"))
    assert run["results"]["validation_macro_f1_after"] > 0.9
    tested = classify_texts(classifier, [text for text, _ in ROWS["test"]])
    assert tested.labels == [label for _, label in ROWS["test"]]


def test_the_best_macro_f1_is_kept(trained, tmp_path):
    """The learning rate wrecks the model later; the weights of the evaluation before that are saved."""
    run = trained(*("--precision", "fp32", "--device", "cpu", "--lr", 0.5, "--warmup_steps", 0.9, "--epochs", 4))
    history = [json.loads(line) for line in (tmp_path / "model" / "log.jsonl").read_text().splitlines()]
    measured = [entry["eval_macro_f1"] for entry in history if "eval_macro_f1" in entry]
    assert run["results"]["validation_macro_f1_after"] == max(measured)
    classifier = open_classifier(str(tmp_path / "model"))
    rows = labeled_rows(labeled_data(ROWS, LABELS), classifier.tokenizer, 1024, ["validation"])["validation"]
    logits = classifier_logits(classifier.model, classifier.tokenizer, rows)
    found = f1_score([row["label"] for row in rows], logits.argmax(1), average="macro", zero_division=0)
    assert found == pytest.approx(max(measured))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_trains_the_chosen_parameters(trained, tmp_path, data, family):
    save_processed(
        data, labeled_data({"train": ROWS["train"]}, LABELS)
    )  # no validation split, which could keep the start
    base = base_folder(tmp_path / "base", family)
    run = trained(*FAST, "--model", base, "--unfreeze_last", 1)
    before, after = (
        load_file(tmp_path / "base" / "model.safetensors"),
        load_file(tmp_path / "model" / "model.safetensors"),
    )
    head = "classifier" if family in ENCODERS else "score"
    common = {name for name in after if name in before}
    same = {name for name in common if torch.equal(before[name], after[name])}
    blocks = [name for name in common if any(part in name for part in (".h.", "layers.", ".layer."))]
    last = [name for name in blocks if ".2." in name]
    assert blocks and last
    assert not same & set(last)
    assert {name for name in common if name not in last and "norm" not in name and "ln_f" not in name} <= same
    assert any(name.startswith(head) for name in after)
    assert run["trainable_parameters"] < run["total_parameters"]
    if family == "bert":
        assert "bert.pooler.dense.weight" in after
    classifier = open_classifier(str(tmp_path / "model"))
    assert classifier.model.config.pad_token_id == (0 if family in ENCODERS else 256)
    assert numpy.isfinite(classify_texts(classifier, ["good thing", "x"]).probabilities).all()


def test_a_start_that_no_evaluation_reaches_is_kept(call, tmp_path, data):
    """The probe classifies these texts without a mistake, and the learning rate wrecks the model at once."""
    code, _, err = call(*FAST, "--lr", 100.0, "--warmup_steps", 0, "--unfreeze_last", 1)
    assert code == 0
    assert "no evaluation was as good as the one before training" in err
    run = json.loads((tmp_path / "model" / "run.json").read_text())
    assert run["results"]["validation_macro_f1_after"] == run["results"]["validation_macro_f1_before"] > 0.9
    found = classify_texts(open_classifier(str(tmp_path / "model")), [text for text, _ in ROWS["validation"]])
    likeliest = [LABELS[row.argmax()] for row in found.probabilities]
    expected = pytest.approx(run["results"]["validation_macro_f1_after"])
    assert f1_score([label for _, label in ROWS["validation"]], likeliest, average="macro") == expected


def test_one_file(call, tmp_path):
    code, out, err = call(*FAST, output=tmp_path / "model.pt")
    assert (code, out) == (0, f"{tmp_path / 'model.pt'}\n"), err
    classifier = open_classifier(str(tmp_path / "model.pt"))
    assert classifier.labels == LABELS
    assert classify_texts(classifier, ["good"]).labels[0] in LABELS


def test_accumulated_batches_are_one_large_batch(trained, tmp_path):
    whole = ["--batch_size", 8, "--class_weights", "3,1"]
    parts = ["--batch_size", 2, "--gradient_accumulation_steps", 4, "--class_weights", "3,1"]
    base = base_folder(tmp_path / "base", "llama")  # without dropout
    weights = []
    for words in (whole, parts):
        trained(*FAST, *words, "--model", base, "--overwrite")
        weights.append(load_file(tmp_path / "model" / "model.safetensors"))
    for name in weights[0]:
        torch.testing.assert_close(weights[0][name], weights[1][name], atol=2e-5, rtol=0)


def test_class_weights_shift_the_answers_to_the_heavier_class(trained, tmp_path, data):
    """There is no validation split, so no evaluation is selected and nothing is fitted."""
    save_processed(data, labeled_data({"train": ROWS["train"], "test": ROWS["test"]}, LABELS))
    shares = []
    for weights in ("1,50", "50,1"):
        run = trained(*FAST, "--max_steps", 20, "--lr", 1e-4, "--class_weights", weights, "--overwrite")
        assert run["calibration"] == {"temperature": 1.0, "threshold": 0.5}
        assert run["results"]["validation_macro_f1_after"] is None
        shares.append(classify_texts(open_classifier(str(tmp_path / "model")), ["something else"]).probabilities[0, 1])
    assert shares[0] > 10 * shares[1]


def test_more_rows_for_small_classes_and_varied_ones(call, tmp_path):
    rows = {**ROWS, "train": [*opinions(40), *((f"fine work {n} indeed", "pos") for n in range(30))]}
    path = tmp_path / "uneven.pkl"
    save_processed(path, labeled_data(rows, LABELS))
    code, _, err = call(*FAST, "--oversample", "--augment", data=path)
    assert code == 0
    assert "training on 200 texts, made of 70" in err


def test_a_given_threshold(trained):
    assert trained(*FAST, "--threshold", 0.25)["calibration"]["threshold"] == 0.25


def test_long_texts_are_cut_and_counted(call, tmp_path):
    rows = {**ROWS, "train": [*ROWS["train"], ("word " * 20_000, "pos")]}
    path = tmp_path / "long.pkl"
    save_processed(path, labeled_data(rows, LABELS))
    code, _, err = call(*FAST, "--max_length", 64, data=path)
    assert code == 0
    assert "1 texts are cut to 64 tokens" in err


@pytest.mark.parametrize("base", ["gpt2", "roberta"])
def test_texts_beyond_the_context_are_cut_and_counted_by_every_script(call, tmp_path, capsys, base):
    long = "as a matter of fact " * 30
    rows = {name: [(long if number < 2 else text, label) for number, (text, label) in enumerate(pairs)]
            for name, pairs in ROWS.items()}  # fmt: skip
    path = tmp_path / "long.pkl"
    save_processed(path, labeled_data(rows, LABELS))
    folder = architecture_folder(tmp_path / "base", base)
    code, _, err = call(*FAST, "--model", folder, data=path)
    assert code == 0, err
    assert f"texts are cut to {POSITIONS} tokens" in err
    model = tmp_path / "model"
    assert run_script(classify.main, "--model_path", model, "--text", long, "--text", "fine") == 0
    assert f"1 of 2 texts were cut to {POSITIONS} tokens" in capsys.readouterr().err
    assert run_script(evaluate_model.main, "--model_path", model, "--data", path) == 0
    assert f"2 cut to {POSITIONS} tokens" in capsys.readouterr().out


def test_three_labels(trained, tmp_path, data):
    rows = {name: [(text, "meh" if n % 3 == 0 else label) for n, (text, label) in enumerate(pairs)]
            for name, pairs in ROWS.items()}  # fmt: skip
    save_processed(data, labeled_data(rows, ["meh", "neg", "pos"]))
    run = trained(*FAST)
    assert (run["labels"], run["calibration"]["threshold"]) == (["meh", "neg", "pos"], None)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--train_head"], "--train_head is for models that write"),
        (["--class_weights", "1,2,3"], "--class_weights 1,2,3: expected balanced, none, or 2 numbers above 0"),
        (["--threshold", "2"], "'2' is not a number above 0 and at most 1"),
    ],
)
def test_unsuitable_flags_are_refused(call, tmp_path, words, problem):
    code, out, err = call(*FAST, *words)
    assert (code, out) == (2, "")
    assert_one_error(err, problem)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "words", [["--class_weights", "balanced"], ["--oversample"], ["--augment"], ["--threshold", 0.4]]
)
def test_flags_of_classifiers_are_refused_for_texts_to_imitate(call, processed, words):
    code, _, err = call(*FAST, *words, data=processed)
    assert code == 2
    assert_one_error(err, f"{words[0]} is for models that classify")


def test_a_base_model_that_cannot_classify(call, tmp_path):
    folder = tmp_path / "base"
    base_folder(folder, "gpt2")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "clvp", "architectures": ["Clvp"]}))
    code, _, err = call(*FAST, "--model", folder)
    assert code == 1
    assert_one_error(err, str(folder))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--threshold", 0.4], "--threshold 0.4 is for two classes, and the data has 3"),
        (["--max_length", 9], "--max_length 9 leaves no room for a text: the template around it has"),
    ],
    ids=["threshold", "max_length"],
)
def test_flags_that_the_data_or_its_template_rule_out(call, tmp_path, data, words, problem):
    rows = {name: [*pairs, ("meh", "meh")] for name, pairs in ROWS.items()}
    save_processed(data, labeled_data(rows, ["meh", *LABELS], "Review: {prompt}\nIts sentiment is:"))
    code, out, err = call(*FAST, *words)
    assert (code, out) == (2, "")
    assert_one_error(err, problem)
    assert not (tmp_path / "model").exists()
