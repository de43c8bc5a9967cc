"""Mistakes in the report: the number of texts that are tried without single words."""

from types import SimpleNamespace

import pytest

from utils.evaluation.labels import texts
from utils.evaluation.labels.telling_words import PIECES


@pytest.mark.parametrize(("tested", "expected"), [(20, 3), (200, 3), (600, 7), (5000, 10)])
def test_leaving_words_out_costs_little_beside_the_test_texts(tested, expected, monkeypatch):
    asked = []

    def telling(classifier, some, labels, **options):
        asked.extend(zip(some, labels, strict=True))
        return [[{"words": "a", "start": 0, "drop": 0.5}] for _ in some]

    monkeypatch.setattr(texts, "telling_words", telling)
    mistakes = [{"text": f"a {n}", "label": "no", "prediction": "yes", "probability": 0.9} for n in range(12)]
    shown = texts.confident_mistakes(SimpleNamespace(labels=["no", "yes"]), mistakes, tested, bfloat16=False)
    assert len(shown) == 10 and asked == [(f"a {n}", 1) for n in range(expected)]
    assert ["words" in mistake for mistake in shown] == [n < expected for n in range(10)]
    assert expected == 3 or expected * (PIECES + 1) <= tested / 5
