"""Tables of figures: alignment, intervals, missing figures, and Markdown."""

import pytest

from utils.metrics.figures import ANSWERS, FIGURES, ON_CARD
from utils.terminal.tables import (
    confusion_rows,
    confusion_table,
    figure_rows,
    format_table,
    markdown_table,
    with_interval,
)
from utils.terminal.widths import width_of


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


def test_an_interval_that_would_look_like_0_has_digits():
    tiny = {"value": 2.5423e-9, "low": 1e-9, "high": 0.0003}
    assert with_interval(tiny, "{:,.3f}") == "2.54e-09 [1e-09, 0.0003]"
    assert with_interval(tiny, "{:+,.3f}") == "+2.54e-09 [+1e-09, +0.0003]"
    assert with_interval(tiny, "{:.3f}") == "0.000 [0.000, 0.000]"  # a share
    assert with_interval(tiny | {"high": 0.01}, "{:,.3f}") == "0.000 [0.000, 0.010]"
    assert with_interval(dict.fromkeys(tiny, 0.0), "{:,.3f}") == "0.000 [0.000, 0.000]"


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


def figure(value: float) -> str:
    return f"{value:.3f} [{value - 0.1:.3f}, {value + 0.1:.3f}]"


def assert_complete(table: str, cells, columns: int = 80) -> None:
    """Assert that no line is wider than the terminal, and that every word is there as often as in the cells."""
    lines = table.split("\n")
    assert max(map(width_of, lines)) <= columns
    text = " ".join(table.split())
    for word in {word for row in cells for cell in row for word in cell.split()}:
        assert text.count(word) >= sum(cell.split().count(word) for row in cells for cell in row), word


def test_a_wide_table_wraps_its_titles_and_headers():
    rows = [
        ["accuracy", *map(figure, (0.5, 0.4, 0.3))],
        ["… of perfectly calibrated ones", *map(figure, (0.1, 0.2, 0.6))],
    ]
    assert format_table(["", "tuned", "majority class", "TF-IDF + logistic regression"], rows) == (
        "                                                               TF-IDF + logistic\n"
        "                               tuned        majority class            regression\n"
        "──────────────  ────────────────────  ────────────────────  ────────────────────\n"
        "accuracy        0.500 [0.400, 0.600]  0.400 [0.300, 0.500]  0.300 [0.200, 0.400]\n"
        "… of perfectly  0.100 [0.000, 0.200]  0.200 [0.100, 0.300]  0.600 [0.500, 0.700]\n"
        "calibrated\n"
        "ones"
    )


def test_intervals_go_under_their_figures_and_columns_into_further_tables(monkeypatch):
    rows = [[f"model {name}", "base", *(figure(0.1 * number) for number in range(2, 9))] for name in "abc"]
    table = format_table(["model", "base model", *(f"figure {number}" for number in range(2, 9))], rows)
    assert_complete(table, rows)
    assert [block.split()[:2] for block in table.split("\n\n")] == [["model", "base"], ["model", "figure"]]
    assert "  0.200           0.300  " in table and "  [0.100, 0.300]  [0.200, 0.400]" in table
    monkeypatch.setenv("COLUMNS", "200")
    assert len(format_table(["model"], [["x"]]).split("\n")) == 3
    assert len(table.split("\n")) > len(format_table(["m", *"bcdefghi"], rows).split("\n")) == 5


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_texts_are_wrapped_by_columns_and_not_by_characters(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    rows = [
        ["0.9", "漢字 " * 30, "😿"],
        ["0.81", "ein e\u0301crit ❤️ " * 9, "short"],
        ["1", "x" * 150, "👨\u200d👩\u200d👧"],
    ]
    table = format_table(["probability", "text", "label"], rows)
    assert max(map(width_of, table.split("\n"))) == columns
    assert table.count("漢字") == 30 and table.count("x" * 9) * 9 + 30 >= 150 - 30
    assert "".join(table.split()).count("x") == 150 + 1  # one in "text"


def test_a_word_wider_than_any_column_is_broken_and_paths_after_a_slash():
    rows = [[f"models/{'long/' * 20}end", figure(0.5)]]
    lines = format_table(["model", "accuracy"], rows).split("\n")
    assert max(map(len, lines)) <= 80
    assert all(line.split("  ")[0].endswith(("/", "end")) for line in lines[2:])
    assert "".join(line[:58].strip() for line in lines[2:]) == rows[0][0]


def test_a_confusion_matrix_that_fits_is_a_matrix_and_a_large_one_a_list():
    assert confusion_table(["bad", "good"], [[1090, 10], [8, 92]]) == (
        "        bad  good\n────  ─────  ────\nbad   1,090    10\ngood      8    92"
    )
    labels = [f"label {number}" for number in range(60)]
    matrix = [[1000 if row == column else (row * column) % 2 for column in range(60)] for row in range(60)]
    table = confusion_table(labels, matrix)
    assert max(map(len, table.split("\n"))) <= 80
    assert "label 0     1,000  label 0 1,000\n" in table
    assert "label 1     1,029  label 1 1,000, label 3 1, label 5 1," in table
    assert table.count(" 1,000") == 60 + 30  # where nothing else was predicted, as the number of texts


def test_a_label_that_never_occurs_has_no_predictions():
    labels = ["a" * 28, "b" * 28, "c" * 28]
    assert confusion_table(labels, [[3, 0, 0], [0, 3, 0], [0, 0, 0]]).split("\n")[-1].split() == ["c" * 28, "0", "–"]
