"""Words left out of texts: against asking a model by hand, and texts that are long, or have no words."""

import numpy as np
import pytest
from small_classifiers import LONGEST, save_classifier

from utils.evaluation.labels.telling_words import PIECES, telling_words
from utils.inference import classifier as classifiers


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return classifiers.open_classifier(str(save_classifier(tmp_path_factory.mktemp("model") / "m", ["no", "yes"])))


def probability(classifier, text: str, label: int) -> float:
    return float(classifiers.classify_texts(classifier, [text]).probabilities[0, label])


def test_the_words_whose_absence_costs_most(classifier):
    """The second of two texts: its answers are not mixed up with those of the first."""
    text, label = "the tea was not lovely at all", 0
    words = text.split()
    whole = probability(classifier, text, label)
    left = {word: " ".join(other for other in words if other != word) for word in words}
    drops = {word: whole - probability(classifier, rest, label) for word, rest in left.items()}
    expected = sorted(((drop, word) for word, drop in drops.items() if drop >= 0.005), reverse=True)[:3]
    assert expected
    _, found = telling_words(classifier, ["some other text", text], [1, label])
    assert [each["words"] for each in found] == [word for _, word in expected]
    assert [text[each["start"] :].split()[0] for each in found] == [word for _, word in expected]
    assert [each["drop"] for each in found] == pytest.approx([drop for drop, _ in expected], abs=1e-6)


@pytest.mark.parametrize(
    "text", ["word " * 2000, "x" * 10_000, "字" * 3000, "a\x00b \u202etxet " * 700, "  ", "", "x", "😀 😀"]
)
def test_long_and_odd_texts_cost_few_classifications(classifier, text, monkeypatch):
    asked = []
    classify = classifiers.classify_texts

    def counting(model, texts, **options):
        asked.extend(texts)
        return classify(model, texts, **options)

    monkeypatch.setattr("utils.evaluation.labels.telling_words.classify_texts", counting)
    (found,) = telling_words(classifier, [text], [1])
    assert len(asked) <= PIECES + 1
    assert len(found) <= 3
    assert all(len(each["words"]) <= 60 and 0 < each["drop"] <= 1 for each in found)


def test_words_that_the_model_does_not_read_tell_nothing(classifier):
    """A token is a byte: of these words, the first ones fit."""
    text = " ".join(f"word{number:02d}" for number in range(40))
    shown = {each["words"] for label in (0, 1) for each in telling_words(classifier, [text], [label])[0]}
    assert shown
    read = [word for word in text.split() if text.index(word) + len(word) <= LONGEST]
    assert shown <= set(read)


@pytest.mark.parametrize(
    "text", ["\n the  tea \t was\nnot  lovely   at all ", "\u3000字字字字字字字字字字字字字字字字字字字字字"]
)
def test_the_words_have_their_place_in_one_line(classifier, text):
    line = " ".join(text.split())
    found = [each for label in (0, 1) for each in telling_words(classifier, [text], [label])[0]]
    assert found
    for each in found:
        assert line[each["start"] :].startswith(each["words"])


def test_no_text_is_no_question(classifier):
    assert telling_words(classifier, [], []) == []


def test_longer_texts_are_divided_evenly(classifier):
    words = [f"w{number}" for number in range(18)]
    found = {each["words"] for label in (0, 1) for each in telling_words(classifier, [" ".join(words)], [label])[0]}
    assert found
    assert {len(each.split()) for each in found} <= {1, 2}
    assert np.isin([word for each in found for word in each.split()], words).all()
