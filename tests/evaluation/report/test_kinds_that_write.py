"""The report's sections on models that write: their text agrees with evaluation.json, for any strangers' texts."""

import json
import re
from pathlib import Path

import pytest
from running import run_script
from small_models import processed_data, random_model, tiny_tokenizer

import evaluate_model
from utils.evaluation.report import answers, emoji, writers
from utils.evaluation.report.page import render
from utils.evaluation.report.shown import percent
from utils.models import saving
from utils.models.checkpoint import Trained
from utils.processed import save_processed

HOSTILE = "<script>alert(1)</script> \x00\x07 \u202eשלום 👩🏽‍🚒 </mark>"
SIDES = ("tuned", "base", "test texts")


def figure(value: float, room: float = 0.05) -> dict:
    return {"value": value, "low": value - room, "high": value + room}


def piece(text: str, copied=None, words: int = 0, row: int | None = None) -> dict:
    nearest = None if row is None else {"text": f"train {text}", "cut_before": 7, "cut_after": 0, "row": row}
    if nearest:
        nearest["copied"] = [copied[0] + 6, copied[1] + 6]
    return {
        "text": text, "cut_before": 0, "cut_after": 12, "copied": copied, "copied_words": words, "exact_copy": False,
        "nearest": nearest,
    }  # fmt: skip


def histogram(names) -> dict:
    counts = {name: [number, 3, 0] for number, name in enumerate(names, 1)}
    return {
        "edges": [0, 5, 10, 15],
        "counts": counts,
        "above": dict.fromkeys(names, 1),
        "median": dict.fromkeys(names, 7.0),
    }


def common(**facts) -> dict:
    likelihood = {"perplexity": figure(20.0), "token_accuracy": figure(0.3), "texts": 202, "tokens": 900}
    return {
        "model_path": "models/mine", "data_path": "data.pkl", "data_sha256": "0" * 64, "base_model": "tiny",
        "tuned": {**likelihood, "bits_per_byte": figure(1.5)},
        "base": {**likelihood, "bits_per_byte": figure(1.9)},
        "bits_per_byte_difference_by_part": {
            "end_token": figure(-0.1), "first_token": figure(-0.1), "between": figure(-0.2)
        },
        **facts,
    }  # fmt: skip


def writing(sides=SIDES, **facts) -> dict:
    extreme = {"row": 4, "bytes": 9, "tuned": 0.25, "base": 3.5, "text": HOSTILE, "cut_before": 0, "cut_after": 0}
    extreme["copied"] = None
    novelty = [figure(0.1 * n) for n in range(1, 9)] + [None, None]
    return common(
        bits_per_byte_difference=figure(-0.46, 0.03),
        copies={side: {"words": 8, "exact": figure(0.01), "long_run": figure(0.03)} for side in sides},
        novelty=dict.fromkeys(sides, novelty),
        repetition={side: {"2": figure(0.4), "3": figure(0.2), "4": None} for side in sides},
        distinct={
            side: {"distinct_1": 0.5, "distinct_2": 0.75, "distinct_3": None, "distinct_4": None} for side in sides
        },
        copying={
            side: {"texts": 64, "training_texts": 900, "median_copied_words": 3.0, "longest_copied_words": 11}
            for side in sides
        },
        finished={side: figure(0.9) for side in sides if side != "test texts"},
        words=histogram(sides),
        samples=[{"base": piece("nothing shared"), "tuned": piece(HOSTILE, [0, 8], 1, 41)}],
        longest_copies=[piece("copied words here", [0, 12], 2, 8)],
        single_texts={
            "train": {"texts": 202, "of": 900, "bits_per_byte": figure(1.2)},
            "histogram": histogram(("train", "test")),
            "extremes": {
                "test": {"least": [extreme, extreme], "most": [extreme]},
                "train": {"least": [{key: value for key, value in extreme.items() if key != "base"}], "most": []},
            },
        },
        **facts,
    )


def answering(**facts) -> dict:
    answer = {"text": HOSTILE, "cut_before": 0, "cut_after": 0, "copied": None, "tokens": 33, "finished": False}
    text = {"text": "asked", "cut_before": 0, "cut_after": 0, "copied": None}
    measured = {"words": figure(12.0), "finished": figure(0.8)}
    bins = [
        {"from": 1, "to": 1, "rows": 5, "reference_words": 1.0, "tuned": measured, "base": measured},
        {"from": 2, "to": 30, "rows": 9, "reference_words": 14.0, "tuned": measured, "base": measured},
    ]
    evaluation = common(
        kind="instruct", rows=14, rows_left_out=0, decoding={"max_new_tokens": 64},
        difference={"bits_per_byte": figure(-0.3), "chrf": figure(2.0, 0.5)},
        words=histogram(("tuned", "base", "references")), length_by_reference=bins,
        chrf_of_answers=histogram(("tuned", "base")),
        samples=[{
            "row": 2, "instruction": text, "input": None, "earlier_messages": 2, "reference": text, "tuned": answer,
            "base": {**answer, "finished": True},
        }],
        **facts,
    )  # fmt: skip
    for side, ended in (("tuned", 0.8), ("base", 0.5)):
        evaluation[side] |= {
            "finished": figure(ended),
            "chrf": figure(30.0),
            "bleu": figure(4.0),
            "rouge_l": figure(0.2),
        }
    return evaluation


