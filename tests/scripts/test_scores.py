"""`--labels score` through all scripts: raw stars → pickle → model → scores of texts → figures and the page."""

import csv
import json
import pickle
import re

import numpy as np
import pytest
from running import assert_one_error, run_script
from sklearn.metrics import mean_absolute_error
from trained_classifiers import FAST, trained

import classify
import evaluate_model
import fine_tune
import preprocess
from utils.processed import load_processed

WORDS = {1: "dreadful", 2: "poor", 3: "average", 4: "good", 5: "superb"}


@pytest.fixture(scope="module")
def stars(tmp_path_factory):
    """A table of texts whose stars depend on one word, from 1 to 5 and times ten."""
    path = tmp_path_factory.mktemp("stars") / "stars.csv"
    rows = [(f"a {WORDS[1 + number % 5]} thing, number {number}", 10 * (1 + number % 5)) for number in range(300)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("review", "stars"), *rows])
    return path


@pytest.fixture(scope="module")
def data(stars):
    path = stars.with_name("stars.pkl")
    words = ["--task", "reviews", "--labels", "score", "--data", stars, "--model", "tiny", "--output_path", path]
    assert run_script(preprocess.main, *words, "--near_duplicates", "off") == 0
    return path


@pytest.fixture(scope="module", params=["gpt2", "bert"])
def model(request, data):
    """Models with a head without a bias, and with one."""
    return trained(request.param, data)


def test_the_pickle_has_numbers_that_any_python_reads(data):
    content = pickle.loads(data.read_bytes())
    assert (content["recipe"]["kind"], content["recipe"]["labels"]) == ("score", ["score"])
    assert set(content["splits"]["train"]["label"]) == {10.0, 20.0, 30.0, 40.0, 50.0}
    assert content["audit"]["scores"]["train"] == {
        "mean": pytest.approx(30, abs=0.5), "deviation": pytest.approx(200**0.5, abs=0.3), "lowest": 10, "highest": 50,
    }  # fmt: skip


def test_any_tool_gives_the_scores_that_classify_gives(model, data):
    from transformers import pipeline

    config = json.loads((model / "config.json").read_text())
    assert (config["problem_type"], config["id2label"]) == ("regression", {"0": "score"})
    texts = load_processed(data).splits["test"].prompt[:5]
    found = classify.classify(texts, model, precision="fp32", device="cpu")
    assert [each.keys() for each in found] == [{"text", "score"}] * 5
    other = pipeline("text-classification", model=str(model), truncation=True, device="cpu")
    assert [each["score"] for each in other(texts)] == pytest.approx([each["score"] for each in found], rel=1e-4)


def test_it_learns_the_scores_in_their_own_scale(model, data, capsys):
    run = json.loads((model / "run.json").read_text())
    train = load_processed(data).splits["train"].label
    assert run["calibration"] == {"scale": pytest.approx(np.std(train))}
    assert run["results"]["validation_rmse_after"] < 0.7 * np.std(train)
    assert "validation root mean squared error" in (model / "README.md").read_text().casefold()


def test_evaluation_measures_what_classify_gives(model, data, capsys):
    errors = data.with_name("errors.csv")
    words = ["--model_path", model, "--data", data, "--device", "cpu", "--report", "--overwrite"]
    capsys.readouterr()
    assert run_script(evaluate_model.main, *words, "--errors_path", errors) == 0
    shown = capsys.readouterr().out
    evaluation = json.loads((model / "evaluation.json").read_text())
    test = load_processed(data).splits["test"]
    scores = [each["score"] for each in classify.classify(test.prompt, model, precision="fp32", device="cpu")]
    assert evaluation["tuned"]["mae"]["value"] == pytest.approx(mean_absolute_error(test.label, scores), rel=1e-4)
    assert evaluation["baselines"]["mean"]["mae"]["value"] == pytest.approx(12, abs=0.5)
    assert evaluation["baselines"]["mean"]["spearman"] is None
    assert f"{evaluation['tuned']['rmse']['value']:.3f}" in shown
    page = (model / "report.html").read_text()
    assert "Low and high scores" in page
    assert "Mean prediction by given score" in page
    with errors.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(test)
    assert [float(row["prediction"]) - float(row["score"]) for row in rows] == pytest.approx(
        [float(row["error"]) for row in rows], abs=1e-5
    )
    assert "root mean squared error" in (model / "README.md").read_text().casefold()


