"""The classification metric: figures against scikit-learn, intervals against plain loops and scipy."""

import math

import numpy as np
import pytest
import sklearn.metrics as reference
from scipy.stats import binomtest

from utils.metrics import bootstrap
from utils.metrics.classification import Classification, classification_difference
from utils.metrics.shares import share_difference_interval


@pytest.fixture(scope="module")
def metric():
    return Classification(keep_in_memory=True)


def made_up(texts: int, classes: int, seed: int = 1, decimals: int | None = None):
    """Predictions, true classes and probabilities of a fair classifier; rounded ones have ties."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.full(classes, 0.7), texts)
    truth = np.array([generator.choice(classes, p=row) for row in probabilities])
    if decimals is not None:
        probabilities = np.round(probabilities, decimals) + 0.01
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities.argmax(axis=1), truth, probabilities


def figures_of_scikit_learn(predictions, truth, probabilities) -> dict[str, float]:
    classes = probabilities.shape[1]
    figures = {"accuracy": reference.accuracy_score(truth, predictions)}
    for name in ("precision", "recall", "f1"):
        score = getattr(reference, f"{name}_score")
        figures[f"macro_{name}"] = score(truth, predictions, average="macro", zero_division=0)
        if classes == 2:
            figures[name] = score(truth, predictions, pos_label=1, zero_division=0)
    if classes == 2:
        probabilities, scores = probabilities[:, 1], {}
    else:
        scores = {"multi_class": "ovr", "average": "macro"}
    figures["roc_auc"] = reference.roc_auc_score(truth, probabilities, **scores)
    figures["log_loss"] = reference.log_loss(truth, probabilities, labels=range(classes))
    figures["brier_score"] = reference.brier_score_loss(truth, probabilities, labels=range(classes))
    return figures


def plain_figures(predictions, truth, probabilities) -> dict[str, float | None]:
    """Each figure by its definition, text by text and pair by pair; None for an undefined ROC-AUC."""
    texts = list(zip(predictions, truth, probabilities, strict=True))
    classes = range(len(probabilities[0]))

    def share(part: float, whole: float) -> float:
        return part / whole if whole else 0.0

    by_class = {"precision": {}, "recall": {}, "f1": {}}
    areas = {}
    for number in classes:
        found, there = ([text[side] == number for text in texts] for side in (0, 1))
        both = sum(map(all, zip(found, there, strict=True)))
        if any(found) or any(there):
            by_class["precision"][number] = share(both, sum(found))
            by_class["recall"][number] = share(both, sum(there))
            by_class["f1"][number] = share(2 * both, sum(found) + sum(there))
        inside, outside = (
            [row[number] for _, label, row in texts if (label == number) is side] for side in (True, False)
        )
        if inside and outside:
            won = sum((high > low) + (high == low) / 2 for high in inside for low in outside)
            areas[number] = won / len(inside) / len(outside)
    figures = {"accuracy": sum(found == label for found, label, _ in texts) / len(texts)}
    for name, values in by_class.items():
        figures[f"macro_{name}"] = sum(values.values()) / len(values)
    if len(classes) == 2:
        figures |= {name: values.get(1, 0.0) for name, values in by_class.items()}
        areas.pop(0, None)
    figures["roc_auc"] = sum(areas.values()) / len(areas) if areas else None
    figures["log_loss"] = -sum(math.log(row[label]) for _, label, row in texts) / len(texts)
    off = [sum((row[number] - (label == number)) ** 2 for number in classes) for _, label, row in texts]
    figures["brier_score"] = sum(off) / len(texts) / (2 if len(classes) == 2 else 1)
    gaps = [0.0] * 15
    for found, label, row in texts:
        gaps[next(bin for bin in range(15) if row[found] <= (bin + 1) / 15)] += (found == label) - row[found]
    figures["expected_calibration_error"] = sum(map(abs, gaps)) / len(texts)
    return figures


def values_of(result: dict) -> dict[str, float | None]:
    return {
        name: figure and figure["value"]
        for name, figure in result.items()
        if name not in ("confusion_matrix", "texts", "calibrated_error")
    }


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("decimals", [None, 1])
def test_figures_are_those_of_scikit_learn(metric, classes, decimals):
    predictions, truth, probabilities = made_up(300, classes, decimals=decimals)
    result = metric.compute(predictions=predictions, references=truth, probabilities=probabilities)
    plain = plain_figures(predictions.tolist(), truth.tolist(), probabilities.tolist())
    assert values_of(result) == pytest.approx(plain, rel=1e-9)
    plain.pop("expected_calibration_error")  # scikit-learn has none
    assert plain == pytest.approx(figures_of_scikit_learn(predictions, truth, probabilities), rel=1e-9)
    assert result["confusion_matrix"] == reference.confusion_matrix(truth, predictions).tolist()
    assert result["texts"] == 300


def test_a_threshold_may_decide_otherwise_than_the_likeliest_class(metric):
    _, truth, probabilities = made_up(200, 2)
    predictions = (probabilities[:, 1] >= 0.3).astype(int)
    result = metric.compute(predictions=predictions, references=truth, probabilities=probabilities)
    assert values_of(result) == pytest.approx(
        plain_figures(predictions.tolist(), truth.tolist(), probabilities.tolist()), rel=1e-9
    )


@pytest.mark.parametrize(("texts", "classes"), [(300, 2), (400, 3)])
def test_intervals_are_near_those_of_a_slow_bootstrap(metric, texts, classes):
    """With hundreds of texts, all methods agree; the slow bootstrap hands every draw over, text by text."""
    predictions, truth, probabilities = made_up(texts, classes, seed=5)
    generator = np.random.default_rng(3)
    draws = []
    for _ in range(250):
        rows = generator.integers(texts, size=texts)
        draws.append(figures_of_scikit_learn(*(side[rows] for side in (predictions, truth, probabilities))))
    result = metric.compute(predictions=predictions, references=truth, probabilities=probabilities)
    for name in draws[0]:
        low, high = np.percentile([draw[name] for draw in draws], [2.5, 97.5])
        tolerance = 0.2 * (high - low)
        assert (result[name]["low"], result[name]["high"]) == pytest.approx((low, high), abs=tolerance), name


def test_the_log_loss_has_the_interval_of_its_resamples(metric):
    predictions, truth, probabilities = made_up(30, 3, seed=5)
    losses = -np.log(probabilities[np.arange(30), truth])
    generator = np.random.default_rng(4)
    low, high = np.percentile([losses[generator.integers(30, size=30)].mean() for _ in range(1000)], [2.5, 97.5])
    found = metric.compute(predictions=predictions, references=truth, probabilities=probabilities, seed=4)["log_loss"]
    assert (found["low"], found["high"]) == pytest.approx((low, high))


def test_shares_have_wilsons_interval(metric):
    """Nine of ten right, one of two rare ones found, and one text that only seems to be rare."""
    truth, predictions = [0] * 48 + [1] * 2, [0] * 47 + [1] * 2 + [0]
    found = metric.compute(predictions=predictions, references=truth, probabilities=[[0.6, 0.4]] * 50)
    for name, right, of in (("accuracy", 48, 50), ("precision", 1, 2), ("recall", 1, 2)):
        expected = binomtest(right, of).proportion_ci(method="wilson")
        assert list(found[name].values()) == pytest.approx([right / of, *expected]), name
    of_either = binomtest(1, 3).proportion_ci(method="wilson")
    ends = [2 * share / (1 + share) for share in (1 / 3, *of_either)]
    assert list(found["f1"].values()) == pytest.approx(ends)


def test_texts_of_one_source_count_for_less(metric):
    predictions, truth, probabilities = (np.repeat(side, 4, axis=0) for side in made_up(40, 2))
    inputs = {"predictions": predictions, "references": truth, "probabilities": probabilities}
    apart, together = metric.compute(**inputs), metric.compute(**inputs, clusters=[row // 4 for row in range(160)])
    for name in ("accuracy", "macro_f1", "roc_auc", "brier_score", "log_loss"):
        wider = (together[name]["high"] - together[name]["low"]) / (apart[name]["high"] - apart[name]["low"])
        assert 1.6 < wider < 2.3, name  # four times the same text: half the precision


def test_the_bootstrap_in_blocks_is_that_in_one(metric, monkeypatch):
    predictions, truth, probabilities = made_up(30, 2)
    inputs = {"predictions": predictions, "references": truth, "probabilities": probabilities}
    in_one = metric.compute(**inputs)
    monkeypatch.setattr(bootstrap, "CELLS_AT_ONCE", 30 * 7)
    assert metric.compute(**inputs) == in_one
    assert metric.compute(**inputs, seed=1) != in_one


def test_a_test_split_of_one_class_has_no_area_and_finite_intervals(metric):
    result = metric.compute(predictions=[0, 0, 1], references=[0, 0, 0], probabilities=[[0.9, 0.1]] * 2 + [[0.2, 0.8]])
    assert result["roc_auc"] is None
    assert result["accuracy"]["value"] == pytest.approx(2 / 3)
    assert result["recall"] == {"value": 0.0, "low": 0.0, "high": 0.0}  # no text has that class
    assert result["macro_f1"]["value"] == pytest.approx(0.8 / 2)
    figures = [figure for name, figure in result.items() if name.endswith(("accuracy", "f1", "error", "score", "loss"))]
    assert len(figures) == 7
    assert np.isfinite([number for figure in figures for number in figure.values()]).all()


def test_a_class_that_one_text_has(metric):
    """That it was found says little about others."""
    truth = [0] * 9 + [1]
    second = [0.1, 0.2, 0.3, 0.4, 0.1, 0.2, 0.3, 0.4, 0.9, 0.8]
    probabilities = [[1 - share, share] for share in second]
    result = metric.compute(predictions=[0] * 8 + [1, 1], references=truth, probabilities=probabilities)
    assert result["roc_auc"]["value"] == pytest.approx(8 / 9)
    assert 0.3 < result["roc_auc"]["low"] < result["roc_auc"]["value"] < result["roc_auc"]["high"] < 1.0
    assert result["recall"]["low"] < 0.25 < result["recall"]["high"] == 1.0


def test_a_class_that_nothing_has_is_in_no_mean(metric):
    probabilities = [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]]
    result = metric.compute(predictions=[0, 1], references=[0, 1], probabilities=probabilities)
    assert result["macro_f1"]["value"] == result["macro_f1"]["high"] == 1.0
    assert result["confusion_matrix"] == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert "f1" not in result


def test_each_fifteenth_is_a_bin(metric):
    """A text in the first and one in the second: their gaps of +0.95 and -0.1 don't cancel out."""
    result = metric.compute(predictions=[1, 1], references=[1, 0], probabilities=[[0.95, 0.05], [0.9, 0.1]])
    assert result["expected_calibration_error"]["value"] == pytest.approx((0.95 + 0.1) / 2)


