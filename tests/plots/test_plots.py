"""Plots, read back from their SVG: numbers lie where they belong, and strangers' texts are texts."""

import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

from utils.plots.bars import bars, histogram
from utils.plots.dots import dots_with_intervals
from utils.plots.frame import text_width
from utils.plots.lines import Limit, Mark, Series, lines
from utils.plots.loss_curves import loss_curves
from utils.plots.matrix import matrix
from utils.plots.plot import VARIABLE, WIDTH, standalone

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script>\"'&\x00\x1b\u202e\ud800"
FIGURE = {"value": 0.5, "low": 0.4, "high": 0.7}


def elements(plot, name: str) -> list:
    return ElementTree.fromstring(str(plot.svg)).findall(f"{SVG}{name}")


def texts(plot) -> list[str]:
    return [element.text for element in elements(plot, "text")]


def points(element) -> list[tuple[float, float]]:
    return [tuple(map(float, point.split(","))) for point in element.get("points").split()]


def test_a_curve_goes_through_its_points():
    curve = Series("loss", [0, 50, 100], [4, 1, 2])
    plot = lines("Loss", [curve], "step", "nats", "d", x_range=(0, 100), y_range=(0, 4))
    [line] = elements(plot, "polyline")
    (x0, y0), (x50, y1), (x100, y2) = points(line)
    assert x50 - x0 == pytest.approx(x100 - x50)
    assert y1 - y2 == pytest.approx((y2 - y0) / 2, abs=0.02)  # down the page are less; 1, 2 and 4
    assert {"Loss", "step", "nats", "100", "4"} <= set(texts(plot))
    assert plot.rows == (("0", "4"), ("50", "1"), ("100", "2"))


def test_values_that_are_no_numbers_leave_no_gap_in_a_curve():
    plot = lines("t", [Series("a", [0, 1, 2, 3], [1, None, float("nan"), 2])], "x", "y", "d")
    assert plot.rows == (("0", "1"), ("3", "2"))


def test_a_band_is_around_its_curve_and_a_mark_on_its_point():
    curve = Series("roc", [0, 1], [0.5, 0.6], [0.4, 0.5], [0.6, 0.8])
    plot = lines("t", [curve], "x", "y", "d", marks=[Mark(1, 0.6, "kept")], limit=Limit(0.5, "threshold"))
    [line], [band] = (
        elements(plot, "polyline"),
        [one for one in elements(plot, "polygon") if "band" in one.get("class", "")],
    )
    (_, high0), (_, high1), (_, low1), (_, low0) = points(band)
    (_, y0), (x1, y1) = points(line)
    assert high0 < y0 < low0 and high1 < y1 < low1
    ring = next(one for one in elements(plot, "circle") if one.get("fill") == "none")
    assert (float(ring.get("cx")), float(ring.get("cy"))) == (x1, y1)
    assert {"kept", "threshold"} <= set(texts(plot))
    assert plot.rows[1] == ("1", "0.6000 [0.5000, 0.8000]")


def test_bars_are_as_long_as_their_values():
    plot = bars("Dropped", ["reply", "retweet", "none"], {"rows": [200, 50, None]}, "rows", "d")
    widths = [float(bar.get("width")) for bar in elements(plot, "rect")]
    assert widths[0] == pytest.approx(4 * widths[1], abs=0.1) and len(widths) == 2
    assert plot.rows == (("reply", "200"), ("retweet", "50"), ("none", "–"))
    assert bars("t", [], {"rows": []}, "rows", "d").rows == ()


def test_names_are_whole_in_several_lines_where_they_are_long():
    names = ["conflicting labels", "unqualified or minimally-qualified variant", "kept"]
    for plot in (
        bars("Dropped", names, {"rows": [3, 2, 1]}, "rows", "d"),
        dots_with_intervals("F1", names, {"this model": [FIGURE] * 3}, "F1", "d"),
    ):
        shown = [text for text in elements(plot, "text") if text.get("text-anchor") == "end"]
        assert [text.text for text in shown] == [
            "conflicting labels",
            "unqualified or",
            "minimally-qualified variant",
            "kept",
        ]
        places = [float(text.get("y")) for text in shown]
        assert all(after - before >= 15 for before, after in pairwise(places))


@pytest.mark.parametrize(
    ("ys", "place"), [([3, 2, 1], "above"), ([3, 1, 2], "below"), ([1, 2, 3], "below"), ([1, 3, 1], "above")]
)
def test_the_name_of_a_mark_is_beside_its_curve(ys, place):
    curve = Series("loss", [0, 50, 100], ys)
    plot = lines("Loss", [curve], "step", "nats", "d", marks=[Mark(50, ys[1], "kept: step 50")], y_range=(0, 4))
    [name] = [text for text in elements(plot, "text") if text.text == "kept: step 50"]
    ring = next(one for one in elements(plot, "circle") if one.get("fill") == "none")
    assert (float(name.get("y")) < float(ring.get("cy"))) == (place == "above")


