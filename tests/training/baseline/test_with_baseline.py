"""fine_tune.py --with_baseline: the conditions and exponents of the mixture with TF-IDF, and its users."""

import json
import shutil
from argparse import Namespace
from itertools import product

import numpy
import pytest
from running import assert_one_error, run_script
from scipy.special import log_softmax
from small_classifiers import labeled_data, opinions
from small_models import processed_data

import evaluate_model
import fine_tune
from classify import classify
from utils.inference.baseline.stack import pooled
from utils.processed import Split, save_processed
from utils.training.baseline.stack import FittedWords, choose_stack, fit_baseline, fit_exponents

LABELS = ["neg", "pos"]
FAST = ["--precision", "fp32", "--device", "cpu", "--max_steps", 2, "--learning_rate", "1e-6"]
USE = {"device": "cpu", "precision": "fp32"}
CLASSIFIED = ["a great thing", "an awful thing", "a thing", "I bought it"]


def split(pairs, group: str = "group") -> Split:
    texts, labels = map(list, zip(*pairs, strict=True))
    groups = [f"{group} {number}" for number in range(len(texts))]
    return Split(texts, [""] * len(texts), labels, groups, [[]] * len(texts), [0] * len(texts))


@pytest.fixture(scope="module")
def baseline() -> FittedWords:
    return fit_baseline(split(opinions(80)), split(opinions(40, 80)), LABELS)


def chosen(baseline: FittedWords, sharpness: float, *, mode="auto", number: int = 200, rule: float = 0.0):
    """The choice for a model that knows the label with this sharpness; a share `rule` of texts breaks the words."""
    generator = numpy.random.default_rng(0)
    pairs = [
        (text, label if generator.random() >= rule else LABELS[label == "neg"]) for text, label in opinions(number, 500)
    ]
    truth = numpy.array([LABELS.index(label) for _, label in pairs])
    logits = generator.normal(size=(number, 2))
    logits[numpy.arange(number), truth] += sharpness
    flags = Namespace(with_baseline=mode, threshold="auto", seed=0)
    return choose_stack(baseline, logits, split(pairs), LABELS, flags)


def test_a_baseline_that_knows_more_is_mixed_in(baseline):
    stack, record = chosen(baseline, 0.5)
    assert record["used"]
    assert stack.of_words == record["exponents"]["tfidf"] > 1
    assert record["gain"] > 0.2 > record["gain_error"]


def test_a_baseline_that_says_nothing_is_not(baseline):
    stack, record = chosen(baseline, 3.0, rule=0.5)
    assert stack is None and not record["used"]
    assert record["exponents"]["tfidf"] < 0.1
    stack, record = chosen(baseline, 3.0, rule=0.5, mode="on")
    assert stack is not None and record["used"]


def test_few_validation_texts_decide_nothing(baseline):
    assert chosen(baseline, 0.5, number=49) == (None, {"used": False, "validation_texts": 49})
    assert chosen(baseline, 0.5, number=50)[1]["used"]


def test_the_exponents_are_the_likeliest():
    generator = numpy.random.default_rng(1)
    truth = generator.integers(3, size=300)
    own, words = (log_softmax(generator.normal(size=(300, 3)) + 1.5 * numpy.eye(3)[truth], axis=1) for _ in range(2))

    def penalized(of_model: float, of_words: float) -> float:
        mixed = pooled(own, words, of_model, of_words)[numpy.arange(300), truth]
        return numpy.log(mixed).sum() - (numpy.log(of_model) ** 2 + of_words**2) / 2

    found = fit_exponents(own, words, truth)
    grid = numpy.linspace(0.5, 3, 26)
    best = max(product(grid, grid), key=lambda pair: penalized(*pair))
    assert found == pytest.approx(best, abs=0.06)
    assert penalized(*found) >= penalized(*best)
    assert fit_exponents(own, -words, truth)[1] == 0.0  # never below: it would be trusted to be wrong