def test_certain_and_wrong_is_no_infinite_loss(metric):
    result = metric.compute(predictions=[0], references=[1], probabilities=[[1.0, 0.0]])
    assert result["log_loss"]["value"] == pytest.approx(-np.log(np.finfo(float).eps))
    assert result["brier_score"]["value"] == 1.0
    assert result["expected_calibration_error"]["value"] == 1.0


@pytest.mark.parametrize(
    ("predictions", "references", "probabilities", "message"),
    [
        ([], [], np.empty((0, 2)), "no texts"),
        ([0], [2], [[0.5, 0.5]], "references hold a class number outside 0 to 1"),
        ([-1], [1], [[0.5, 0.5]], "predictions hold a class number outside 0 to 1"),
        ([0, 1], [0, 1], [[0.5, 0.5]], "2 predictions for 1 texts"),
        ([0, 1], [0, 1], [[0.5, 0.5], [np.nan, np.nan]], "text 1: .* not probabilities"),
        ([0], [0], [[2.0, -1.0]], "text 0: .* not probabilities"),
        ([0], [0], [[0.2, 0.2]], "text 0: .* not probabilities"),
        ([0], [0], [[1.0]], r"shape \(1, 1\)"),
    ],
)
def test_wrong_predictions_and_labels_are_an_error(metric, predictions, references, probabilities, message):
    with pytest.raises(ValueError, match=message):
        metric.compute(predictions=predictions, references=references, probabilities=probabilities)


