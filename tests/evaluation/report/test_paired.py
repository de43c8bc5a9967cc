"""Differences of several models on the same test texts."""

from pathlib import Path

import numpy as np
import pytest

from utils.errors import DataError
from utils.evaluation.report.comparison import render_comparison
from utils.evaluation.report.paired import check_paired, paired_differences

A, B = Path("a.json"), Path("b.json")


def writer(nll: list[float], **changes) -> dict:
    rows = list(range(len(nll)))
    per_text = {"row": rows, "cluster": rows, "nll": nll, "bytes": [10] * len(nll), **changes.pop("per_text", {})}
    figure = {"value": 1.0, "low": 0.9, "high": 1.1}
    tuned = dict.fromkeys(("bits_per_byte", "perplexity", "token_accuracy"), figure) | {"texts": len(nll)}
    return {"model_path": "models/m", "data_sha256": "x", "tuned": tuned, "per_text": per_text, **changes}


def test_bits_per_byte_are_compared_text_by_text():
    easy_and_hard = np.linspace(1, 100, 50)
    texts, difference = paired_differences("generate", writer(list(easy_and_hard)), writer(list(easy_and_hard + 1)))
    difference = difference["bits_per_byte"]
    assert texts == 50
    assert difference["value"] == pytest.approx(-1 / 10 / np.log(2))
    assert difference["high"] - difference["low"] < 1e-9  # though the texts differ a hundredfold


def test_only_texts_that_both_measured_alike_are_compared():
    one = writer([1.0, 2.0, 3.0, 4.0], per_text={"row": [0, 1, 2, 3]})
    other = writer([9.0, 2.5, 3.5, 4.5], per_text={"row": [7, 1, 2, 3], "bytes": [10, 10, 10, 99]})
    texts, difference = paired_differences("generate", one, other)
    assert texts == 2 and difference["bits_per_byte"]["value"] == pytest.approx(-0.05 / np.log(2))
    other["per_text"]["bytes"] = [1, 2, 3, 4]
    assert paired_differences("generate", one, other) == (0, {})


def test_rows_of_one_source_are_drawn_together():
    rng = np.random.default_rng(0)
    gains = np.repeat(rng.normal(size=10), 20)  # twenty equal rows of each source
    zero = writer([50.0] * 200)
    alone = writer(list(50 + gains))
    together = writer(list(50 + gains), per_text={"cluster": list(np.repeat(range(10), 20))})
    widths = []
    for one in (alone, together):
        figure = paired_differences("generate", one, zero)[1]["bits_per_byte"]
        widths.append(figure["high"] - figure["low"])
    assert widths[1] > 3 * widths[0]


def test_labels_are_compared_by_their_names():
    rows = {"row": [0, 1, 2, 3], "cluster": [0, 1, 2, 3]}
    one = {"labels": ["no", "yes"], "per_text": {**rows, "label": [0, 1, 1, 0], "prediction": [0, 1, 1, 1]}}
    other = {"labels": ["yes", "no"], "per_text": {**rows, "label": [1, 0, 0, 1], "prediction": [1, 0, 1, 0]}}
    texts, difference = paired_differences("classify", one, other)
    assert texts == 4 and difference["accuracy"]["value"] == pytest.approx(0.75 - 0.5)


def test_places_of_emoji_are_compared():
    rows = {"row": [0, 1, 2], "cluster": [0, 1, 2]}
    one, other = ({"per_text": {**rows, "place": place}} for place in ([1, 1, None], [1, 2, None]))
    assert paired_differences("emoji", one, other)[1]["top_1"]["value"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"per_text": {"row": [7, 8]}}, "different rows"),
        ({"data_sha256": "y"}, "different test data"),
        ({"per_text": {"nll": [1.0]}}, "has no figures of single texts"),
        ({"per_text": {"nll": None}}, "has no figures of single texts"),
    ],
)
def test_figures_of_other_texts_are_not_compared(changes, words):
    with pytest.raises(DataError, match=words):
        check_paired({A: writer([1.0, 2.0]), B: writer([1.0, 2.0], **changes)}, "generate")
    old = writer([1.0, 2.0])
    del old["per_text"]
    with pytest.raises(DataError, match="evaluate that model again"):
        check_paired({A: writer([1.0, 2.0]), B: old}, "generate")


def test_the_page_names_the_best_and_whom_it_beats():
    log = [{"step": step, "epoch": step / 4, "eval_loss": 3 - step / 10} for step in (0, 4)]
    best = writer([float(n) for n in range(1, 40)], model_path="x/best", training={"log": log})
    worse = writer([n + 1.0 for n in range(1, 40)], model_path="x/<b>worse", training={"log": log})
    html = render_comparison({A: worse, B: best}, [B, A])
    assert "best has the best bits per byte: clearly better than &lt;b&gt;worse on the same texts." in html
    assert "Validation loss" in html and "-0.1443 [-0.1443, -0.1443]" in html.replace(
        '</bdi> <span class="interval">', " "
    )
    alike = render_comparison({A: best, B: {**best, "model_path": "y/best"}}, [A, B])
    assert "Both models have the same bits per byte on the same texts." in alike
    unclear = writer([float(n) + (-1) ** n for n in range(1, 40)], model_path="y/other")
    assert "is not clearly better than" in render_comparison({A: best, B: unclear}, [A, B])
