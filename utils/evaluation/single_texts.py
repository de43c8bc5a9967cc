"""The likelihood of single texts: the most and the least surprising ones of the test and the train split."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from utils.compute.likelihood import TokenScores
from utils.evaluation.draw import draw_rows
from utils.evaluation.excerpts import excerpt
from utils.evaluation.likelihood import measure_likelihood
from utils.metrics.bootstrap import cluster_numbers
from utils.metrics.histogram import shared_histogram
from utils.models.checkpoint import Trained
from utils.models.tokenization import context_length
from utils.processed import Processed, Split
from utils.training.rows import training_rows

TRAINING_TEXTS = 200  # at most, and no more than the test split has: they cost as much as the test texts
EXTREMES = 5  # of each kind and split


def measure_single_texts(
    trained: Trained,
    data: Processed,
    rows: Sequence[dict],
    scores: Mapping[str, TokenScores],
    *,
    precision: str,
    seed: int,
) -> dict:
    """Return the bits per byte of single texts as plain JSON values: of the test split, and of some training texts.

    `rows` are those of the test split, and `scores` what "tuned" (and "base", to show beside it) found for them. The
    training texts are drawn with the seed. Texts without any byte have no bits per byte and are left out.
    """
    train, test = data.splits["train"], data.splits["test"]
    drawn = draw_rows(len(train), min(TRAINING_TEXTS, len(test)), seed)
    part = replace(data, splits={"train": train.take(drawn)})
    seen = training_rows(part, trained.tokenizer, context_length(trained.model), ["train"])["train"]
    groups = [train.group[drawn[row["number"]]] for row in seen]
    figures, of_seen = measure_likelihood(trained.model, seen, precision, "scoring, training texts", groups)
    seen = [{**row, "number": drawn[row["number"]]} for row in seen]
    found = {
        "train": _bits_per_byte(seen, {"tuned": of_seen}),
        "test": _bits_per_byte(rows, scores),
    }
    return {
        "train": {"texts": figures["texts"], "of": len(train), "bits_per_byte": figures["bits_per_byte"]},
        "histogram": shared_histogram({name: [one["tuned"] for one in some] for name, some in found.items()}),
        "extremes": {name: _extremes(some, data.splits[name]) for name, some in found.items()},
    }


def per_text(rows: Sequence[dict], scores: TokenScores, groups: Sequence[str]) -> dict[str, list]:
    """Return each text's figures to compare models by: row of the test split, cluster, bytes, and nll in nats."""
    return {
        "row": [row["number"] for row in rows],
        "cluster": cluster_numbers(groups, len(rows)).tolist(),
        "bytes": [row["bytes"] for row in rows],
        "nll": [round(nll, 4) for nll in scores.nll],
    }


def _bits_per_byte(rows: Sequence[dict], scores: Mapping[str, TokenScores]) -> list[dict]:
    """Row, bytes and the bits per byte of each model for each text that has bytes, the least surprising first."""
    texts = [
        {
            "row": row["number"],
            "bytes": row["bytes"],
            **{name: of_model.nll[place] / math.log(2) / row["bytes"] for name, of_model in scores.items()},
        }
        for place, row in enumerate(rows)
        if row["bytes"]
    ]
    return sorted(texts, key=lambda text: text["tuned"])


def _extremes(texts: Sequence[dict], split: Split) -> dict[str, list[dict]]:
    """The least and the most surprising texts, the extreme ones first; of few texts, none is both."""
    number = min(EXTREMES, len(texts) // 2)
    ends = {"least": texts[:number], "most": texts[::-1][:number]}
    return {end: [{**text, **excerpt(split.completion[text["row"]])} for text in some] for end, some in ends.items()}