def test_the_paired_difference_is_that_of_a_slow_bootstrap():
    predictions, truth, _ = made_up(30, 3, seed=2)
    baseline = np.random.default_rng(9).integers(3, size=30)
    generator = np.random.default_rng(4)

    def plain(rows):
        unused = [[0.3, 0.3, 0.4]] * len(rows)
        ours, theirs = (
            plain_figures(found[rows].tolist(), truth[rows].tolist(), unused) for found in (predictions, baseline)
        )
        return [ours[name] - theirs[name] for name in ("accuracy", "macro_f1")]

    draws = np.array([plain(generator.integers(30, size=30)) for _ in range(1000)])
    lows, highs = np.percentile(draws, [2.5, 97.5], axis=0)
    found = classification_difference(truth, predictions, baseline, 3, seed=4)
    assert list(found) == ["accuracy", "macro_f1"]
    accuracy, macro_f1 = plain(np.arange(30))
    assert list(found["macro_f1"].values()) == pytest.approx([macro_f1, lows[1], highs[1]], rel=1e-9)
    right = [(side == truth).tolist() for side in (predictions, baseline)]
    assert found["accuracy"] == share_difference_interval(*right)
    assert found["accuracy"]["value"] == pytest.approx(accuracy)


def test_pairing_sees_a_gain_that_separate_intervals_hide(metric):
    """Right about the same 70 of 100 texts and about 8 more: the intervals overlap, but the difference is above 0."""
    truth = np.zeros(100, dtype=int)
    baseline, tuned = (np.where(np.arange(100) < right, 0, 1) for right in (70, 78))
    before, after = (
        metric.compute(predictions=found, references=truth, probabilities=np.full((100, 2), 0.5))["accuracy"]
        for found in (baseline, tuned)
    )
    assert before["high"] > after["low"]
    difference = classification_difference(truth, tuned, baseline, 2)["accuracy"]
    assert difference["value"] == pytest.approx(0.08)
    assert 0 < difference["low"] < 0.08 < difference["high"]


def test_the_paired_difference_checks_its_input():
    with pytest.raises(ValueError, match="2 predictions for 3 texts"):
        classification_difference([0, 1, 0], [0, 1, 0], [0, 1], 2)
    with pytest.raises(ValueError, match="no texts"):
        classification_difference([], [], [], 2)
