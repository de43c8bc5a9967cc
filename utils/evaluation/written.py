"""Statistics of generated texts beside real ones: novelty, repetition and length; and samples."""

from collections.abc import Mapping, Sequence

from utils.evaluation.excerpts import excerpt
from utils.inference.generation import Generated
from utils.metrics.copied_places import place_of_run
from utils.metrics.copying import LONG_RUN
from utils.metrics.histogram import shared_histogram
from utils.metrics.novelty import novelty, repeating_texts
from utils.metrics.shares import share_interval
from utils.processed import Split
from utils.text.words import count_words

SAMPLES = 8  # of each model, the first it wrote
COPIES = 3  # of the texts of the tuned model with the longest copied runs


def measure_written(
    written: Mapping[str, Sequence[Generated]], copying: Mapping[str, dict], real: str, test: Split, train: Split
) -> dict:
    """Return figures and samples of the texts that each model wrote, as plain JSON values.

    `copying` has the results of `Copying` for each model and, under the name `real`, for the first test texts.
    """
    texts = {name: [one.text for one in of_model] for name, of_model in written.items()}
    first = test.take(range(copying[real]["texts"]))
    clusters = dict.fromkeys(texts) | {real: first.group}
    compared = {**texts, real: first.completion}
    words = {name: list(map(count_words, some)) for name, some in {**texts, real: test.completion}.items()}
    pieces = {
        name: [_piece(*pair, train) for pair in zip(texts[name][:SAMPLES], copying[name]["per_text"], strict=False)]
        for name in texts
    }
    tuned = copying["tuned"]["per_text"]
    longest = sorted(range(len(tuned)), key=lambda number: -tuned[number]["copied_words"])[:COPIES]
    return {
        "copies": {name: _copies(copying[name]["per_text"], clusters[name]) for name in compared},
        "novelty": {name: novelty(copying[name]["per_text"], clusters[name]) for name in compared},
        "repetition": {name: repeating_texts(some, clusters[name]) for name, some in compared.items()},
        "finished": {name: share_interval([one.finished for one in some]) for name, some in written.items()},
        "words": shared_histogram(words, least_step=1),
        "samples": [dict(zip(pieces, row, strict=True)) for row in zip(*pieces.values(), strict=True)],
        "longest_copies": [
            _piece(texts["tuned"][number], tuned[number], train) for number in longest if tuned[number]["copied_words"]
        ],
    }


def _copies(per_text: Sequence[dict], clusters: Sequence[str] | None) -> dict:
    """The share of texts that equal a training text, and of those that share `LONG_RUN` words in a row with one."""
    outcomes = {
        "exact": [text["exact_copy"] for text in per_text],
        "long_run": [text["copied_words"] >= LONG_RUN for text in per_text],
    }
    return {"words": LONG_RUN} | {name: share_interval(some, clusters) for name, some in outcomes.items()}


def _piece(text: str, copied: dict, train: Split) -> dict:
    """An excerpt of a text around the words that it shares with a training text, and of that one."""
    nearest, row = None, copied["training_index"]
    if row is not None:
        original = train.completion[row]
        nearest = {"row": row, **excerpt(original, place_of_run(original, copied["copied_run"]))}
    return {
        **excerpt(text, place_of_run(text, copied["copied_run"])),
        "copied_words": copied["copied_words"],
        "exact_copy": copied["exact_copy"],
        "nearest": nearest,
    }
