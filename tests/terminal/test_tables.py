"""Tables of figures: alignment, intervals, missing figures, and Markdown."""

import pytest

from utils.metrics.figures import ANSWERS, FIGURES, ON_CARD
from utils.terminal.tables import confusion_rows, figure_rows, format_table, markdown_table, with_interval


def test_a_table_aligns_figures_right_and_words_left():
    rows = [["perplexity", "80.12", "−39.6 [−41, −38]", "yes"], ["bits per byte", "1.8", "–", "no"]]
    assert format_table(["", "base", "difference", "better"], rows) == (
        "                base        difference  better\n"
        "─────────────  ─────  ────────────────  ──────\n"
        "perplexity     80.12  −39.6 [−41, −38]  yes\n"
        "bits per byte    1.8                 –  no"
    )


def test_a_table_without_rows_is_its_header():
    assert format_table(["a", "bc"], []) == "a  bc\n─  ──"


def test_a_figure_that_could_not_be_measured_is_a_dash():
    assert with_interval(None, "{:.3f}") == "–"


def test_a_markdown_table_keeps_bars_inside_its_cells():
    assert markdown_table(["", "a|b"], [["c|d", "1"]]) == "|  | a\\|b |\n| --- | --- |\n| c\\|d | 1 |"


def test_a_short_row_is_refused():
    with pytest.raises(ValueError, match="zip"):
        format_table(["a", "b"], [["1"]])


def test_an_interval_is_written_with_its_pattern():
    assert with_interval({"value": 1.25, "low": 1.2, "high": 1.3049}, "{:.2f}") == "1.25 [1.20, 1.30]"


def test_rows_of_figures_have_their_titles_and_patterns():
    measured = {"value": 0.125, "low": 0.1, "high": 0.15}
    bleu, _, rouge_l, finished, *_ = figure_rows(ANSWERS, [{"bleu": measured, "rouge_l": measured}, {"bleu": None}])
    assert bleu == ["BLEU", "0.12 [0.10, 0.15]", "–"]
    assert rouge_l == ["ROUGE-L", "0.125 [0.100, 0.150]", "–"]
    assert finished == ["answers that ended by themselves", "–", "–"]


def test_a_model_card_has_titles_and_patterns_of_its_own():
    measured = {"value": 0.125, "low": 0.1, "high": 0.15}
    assert figure_rows([FIGURES["accuracy"]], [{"accuracy": measured}]) == [["accuracy", "0.125 [0.100, 0.150]"]]
    assert figure_rows(ON_CARD["classify"][:1], [{"accuracy": measured}]) == [["Accuracy", "12.5% [10.0%, 15.0%]"]]


def test_rows_of_a_confusion_matrix():
    assert confusion_rows(["bad", "good"], [[1090, 10], [8, 92]]) == [["bad", "1,090", "10"], ["good", "8", "92"]]