def finding(**facts) -> dict:
    sides = ("tuned", "base", "nearest_description")
    top = {"top_1": figure(0.5), "top_5": figure(0.7), "mean_reciprocal_rank": figure(0.6)}
    ranked = [{"emoji": emoji, "concept": f"concept {emoji}", "probability": 0.6} for emoji in "🐈🐕"]
    example = {
        "row": 3,
        "description": HOSTILE,
        "emoji": "🐈",
        "concept": "cat",
        "right": ["🐈"],
        "place": 1,
        "ranked": ranked,
    }
    mistake = {
        "description": HOSTILE,
        "emoji": "🐈",
        "prediction": "🐕",
        "probability": 0.9,
        "place": None,
        "right_concept": False,
    }
    evaluation = common(
        kind="emoji", rows=120, concepts=80, targets=3010, measured_on="unseen concepts", rows_of_trained_emoji=0,
        right_by_rank={side: [figure(0.3 + rank / 100) for rank in range(20)] for side in sides},
        right_by_probability=[{"from": 0.1, "to": 0.2, "rows": 1, "mean_probability": 0.15, "right": figure(0.4)}],
        right_by_group=[{"group": "Flags <i>", "rows": 9, **dict.fromkeys(sides, figure(0.25))}],
        examples={"right": [example], "wrong": [{**example, "place": None}]},
        most_confident_mistakes=[mistake], mistakes=60, depth=50,
        baselines={"nearest_description": top}, difference={"nearest_description": {"top_1": figure(0.1)}},
        **facts,
    )  # fmt: skip
    for side in ("tuned", "base"):
        evaluation[side] = top
    del evaluation["bits_per_byte_difference_by_part"]
    return evaluation


KINDS = {"writers": (writers, writing), "answers": (answers, answering), "emoji": (emoji, finding)}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def test_the_page_shows_strangers_texts_as_text(kind):
    page = render(kind[1]())
    body = page[page.index("<body") : page.index('<script type="application/json"')]
    assert "<script" not in body
    assert "&lt;script&gt;alert(1)" in body
    assert "\x00" not in page
    assert "\u202e" not in body
    assert body.count("<mark>") == body.count("</mark>")


def test_every_picture_has_a_description_and_a_table(kind):
    for section in kind[0].sections(kind[1]()):
        for plot in section.plots:
            assert re.search(r"\d", plot.description)
            assert "None" not in plot.description
            assert plot.rows
            assert {len(row) for row in plot.rows} == {len(plot.header)}


def test_an_evaluation_of_an_earlier_version_has_no_sections_but_a_page(kind):
    evaluation = kind[1]()
    old = ("base_model", "model_path", "data_path", "data_sha256", "tuned", "kind", "rows", "baselines", "difference")
    old += ("targets", "mistakes")
    evaluation = {name: value for name, value in evaluation.items() if name in old}
    assert kind[0].sections(evaluation) == []
    assert "An earlier version wrote this evaluation" in render(evaluation)
    assert "An earlier version" not in render(kind[1]() | {"per_text": {}})


def words_of(text) -> str:
    return text.text[text.marked[0][0] : text.marked[0][1]] if text.marked else ""


def test_writers_samples_stand_beside_the_training_text():
    [texts] = writers.sections(writing())[-1].texts
    [(base, tuned, nearest)] = texts.entries
    assert (base.name, tuned.name, nearest.name) == ("base model", "this model", "nearest training text")
    assert (words_of(base), words_of(tuned), words_of(nearest)) == ("", "<script>", "<script>")
    assert tuned.note == "1 word in a row copied · 12 characters cut after"
    assert nearest.note == "row 42 · 7 characters cut before"


def test_writers_novelty_is_drawn_in_per_cent():
    [plot] = writers.sections(writing())[0].plots
    assert plot.header[1:] == ("this model", "base model", "test texts")
    assert [row[0] for row in plot.rows] == [str(n) for n in range(1, 9)]  # nothing where there is nothing
    assert plot.rows[3][1].startswith("40 [")
    assert "of 8 words: this model 80% [75, 85], base model 80% [75, 85] and test texts" in plot.description


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        (figure(-0.46, 0.03), "Beats its base model by 0.460 [0.430, 0.490] bits per byte on 202 texts"),
        (figure(0.2, 0.1), "Is worse than its base model, by 0.200 [0.100, 0.300] bits per byte on"),
        (figure(0.0, 0.1), "Is not clearly better than its base model"),
    ],
)
def test_writers_verdict_is_honest(side, expected):
    page = render({**writing(), "bits_per_byte_difference": side})
    assert f'<p class="verdict">{expected}' in page
    share = percent(figure(0.03))
    assert f"Of the 64 texts it wrote, {share} copy 8 words in a row or more; of the test texts, {share}." in page


