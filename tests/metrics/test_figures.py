"""The records of figures: every figure that a metric returns has one, and tables show figures that exist."""

import pytest

from utils.metrics.answers import Answers
from utils.metrics.classification import Classification
from utils.metrics.figures import ANSWERS, CLASSIFICATION, COMPARED, EMOJI, FIGURES, LIKELIHOOD, ON_CARD
from utils.metrics.likelihood import Likelihood
from utils.metrics.ranking import Ranking
from utils.tasks.kinds import KINDS

COUNTS = {"texts", "tokens", "answers", "words", "rows", "clusters", "signatures", "confusion_matrix"}


@pytest.mark.parametrize(
    ("metric", "inputs", "shown"),
    [
        (Likelihood, {"predictions": [1.0], "references": [{"tokens": 1, "bytes": 2, "correct": 1}]}, LIKELIHOOD),
        (Answers, {"predictions": ["a b"], "references": ["a b"], "finished": [True]}, ANSWERS),
        (
            Classification,
            {"predictions": [0, 1], "references": [0, 1], "probabilities": [[0.9, 0.1], [0.2, 0.8]]},
            CLASSIFICATION,
        ),
        (Ranking, {"predictions": [["a"]], "references": [["a"]]}, EMOJI[:3]),
    ],
)
def test_every_figure_of_a_metric_is_shown(metric, inputs, shown):
    found = metric(keep_in_memory=True).compute(**inputs)
    assert found.keys() - COUNTS == {figure.name for figure in shown}


@pytest.mark.parametrize("tables", [COMPARED, ON_CARD])
def test_every_kind_has_its_tables(tables):
    assert tables.keys() == KINDS.keys()
    assert all(figure.name in FIGURES for figures in tables.values() for figure in figures)


def test_the_best_model_is_decided_by_a_figure_that_is_always_there():
    for first, *_ in COMPARED.values():
        assert not first.optional
        assert first.greater_is_better is not None


def test_the_title_and_patterns_of_a_figure():
    accuracy = FIGURES["accuracy"]
    assert (accuracy.title, accuracy.pattern, accuracy.difference_pattern) == ("accuracy", "{:.3f}", "{:+.3f}")
    assert (accuracy.on_card.title, accuracy.on_card.pattern) == ("Accuracy", "{:.1%}")
    assert FIGURES["chrf"].on_card.title == "chrF"
    assert FIGURES["perplexity"].difference_pattern.format(1234.5) == "+1,234.50"
