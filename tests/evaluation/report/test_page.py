"""The page: its contents, and its treatment of strangers' texts."""

import json
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest
from hostile import TEXT, hostile
from reported_tasks import TASKS

from utils.evaluation.report.page import LONGEST, MOST_BYTES, render, render_page, spans
from utils.evaluation.report.section import Section, Table, Text, Texts
from utils.evaluation.report.summary import verdict

EMPTY = {"title": "m", "subtitle": "s", "verdict": "v", "own_output": "", "notes": [], "table": None, "sections": []}
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """The elements of a page, its texts by element, and whether its tags are closed in order."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.texts = [], [], {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(text)

    def named(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.mark.parametrize("task", TASKS)
def test_a_page_reads_without_network_and_script_and_embeds_its_figures(evaluations, task):
    html = render(evaluations[task])
    page = Page(html)
    assert len(html.encode()) < MOST_BYTES
    [script] = page.named("script")
    assert script == {"type": "application/json", "id": "evaluation"}
    assert json.loads("".join(page.texts["script"])) == evaluations[task]
    policy = next(one["content"] for one in page.named("meta") if "http-equiv" in one)
    assert policy.startswith("default-src 'none';")
    addresses = [value for _, one in page.elements for name, value in one.items() if name in ("src", "href", "action")]
    assert addresses == ["data:,"]
    titles = "".join(page.texts["h2"])
    for title in ("Training data", "Training", "Reproducing the run"):
        assert title in titles


@pytest.mark.parametrize("task", TASKS)
def test_every_picture_has_a_description_and_a_table(evaluations, task):
    page = Page(render(evaluations[task]))
    pictures = page.named("svg")
    assert len(pictures) >= 3
    assert all(one["role"] == "img" and len(one["aria-label"]) > 20 for one in pictures)
    assert len(page.named("figure")) == len(page.named("details")) == len(pictures)


@pytest.mark.parametrize("task", TASKS)
def test_strangers_texts_are_texts(evaluations, task):
    evaluation = json.loads(json.dumps(evaluations[task]))
    html = render(hostile(evaluation))
    html.encode()
    page = Page(html)
    assert len(page.named("script")) == 1 and page.named("img") == []
    assert not {name for _, one in page.elements for name in one if name.startswith("on")}
    assert "{{ 7 * 7 }}" in html
    assert not set(html) & {"\x00", "\x1b", "\u202e", "\u2066"}
    assert json.loads("".join(page.texts["script"])) == hostile(evaluation)


@pytest.mark.parametrize("task", TASKS)
def test_an_evaluation_of_an_earlier_version_has_a_page(evaluations, task):
    new = ("data", "training", "points", "per_text", "trained_on_other_data", "samples", "written_samples")
    old = {name: value for name, value in evaluations[task].items() if name not in new}
    assert "Training data" not in render(old)


def test_large_parts_are_left_out_with_a_note():
    data = {"kind": "generate", "per_text": {"nll": list(range(300_000))}}
    assert "(per_text) is in the file alone" in render_page(EMPTY, data)
    data["points"] = list(range(300_000))
    page = render_page(EMPTY, data)
    assert "too many to be embedded" in page and len(page) < 50_000


def test_a_long_text_is_cut_and_its_marks_stay():
    parts, cut = spans(Text("tuned", "ab" * 5000, marked=((1, 3), (599, 700), (9000, 9100))))
    assert "".join(part for part, _ in parts) == "ab" * (LONGEST // 2)
    assert [part for part, marked in parts if marked] == ["ba", "b"]
    assert cut == "… 10,000 characters in all"
    assert spans(Text("tuned", "a\nb\x00")) == ([("a\nb\\x00", False)], "")


def test_columns_of_numbers_are_aligned_and_intervals_apart():
    table = Table("t", ("label", "accuracy"), (("a", "0.5 [0.4, 0.6]"), ("b", "–")))
    html = render_page({**EMPTY, "sections": [Section("s", tables=(table,))]}, {})
    assert '<td class="number"><bdi>0.5</bdi> <span class="interval">[0.4, 0.6]</span></td>' in html
    assert '<th scope="row"><bdi>a</bdi></th>' in html


def test_texts_side_by_side_have_their_own_direction():
    texts = Texts("samples", ((Text("base", "a"), Text("tuned", TEXT, note="0.9")),))
    html = render_page({**EMPTY, "sections": [Section("s", texts=(texts,), commands=("python x.py --a '<b>'",))]}, {})
    assert html.count('<blockquote dir="auto">') == 2
    assert "python x.py --a &#39;&lt;b&gt;&#39;" in html


INTERVAL = {"value": 0.07, "low": 0.04, "high": 0.11}
NONE = {"value": 0.01, "low": -0.02, "high": 0.05}
BITS = {"value": 1.7826, "low": 1.719, "high": 1.8505}
LESS = {"value": -0.4596, "low": -0.4901, "high": -0.4316}


def _negative(figure: dict) -> dict:
    return {"value": -figure["value"], "low": -figure["high"], "high": -figure["low"]}


@pytest.mark.parametrize(
    ("evaluation", "expected"),
    [
        (
            {"kind": "classify", "texts": 430, "difference": {"macro_f1": INTERVAL}},
            "Beats TF-IDF + logistic regression by 0.070 [0.040, 0.110] in macro F1 on 430 texts it has not seen.",
        ),
        (
            {"kind": "classify", "texts": 430, "difference": {"macro_f1": _negative(INTERVAL)}},
            "Is worse than TF-IDF + logistic regression, by 0.070 [0.040, 0.110] in macro F1 on 430 texts "
            "it has not seen.",
        ),
        (
            {"kind": "classify", "texts": 1, "difference": {"macro_f1": NONE}, "trained_on_other_data": True},
            "Is not clearly better than TF-IDF + logistic regression: +0.010 [-0.020, +0.050] in macro F1 on 1 text "
            "that it may have seen.",
        ),
        (
            {"kind": "emoji", "rows": 300, "difference": {"nearest_description": {"top_1": INTERVAL}}},
            "Beats the nearest training description by 0.070 [0.040, 0.110] in top-1 accuracy on 300 "
            "descriptions it has not seen.",
        ),
        (
            {"tuned": {"texts": 202, "bits_per_byte": BITS}, "bits_per_byte_difference": LESS},
            "Beats its base model by 0.460 [0.432, 0.490] bits per byte on 202 texts it has not seen.",
        ),
        (
            {"tuned": {"texts": 202, "bits_per_byte": BITS}, "bits_per_byte_difference": _negative(LESS)},
            "Is worse than its base model, by 0.460 [0.432, 0.490] bits per byte on 202 texts it has not seen.",
        ),
        (
            {"kind": "instruct", "rows": 9, "tuned": {"bits_per_byte": BITS}, "difference": {"bits_per_byte": NONE}},
            "Is not clearly better than its base model: +0.010 [-0.020, +0.050] bits per byte on 9 answers it has "
            "not seen.",
        ),
    ],
)
def test_the_verdict_follows_the_interval(evaluation, expected):
    assert verdict(evaluation) == expected


def test_training_curves_are_those_of_the_log(models, evaluations):
    log = [json.loads(line) for line in (models / "tweets" / "log.jsonl").read_text("utf-8").splitlines()]
    losses = [entry["loss"] for entry in log if "loss" in entry]
    assert len(losses) == 4
    assert [entry["loss"] for entry in evaluations["tweets"]["training"]["log"] if "loss" in entry] == losses
    svg = (models / "tweets" / "training.svg").read_text("utf-8")
    root = ElementTree.fromstring(svg)
    assert root.get("aria-label").startswith("Loss during training.") and "var(" not in svg