def test_writers_without_base():
    evaluation = writing(sides=("tuned", "test texts"))
    del evaluation["base"], evaluation["bits_per_byte_difference"], evaluation["bits_per_byte_difference_by_part"]
    evaluation["samples"] = [{"tuned": piece("alone")}]
    page = render(evaluation)
    assert "; its base model was not measured." in page
    assert "none shares a word" in page


@pytest.mark.parametrize(
    ("chrf", "expected"),
    [
        (figure(2.0, 0.5), "closer to the references by 2.0 chrF [1.5, 2.5]."),
        (figure(-2.0, 0.5), "farther from the references by 2.0 chrF [1.5, 2.5]."),
        (figure(0.1, 0.5), "not clearly closer to the references (chrF +0.1 [-0.4, +0.6])."),
    ],
)
def test_answers_verdict_is_honest(chrf, expected):
    verdict = answers.own_output(answering() | {"difference": {"chrf": chrf}})
    assert verdict.startswith(f"{percent(figure(0.8))} of its answers end by themselves (its base model's: ")
    assert verdict.endswith(expected)


def test_answers_that_were_cut_are_marked_as_such():
    [(asked, reference, base, tuned)] = answers.sections(answering())[-1].texts[0].entries
    assert (asked.note, reference.note, base.note, tuned.note) == (
        "row 3, after 2 more messages", "", "", "cut after 33 tokens"
    )  # fmt: skip
    assert tuned.text == HOSTILE


def test_emoji_examples_mark_the_right_one():
    right, wrong = emoji.sections(finding())[1].texts
    [(described, own, ranked)] = right.entries
    assert (described.text, own.text, own.note) == (HOSTILE, "🐈 cat", "at place 1")
    assert ranked.text == "🐈 concept 🐈 60.0%\n🐕 concept 🐕 60.0%"
    assert words_of(ranked) == "🐈"
    assert wrong.entries[0][1].note == "not among the first 20"


@pytest.mark.parametrize(
    ("concept", "shown"),
    [("1F922", "nauseated face"), ("1F415 200D 1F9BA", "service dog"), ("1F1EB 1F1F7", "France"), ("ABBA", "ABBA")],
)
def test_a_concept_that_is_a_code_point_has_its_name(concept, shown):
    evaluation = finding()
    evaluation["examples"]["right"][0]["concept"] = concept
    right, _ = emoji.sections(evaluation)[1].texts
    assert right.entries[0][1].text == f"🐈 {shown}"


@pytest.mark.parametrize(("known", "words"), [(0, "none of the right ones do."), (2, "the right ones of 2 of these ")])
def test_emoji_that_the_nearest_description_can_find(known, words):
    assert words in emoji.sections(finding() | {"rows_of_trained_emoji": known})[0].sentences[1]


def test_lengths_beside_the_references_have_one_range_on_both_axes():
    svg = str(answers.sections(answering())[0].plots[0].svg)
    [diagonal] = re.findall(r'<line x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="([\d.]+)"[^>]*dasharray="3 3"', svg)
    [axis] = set(re.findall(r'<line x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="\2"[^>]*var\(--muted', svg))
    assert [float(place) for place in diagonal[:3]] == [float(place) for place in axis]


def test_emoji_verdict():
    assert emoji.own_output(finding()) == (
        f"Of 3,010 emoji, the right one is first for {percent(figure(0.5))} of the descriptions and among the "
        f"first five for {percent(figure(0.7))}."
    )


@pytest.mark.parametrize("number", [1, 3])
def test_a_page_of_few_and_hostile_texts(tmp_path, monkeypatch, capsys, number):
    """Long texts, right to left, controls, empty ones, and no word in common with training."""
    monkeypatch.chdir(tmp_path)
    test = [HOSTILE, "x" * 10_000, "שלום \u202e\u2066 לכולם"][:number]
    save_processed(Path("texts.pkl"), processed_data(train=["aaa bbb", "\x01\x02"], validation=["v"], test=test))
    saving.save(Path("model"), Trained(random_model("gpt2"), tiny_tokenizer(), {}), "", "")
    Path("model/run.json").unlink()
    words = ["--model_path", "model", "--data", "texts.pkl", "--num_samples", 3, "--max_new_tokens", 4, "--report"]
    assert run_script(evaluate_model.main, *words) == 0, capsys.readouterr().err
    page = Path("model/report.html").read_text("utf-8")
    assert len(page.encode()) < 200_000
    assert not set("\x00\x01\x07\u202e\u2066") & set(page[: page.index('id="evaluation"')])
    assert "Easy and hard texts" in page
    evaluation = json.loads(Path("model/evaluation.json").read_text("utf-8"))
    assert evaluation["per_text"]["row"] == list(range(number))
    assert all(piece["nearest"] is None for sample in evaluation["samples"] for piece in sample.values())