def test_a_histogram_has_its_counts_and_limits():
    plot = histogram("Lengths", [0, 10, 20], {"texts": [3, 6]}, "tokens", "texts", "d", marked=[Limit(15, "cut")])
    first, second = elements(plot, "rect")
    assert float(second.get("height")) == pytest.approx(2 * float(first.get("height")), abs=0.1)
    assert float(second.get("x")) == pytest.approx(float(first.get("x")) + float(first.get("width")), abs=0.1)
    limit = next(one for one in elements(plot, "line") if one.get("stroke-dasharray"))
    assert float(limit.get("x1")) == pytest.approx(float(second.get("x")) + float(second.get("width")) / 2, abs=0.1)
    assert plot.rows == (("0 to 10", "3"), ("10 to 20", "6"))
    with pytest.raises(ValueError, match="3 edges"):
        histogram("t", [0, 1, 2], {"a": [1]}, "x", "y", "d")


def test_a_matrix_has_counts_and_shares_of_rows():
    plot = matrix("m", ["no", "yes"], [[3, 1], [0, 0]], "true", "predicted", "d")
    assert {"3", "75%", "1", "25%"} <= set(texts(plot))
    assert plot.rows == (("no", "3 (75%)", "1 (25%)"), ("yes", "0", "0"))


def test_a_matrix_of_sixty_labels_is_small_and_lists_the_greatest_first():
    labels = [f"label {number}" for number in range(60)]
    counts = [[1 + (row == column) * 9 + (row == 7 and column == 3) * 50 for column in range(60)] for row in range(60)]
    plot = matrix("m", labels, counts, "true", "predicted", "d")
    assert len(plot.svg) < 120_000
    assert plot.rows[0] == ("8: label 7", "4: label 3", "51", "43%")


def test_dots_have_their_intervals():
    plot = dots_with_intervals("t", ["a", "b"], {"tuned": [FIGURE, None], "base": [FIGURE, FIGURE]}, "share", "d")
    assert plot.rows == (("a", *["0.500 [0.400, 0.700]"] * 2), ("b", "–", "0.500 [0.400, 0.700]"))
    assert len(elements(plot, "circle")) == 2  # one dot and the legend's


def test_a_long_title_of_an_axis_lies_within_the_plot():
    title = "bits per byte; less than 0 is better than the base model"
    plot = dots_with_intervals("Differences", ["a rather long name"], {"difference": [FIGURE]}, title, "")
    [written] = [element for element in elements(plot, "text") if element.text == title]
    assert written.get("text-anchor") == "middle"
    assert float(written.get("x")) + text_width(title) / 2 <= WIDTH


@pytest.mark.parametrize("size", [1, 3])
def test_strangers_texts_are_texts(size):
    names = [HOSTILE * size]
    plots = [
        lines(
            *names, [Series(*names, [1], [1]), Series("b", [1], [2])], *names, *names, *names, limit=Limit(1, *names)
        ),
        bars(*names, names, {names[0]: [1], "b": [2]}, *names, *names),
        histogram(*names, [0, 1], {names[0]: [1], "b": [2]}, *names, *names, *names, marked=[Limit(1, *names)]),
        matrix(*names, names, [[1]], *names, *names, *names),
        dots_with_intervals(*names, names, {names[0]: [FIGURE], "b": [None]}, *names, *names),
    ]
    for plot in plots:
        root = ElementTree.fromstring(str(plot.svg))  # it is XML
        assert not [one for one in root.iter() if one.tag == f"{SVG}script"]
        assert root.get("aria-label").startswith("<script>")
        assert root.find(f"{SVG}title").text.startswith("<script>alert(1)</script>\"'&\\x00\\x1b\\u202e\\ud800")


def test_a_file_of_its_own_has_colors():
    plot = lines("t", [Series("a", [0, 1], [0, 1])], "x", "y", "d")
    assert VARIABLE.search(plot.svg) and not VARIABLE.search(standalone(plot.svg))
    assert "#0072b2" in standalone(plot.svg)
    assert "<svg" in plot._repr_html_()


def test_losses_are_drawn_and_the_kept_step_marked():
    log = [
        {"step": 0, "eval_loss": 3.0, "eval_macro_f1": 0.3},
        {"step": 5, "loss": 2.5},
        {"step": 10, "eval_loss": 2.0, "eval_macro_f1": 0.6},
        {"step": 10, "samples": ["x"]},
    ]
    losses, figures = loss_curves(log, 10)
    assert losses.rows == (("training", "5", "2.5000"), ("validation", "0", "3"), ("validation", "10", "2"))
    assert "kept: step 10" in texts(losses) and "kept: step 10" in texts(figures)
    assert "went from 3 to 2" in losses.description and "step 10" in losses.description
    [once] = loss_curves([{"step": 10, "loss": 3.0}], None)
    assert once.description == "Training loss was measured once, at step 10: 3."
    assert loss_curves([{"step": 1, "samples": []}], None) == []


def test_losses_of_several_runs_are_curves_of_their_own():
    log = [{"step": step, "eval_loss": run + step, "run": run} for run in (1, 2) for step in (0, 5)]
    log.append({"run": "average", "eval_loss": 0.5})
    [plot] = loss_curves(log, 5)
    assert {"validation, run 1", "validation, run 2"} <= set(texts(plot))
    assert "kept: step 5" not in texts(plot)
