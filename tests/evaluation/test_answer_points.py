"""The points of models that answer: lengths beside the references, chrF, samples, and the figures for comparisons."""

import json
import random
from itertools import pairwise

import pytest
import sacrebleu

from utils.compute.likelihood import TokenScores
from utils.evaluation.answer_points import answer_points
from utils.inference.generation import Generated
from utils.metrics.shares import share_interval
from utils.processed import Split

ROWS = 43
WORDS = ["tea", "is", "warm", "water", "and", "leaves"]


def case(rows: int = ROWS, references: list[str] | None = None):
    generator = random.Random(5)
    texts = lambda: [" ".join(generator.choices(WORDS, k=generator.randrange(1, 30))) for _ in range(rows)]  # noqa: E731
    references = references or texts()
    answers = {
        name: [Generated(text, len(text), generator.random() < 0.5) for text in texts()] for name in ("base", "tuned")
    }
    messages = [[{"role": "user", "content": f"Ask {row} \x00"}] for row in range(rows)]
    messages[1] = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, *messages[1]]
    messages[0][0]["input"] = "i" * 10_000
    split = Split(
        prompt=["p"] * rows,
        completion=references,
        label=[None] * rows,
        group=[f"group {row // 2}" for row in range(rows)],
        ids=[[]] * rows,
        loss_start=[0] * rows,
        metadata={"messages": messages},
    )
    encoded = [{"number": row, "bytes": len(text.encode())} for row, text in enumerate(references)]
    nll = [generator.random() * 100 for _ in range(rows)]
    scores = TokenScores(nll, *[[1] * rows for _ in range(2)], nll, nll)
    found = answer_points(answers, split, encoded, scores, [3 * row for row in range(rows)])
    json.dumps(found, allow_nan=False)
    return answers, split, nll, found


@pytest.fixture(scope="module")
def measured():
    return case()


def test_every_row_is_in_one_bin_of_its_reference(measured):
    answers, split, _, found = measured
    bins = found["length_by_reference"]
    assert len(bins) == 5
    assert sum(one["rows"] for one in bins) == ROWS
    assert all(one["to"] < following["from"] for one, following in pairwise(bins))
    for one in bins:
        rows = [row for row in range(ROWS) if one["from"] <= len(split.completion[row].split()) <= one["to"]]
        assert one["rows"] == len(rows)
        assert 3 <= len(rows) <= 15
        assert one["reference_words"] == pytest.approx(
            sum(len(split.completion[row].split()) for row in rows) / len(rows)
        )
        for name, some in answers.items():
            words = one[name]["words"]
            assert words["value"] == pytest.approx(sum(len(some[row].text.split()) for row in rows) / len(rows))
            assert words["low"] < words["value"] < words["high"]
            groups = [split.group[row] for row in rows]
            assert one[name]["finished"] == share_interval([some[row].finished for row in rows], groups)


@pytest.mark.parametrize(("rows", "references"), [(3, None), (12, ["one two"] * 12), (3, ["", "\x00", "שלום"])])
def test_few_rows_and_equal_lengths(rows, references):
    found = case(rows, references)[-1]
    bins = found["length_by_reference"]
    assert len(bins) == 1
    assert bins[0]["rows"] == rows
    assert len(found["samples"]) == min(8, rows)


def test_lengths_are_those_of_all_answers_and_references(measured):
    counted = measured[-1]["words"]
    assert counted["counts"].keys() == {"base", "tuned", "references"}
    assert {sum(counts) + counted["above"][name] for name, counts in counted["counts"].items()} == {ROWS}


def test_samples_are_the_first_rows(measured):
    answers, split, _, found = measured
    assert [one["row"] for one in found["samples"]] == [0, 3, 6, 9, 12, 15, 18, 21]
    first, second, third, *_ = found["samples"]
    assert (len(first["input"]["text"]), first["input"]["cut_after"]) == (400, 9_600)
    assert (first["earlier_messages"], second["earlier_messages"], third["input"]) == (0, 2, None)
    for place, one in enumerate(found["samples"]):
        assert one["instruction"]["text"] == f"Ask {place} \x00"
        assert one["reference"]["text"] == split.completion[place]
        for name, some in answers.items():
            assert (one[name]["text"], one[name]["finished"]) == (some[place].text, some[place].finished)


def test_figures_to_compare_models_are_of_each_row_in_order(measured):
    answers, split, nll, found = measured
    texts = found["per_text"]
    assert texts["row"] == [3 * row for row in range(ROWS)]
    assert texts["nll"] == pytest.approx(nll, abs=1e-4)
    assert texts["finished"] == [one.finished for one in answers["tuned"]]
    assert texts["words"] == [len(one.text.split()) for one in answers["tuned"]]
    assert texts["reference_words"] == [len(text.split()) for text in split.completion]
    for row in (0, 7, 20):
        expected = sacrebleu.sentence_chrf(answers["tuned"][row].text, [split.completion[row]]).score
        assert texts["chrf"][row] == pytest.approx(expected, abs=0.01)
    assert sum(found["chrf_of_answers"]["counts"]["base"]) >= ROWS - 2
