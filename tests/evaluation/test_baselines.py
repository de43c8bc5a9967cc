"""The baselines: their predictions, the settings chosen on validation, and the verdict."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss

from utils.errors import DataError
from utils.evaluation.baselines import majority_class, verdict
from utils.processed import Split
from utils.training.baseline.tfidf import CLASS_WEIGHTS, INVERSE_REGULARIZATION, tfidf_logistic_regression

LABELS = ["bad", "good"]
GOOD = ["lovely warm soup", "a lovely evening", "great lovely staff", "great soup and great bread", "warm and great"]
BAD = ["cold awful soup", "an awful evening", "awful rude staff", "stale soup and awful bread", "cold and stale"]


def split(texts: list[str], labels: list[str]) -> Split:
    empty = [""] * len(texts)
    return Split(texts, empty, labels, texts, [[]] * len(texts), [0] * len(texts))


TRAIN = split(GOOD + BAD, ["good"] * 5 + ["bad"] * 5)
VALIDATION = split(["lovely bread", "stale bread", "great", "rude"], ["good", "bad", "good", "bad"])


def test_the_majority_is_that_of_the_train_split():
    train = split(["a", "b", "c", "d"], ["good", "bad", "good", "good"])
    found = majority_class(train, ["x", "y"], LABELS)
    assert found.predictions == [1, 1]
    assert found.probabilities.tolist() == [[0.25, 0.75], [0.25, 0.75]]
    assert found.settings == {"label": "good"}
    assert majority_class(TRAIN, ["x"], LABELS).predictions == [0]  # a draw


def test_the_regression_learns_words():
    found = tfidf_logistic_regression(TRAIN, VALIDATION, ["a great and lovely meal", "stale, cold, awful"], LABELS)
    assert found.predictions == [1, 0]
    assert found.probabilities.sum(axis=1) == pytest.approx([1, 1])
    assert found.train_seconds > 0


def noisy(seed: int, rows: int) -> Split:
    """Reviews in which the label decides only some of the words, three bad ones to one good one."""
    generator = np.random.default_rng(seed)
    labels = [LABELS[int(number)] for number in generator.random(rows) < 0.25]
    words = [*" ".join(GOOD).split(), *" ".join(BAD).split()]
    texts = [
        " ".join([*generator.choice(words, 6), generator.choice(" ".join(GOOD if label == "good" else BAD).split())])
        for label in labels
    ]
    return split(texts, labels)


@pytest.mark.parametrize(("seed", "chosen"), [(1, None), (10, "balanced")])
def test_settings_are_the_best_on_validation_and_the_model_is_scikit_learns(seed, chosen):
    train, validation, test = noisy(seed, 150), noisy(seed + 100, 60), noisy(3, 40)
    scores, answers = {}, {}
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    features = vectorizer.fit_transform(train.prompt)
    for weights in CLASS_WEIGHTS:
        for inverse in INVERSE_REGULARIZATION:
            model = LogisticRegression(C=inverse, class_weight=weights, max_iter=1000).fit(features, train.label)
            answer = model.predict(vectorizer.transform(validation.prompt))
            loss = log_loss(validation.label, model.predict_proba(vectorizer.transform(validation.prompt)))
            scores[inverse, weights] = f1_score(validation.label, answer, average="macro"), -loss
            answers[inverse, weights] = model.predict_proba(vectorizer.transform(test.prompt))
    best = max(scores, key=scores.get)
    assert best[1] == chosen
    assert len({score for score, _ in scores.values()}) > 3  # else any settings would do
    found = tfidf_logistic_regression(train, validation, test.prompt, LABELS)
    settings = {"C": best[0], "class_weight": best[1], "validation_macro_f1": pytest.approx(scores[best][0])}
    assert found.settings.items() >= settings.items()
    # Then it is calibrated as a model is: on validation, by likelihood and by macro F1.
    powers = answers[best] ** (1 / found.settings["temperature"])
    assert found.probabilities == pytest.approx(powers / powers.sum(axis=1, keepdims=True))
    assert found.settings["temperature"] != pytest.approx(1, abs=0.05)
    decided = (found.probabilities[:, 1] >= found.settings["threshold"]).astype(int)
    assert found.predictions == decided.tolist()
    again = tfidf_logistic_regression(train, validation, test.prompt, LABELS)
    assert (again.probabilities == found.probabilities).all()


def test_of_equal_scores_the_most_confident_is_chosen():
    """Every setting gets the easy validation texts right; the weakest regularization is the most confident."""
    found = tfidf_logistic_regression(TRAIN, VALIDATION, ["x"], LABELS)
    assert found.settings.items() >= {"C": 100.0, "class_weight": None, "validation_macro_f1": 1.0}.items()


def test_classes_keep_the_order_of_the_labels():
    """Not that of the alphabet, and a label without training rows has no probability."""
    labels = ["good", "unseen", "bad"]
    found = tfidf_logistic_regression(TRAIN, VALIDATION, ["great lovely", "awful stale"], labels)
    assert found.predictions == [0, 2]
    assert found.probabilities[:, 1] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert found.settings["threshold"] is None


def test_without_a_validation_split_nothing_is_chosen():
    found = tfidf_logistic_regression(TRAIN, split([], []), ["great lovely"], LABELS)
    nothing = {"validation_macro_f1": None, "temperature": 1.0, "threshold": 0.5}
    assert found.settings == {"C": 1.0, "class_weight": None, **nothing}
    assert found.predictions == [1]


def test_the_baseline_of_unequal_classes_gets_a_threshold_as_the_model_does():
    """One in ten is bad; by the likelier label alone the baseline would find hardly any of them."""
    generator = np.random.default_rng(13)

    def rare(rows: int) -> Split:
        labels = ["bad" if number % 10 == 0 else "good" for number in range(rows)]
        words = " ".join(GOOD + BAD).split()
        telling = {"bad": " ".join(BAD).split(), "good": " ".join(GOOD).split()}
        texts = [" ".join([*generator.choice(words, 8), *generator.choice(telling[label], 2)]) for label in labels]
        return split(texts, labels)

    train, validation, test = rare(300), rare(1000), rare(1000)
    found = tfidf_logistic_regression(train, validation, test.prompt, LABELS)
    truth = [LABELS.index(label) for label in test.label]
    likelier = found.probabilities.argmax(axis=1)
    assert found.settings["threshold"] > 0.55
    fitted, plain = (f1_score(truth, answers, average="macro") for answers in (found.predictions, likelier))
    assert fitted > plain + 0.02
    given = tfidf_logistic_regression(train, validation, test.prompt, LABELS, threshold="0.5")
    assert given.settings["threshold"] == 0.5
    assert given.predictions == likelier.tolist()


def test_emoji_count_as_words():
    train = split(["😀 x", "😀😀", "😡 x", "😡😡"], ["good", "good", "bad", "bad"])
    found = tfidf_logistic_regression(train, split([], []), ["y 😡", "😀!"], LABELS)
    assert found.predictions == [0, 1]


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (split(["some words", "more words"], ["good", "good"]), "rows of one label only"),
        (split(["a", "!"], ["good", "bad"]), "no word"),
    ],
)
def test_texts_of_one_class_or_without_words_are_an_error(train, message):
    with pytest.raises(DataError, match=message):
        tfidf_logistic_regression(train, VALIDATION, ["x"], LABELS)


@pytest.mark.parametrize(
    ("accuracy", "macro_f1", "said"),
    [
        ((0.01, 0.2), (0.02, 0.2), "better in accuracy (+0.100 [+0.010, +0.200]) and macro F1 "),
        ((0.0, 0.2), (-0.1, 0.2), "not clearly better in accuracy (+0.100 [+0.000, +0.200]) and macro F1 "),
        ((-0.1, 0.2), (0.02, 0.2), "better in macro F1 (+0.100 [+0.020, +0.200]), not clearly better in accuracy "),
        ((-0.2, -0.1), (-0.2, 0.1), "worse in accuracy (+0.100 [-0.200, -0.100]), not clearly better in macro F1 "),
    ],
)
def test_the_verdict(accuracy, macro_f1, said):
    difference = {
        name: {"value": 0.1, "low": low, "high": high}
        for name, (low, high) in (("accuracy", accuracy), ("macro_f1", macro_f1))
    }
    assert verdict(difference, "TF-IDF + logistic regression").startswith(said)
    assert verdict(difference, "TF-IDF + logistic regression").endswith(" than TF-IDF + logistic regression")