@pytest.fixture
def call(tmp_path, capsys):
    def calling(*words, output="model", validation=60):
        rows = {"train": opinions(80), "validation": opinions(validation, 80), "test": opinions(40, 140)}
        save_processed(tmp_path / "data.pkl", labeled_data(rows, LABELS))
        places = ["--data", tmp_path / "data.pkl", "--output_path", tmp_path / output]
        code = run_script(fine_tune.main, *places, *FAST, *words)
        return code, *capsys.readouterr()

    return calling


def shares(path) -> numpy.ndarray:
    found = classify(CLASSIFIED, model_path=path, **USE)
    return numpy.array([[each["probabilities"][label] for label in LABELS] for each in found])


def test_the_scripts_use_the_mixture_and_other_tools_the_model(call, tmp_path, capsys):
    code, out, err = call("--with_baseline", "auto", "--json")
    assert code == 0, err
    folder = tmp_path / "model"
    record = json.loads((folder / "run.json").read_text("utf-8"))["baseline"]
    assert json.loads(out)["baseline"] == record
    assert record["used"]
    assert "baseline.json" in (folder / "README.md").read_text("utf-8")
    assert call(output="alone")[0] == 0
    assert not (tmp_path / "alone" / "baseline.json").exists()
    assert (folder / "model.safetensors").read_bytes() == (tmp_path / "alone" / "model.safetensors").read_bytes()
    words = fit_baseline(split(opinions(80)), split(opinions(60, 80)), LABELS).words
    own, exponents = numpy.log(shares(tmp_path / "alone")), record["exponents"]
    mixed = pooled(own, words.log_probabilities(CLASSIFIED), exponents["model"], exponents["tfidf"])
    assert shares(folder) == pytest.approx(mixed, abs=2e-6)
    assert [each["label"] for each in classify(CLASSIFIED[:2], model_path=folder, **USE)] == ["pos", "neg"]
    evaluated = ["--model_path", folder, "--data", tmp_path / "data.pkl", "--device", "cpu", "--json"]
    assert run_script(evaluate_model.main, *evaluated) == 0
    evaluation = json.loads(capsys.readouterr().out)
    assert evaluation["with_baseline"]
    assert evaluation["threshold"] == record["threshold"]
    assert evaluation["tuned"]["accuracy"]["value"] == 1.0
    assert "Its probabilities are mixed with the baseline's" in (folder / "README.md").read_text("utf-8")


def test_a_single_file_has_its_baseline_in_it(call, tmp_path):
    assert call("--with_baseline", "on")[0] == call("--with_baseline", "on", output="model.pt")[0] == 0
    assert shares(tmp_path / "model.pt") == pytest.approx(shares(tmp_path / "model"), abs=1e-6)
    assert {path.name for path in tmp_path.iterdir()} >= {"model.pt", "model"}
    shutil.copytree(tmp_path / "model", tmp_path / "copy")
    (tmp_path / "copy" / "baseline.json").unlink()
    assert run_script(evaluate_model.main, "--model_path", tmp_path / "copy", "--data", tmp_path / "data.pkl") == 1


def test_folds_judge_the_mixture(call, tmp_path):
    assert call("--with_baseline", "on", "--folds", 2)[0] == 0
    folds = json.loads((tmp_path / "model" / "run.json").read_text("utf-8"))["folds"]
    assert folds["mean"]["tuned"]["accuracy"] == folds["mean"]["tfidf_logistic_regression"]["accuracy"] == 1.0
    assert call("--folds", 2, output="alone")[0] == 0
    alone = json.loads((tmp_path / "alone" / "run.json").read_text("utf-8"))["folds"]
    assert alone["mean"]["tuned"]["accuracy"] < 1.0


def test_impossible_mixtures_are_refused(call, tmp_path):
    code, out, err = call("--with_baseline", "on", validation=4)
    assert (code, out) == (3, "")
    assert_one_error(err, "has 4 validation texts, too few for --with_baseline on")
    save_processed(tmp_path / "texts.pkl", processed_data(train=["a text"] * 9))
    code, out, err = call("--with_baseline", "auto", "--data", tmp_path / "texts.pkl")
    assert (code, out) == (2, "")
    assert_one_error(err, "--with_baseline is for models that classify texts")
