"""The report's points for models that answer: lengths of answers beside the references, chrF, samples."""

from collections.abc import Mapping, Sequence

import numpy as np
from sacrebleu.metrics import CHRF

from utils.compute.likelihood import TokenScores
from utils.evaluation.excerpts import excerpt
from utils.evaluation.single_texts import per_text
from utils.inference.generation import Generated
from utils.metrics.bootstrap import bootstrap_totals
from utils.metrics.histogram import shared_histogram
from utils.metrics.shares import Interval, share_interval
from utils.processed import Split
from utils.text.words import count_words

SAMPLES = 8
LENGTH_BINS = 5  # of the references
ROWS_OF_A_BIN = 5  # at least
REFERENCES = "references"


def answer_points(
    answers: Mapping[str, Sequence[Generated]],
    test: Split,
    encoded: Sequence[dict],
    scores: TokenScores,
    rows: Sequence[int],
) -> dict:
    """Return the points as plain JSON values, from the answers of each model to the rows of `test`.

    `encoded` are the rows as the tuned model reads them, `scores` those of the references, and `rows` their numbers in
    the test split of the data.
    """
    words = {name: [count_words(one.text) for one in some] for name, some in answers.items()}
    expected = [count_words(reference) for reference in test.completion]
    chrf = {
        name: [CHRF().sentence_score(one.text, [text]).score for one, text in zip(some, test.completion, strict=True)]
        for name, some in answers.items()
    }
    return {
        "words": shared_histogram({**words, REFERENCES: expected}, least_step=1),
        "length_by_reference": [
            _length_bin(rows_of_bin, answers, words, expected, test.group) for rows_of_bin in _bins(expected)
        ],
        "chrf_of_answers": shared_histogram(chrf),
        "samples": [_sample(place, row, answers, test) for place, row in enumerate(rows[:SAMPLES])],
        "per_text": {
            **per_text(encoded, scores, test.group),
            "row": list(rows),
            "chrf": [round(score, 2) for score in chrf["tuned"]],
            "words": words["tuned"],
            "reference_words": expected,
            "finished": [one.finished for one in answers["tuned"]],
        },
    }


def _bins(lengths: Sequence[int]) -> list[list[int]]:
    """The rows in groups of about equal number by the length of their references; equal lengths are in one group."""
    order = sorted(range(len(lengths)), key=lambda row: lengths[row])
    number = max(1, min(LENGTH_BINS, len(order) // ROWS_OF_A_BIN))
    edges = sorted({lengths[part[0]] for part in np.array_split(order, number)})
    of_row = np.searchsorted(edges, lengths, side="right") - 1
    return [np.flatnonzero(of_row == group).tolist() for group in range(len(edges))]


def _length_bin(
    rows: Sequence[int],
    answers: Mapping[str, Sequence[Generated]],
    words: Mapping[str, Sequence[int]],
    expected: Sequence[int],
    clusters: Sequence[str],
) -> dict:
    """Mean words of each model's answers and the share that ended, where the references have so many words."""
    groups, lengths = [clusters[row] for row in rows], [expected[row] for row in rows]
    return {
        "from": min(lengths),
        "to": max(lengths),
        "rows": len(rows),
        "reference_words": sum(lengths) / len(rows),
        **{
            name: {
                "words": _mean([words[name][row] for row in rows], groups),
                "finished": share_interval([some[row].finished for row in rows], groups),
            }
            for name, some in answers.items()
        },
    }


def _mean(values: Sequence[int], clusters: Sequence[str]) -> Interval:
    columns = np.stack([values, np.ones(len(values))], axis=1).astype(np.float64)
    return bootstrap_totals(lambda totals: {"mean": totals[:, 0] / totals[:, 1]}, columns, 0, clusters)["mean"]


def _sample(place: int, row: int, answers: Mapping[str, Sequence[Generated]], test: Split) -> dict:
    *earlier, message = test.metadata["messages"][place]
    return {
        "row": row,
        "instruction": excerpt(message["content"]),
        "input": excerpt(message["input"]) if message.get("input") else None,
        "earlier_messages": len(earlier),
        "reference": excerpt(test.completion[place]),
        **{
            name: {**excerpt(some[place].text), "tokens": some[place].tokens, "finished": some[place].finished}
            for name, some in answers.items()
        },
    }