def test_a_file_gets_one_column_and_is_compared_with_its_scores(model, stars, tmp_path, capsys):
    capsys.readouterr()
    words = ["--data", stars, "--output_path", tmp_path / "scored.csv", "--label_column", "stars", "--json"]
    assert run_script(classify.main, "--model_path", model, *words, "--device", "cpu", "--precision", "fp32") == 0
    out, err = capsys.readouterr()
    with (tmp_path / "scored.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["review", "stars", "score"]
    expected = mean_absolute_error([float(row["stars"]) for row in rows], [float(row["score"]) for row in rows])
    assert json.loads(out)["scores"]["mae"] == pytest.approx(expected, abs=1e-4)
    assert f"MAE {expected:.3f}" in err


@pytest.mark.parametrize(("factor", "added"), [(0.1, 2000), (1e-9, 0), (123456.7, 0)])
def test_scores_of_any_size_and_distance_from_0(stars, tmp_path, capsys, factor, added):
    with stars.open() as file:
        texts = [(row["review"], added + factor * float(row["stars"])) for row in csv.DictReader(file)]
    table, pickled = tmp_path / "far.csv", tmp_path / "far.pkl"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("review", "stars"), *texts])
    words = ["--task", "reviews", "--labels", "score", "--data", table, "--model", "tiny", "--output_path", pickled]
    assert run_script(preprocess.main, *words, "--near_duplicates", "off") == 0
    model = trained("bert", pickled, "--precision", "bf16")
    run, deviation = json.loads((model / "run.json").read_text()), np.std([score for _, score in texts])
    assert run["results"]["validation_rmse_after"] < 0.7 * deviation
    scores = {}
    for precision in ("fp32", "bf16"):
        out = tmp_path / f"{precision}.csv"
        words = ["--data", table, "--output_path", out, "--device", "cpu", "--precision", precision]
        assert run_script(classify.main, "--model_path", model, *words) == 0
        with out.open() as file:
            scores[precision] = np.array([float(row["score"]) for row in csv.DictReader(file)])
    assert np.abs(scores["bf16"] - scores["fp32"]).max() < 0.25 * deviation  # the rounding of the states
    errors = tmp_path / "errors.csv"
    words = ["--data", pickled, "--errors_path", errors, "--device", "cpu"]
    capsys.readouterr()
    assert run_script(evaluate_model.main, "--model_path", model, *words) == 0
    shown = capsys.readouterr().out
    measured = json.loads((model / "evaluation.json").read_text())["tuned"]["mae"]["value"]
    assert float(re.search(r"mean absolute +(?:error +)?(\S+)", shown)[1].replace(",", "")) == pytest.approx(
        measured, rel=5e-3
    )
    with errors.open() as file:
        rows = list(csv.DictReader(file))
    given = dict(texts)
    assert [float(row["score"]) for row in rows] == pytest.approx([given[row["text"]] for row in rows], rel=1e-12)
    assert np.std([float(row["prediction"]) for row in rows]) > 0.3 * deviation


def test_lines_for_people(model, capsys):
    capsys.readouterr()
    assert (
        run_script(classify.main, "--model_path", model, "--text", "a poor thing", "--text", "", "--device", "cpu") == 0
    )
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r" *-?\d+\.\d{3}  a poor thing", first)
    assert second.split() == ["–", "no", "text"]


@pytest.mark.parametrize(
    "words",
    [
        ["--class_weights", "balanced"], ["--oversample"], ["--augment"], ["--threshold", 0.4],
        ["--label_errors", "errors.csv"], ["--train_head"], ["--loss_on", "all"],
    ],
)  # fmt: skip
def test_flags_for_classes_are_refused_before_any_work(words, data, tmp_path, capsys):
    assert run_script(fine_tune.main, "--data", data, "--output_path", tmp_path / "model", *words) == 2
    assert_one_error(capsys.readouterr().err, words[0], "the data is for models that score texts")
    assert not list(tmp_path.iterdir())


def test_a_model_is_evaluated_on_labels_of_its_own_kind(model, data, tmp_path, capsys):
    reviews = tmp_path / "reviews.csv"
    reviews.write_text("text,label\n" + "".join(f"thing {n} is {n % 2},{'ab'[n % 2]}\n" for n in range(60)))
    words = ["--task", "reviews", "--data", reviews, "--model", "tiny", "--output_path", tmp_path / "reviews.pkl"]
    assert run_script(preprocess.main, *words, "--near_duplicates", "off") == 0
    capsys.readouterr()
    assert run_script(evaluate_model.main, "--model_path", model, "--data", tmp_path / "reviews.pkl") == 3
    assert_one_error(capsys.readouterr().err, "was made to classify texts", "scores texts")


def test_search_and_soup_end_with_plain_scores(data, capsys):
    for words in (["--model_soup", 2, "--max_steps", 4], ["--search", 2, "--max_steps", 4]):
        folder = trained("gpt2", data, *words)
        capsys.readouterr()
        found = classify.classify(load_processed(data).splits["test"].prompt, folder, device="cpu", precision="fp32")
        assert 20 < np.mean([each["score"] for each in found]) < 40


def test_the_forecast_shows_a_score(data, tmp_path, capsys):
    words = ["--data", data, "--model", "tiny", "--max_steps", 2, "--dry_run", "--output_path", tmp_path / "model"]
    assert run_script(fine_tune.main, *words, *FAST) == 0
    shown = capsys.readouterr().out
    assert any(f"⟦{score}⟧" in shown for score in (10, 20, 30, 40, 50))
