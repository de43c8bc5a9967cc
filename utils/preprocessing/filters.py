"""The filters of preprocess.py, and the number of rows that each of them drops."""

import random
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from utils.errors import DataError
from utils.preprocessing.near_duplicates import NEAR_DUPLICATE

if TYPE_CHECKING:
    from utils.tasks.base import Task

HINTS = {  # reason for dropping a row → hint
    "reply": "--keep_replies keeps them",
    "retweet": "--keep_retweets keeps them",
    "cut off": "--keep_cut keeps them; the file has no whole version of these texts",
    "content warning": "--keep_content_warnings keeps them and puts the warning in front",
    "not public": "posts for followers and direct messages are never used",
    "other language": "remove --lang to keep them",
    "no label": "is --label_column the right one?",
    "label not in the map": "--label_map drops the labels that it does not name",
    "conflicting labels": "texts with several labels; --keep_conflicts keeps the most frequent label of each text",
    "too short": "lower --min_words",
    "too long": "raise --max_words",
    "excluded word": "exclude fewer words",
    NEAR_DUPLICATE: "--near_duplicates off keeps them",
    "marked as a bad answer": "answers with the label false are never learned",
    "a tool call": "models are trained on texts alone, without tools",
    "an image": "models are trained on texts alone; if these stand without the images, remove the images' column",
    "no text": "is --text_column the right one?",
    "nothing left after cleaning": "clean less, e.g. --hashtags keep",
}


@dataclass(frozen=True, kw_only=True)
class Filters:
    """The filters to apply. Lengths are those of the text, the answer or the description, counted by `count_words`."""

    keep_replies: bool = False
    keep_retweets: bool = False
    keep_cut: bool = False
    keep_content_warnings: bool = False
    keep_users: bool = False
    language: str | None = None
    min_words: int = 0
    max_words: int | None = None
    exclude: tuple[str, ...] = ()
    near_duplicates: float | None = 0.8  # the similarity from which on they are dropped
    sample: float | None = None  # fraction of the rows that pass the other filters
    max_rows: int | None = None

    @classmethod
    def for_task(cls, task: "Task", **changed) -> "Filters":
        """Return the defaults of preprocess.py for this task, with the changed fields."""
        return cls(**{"min_words": task.min_words, "max_words": task.max_words, **changed})

    def to_recipe(self) -> dict:
        """Return the fields as a processed pickle names them: version 2 calls the limits min_tokens and max_tokens."""
        return {re.sub("_words$", "_tokens", name): value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class FilteredRows:
    """The rows that passed every filter, in the order of the file, and counts of the others."""

    texts: list[str]
    labels: list[str | None]
    groups: list[str]
    parts: Sequence[Hashable]  # parts that stay together even in groups that are too large for a split
    metadata: dict[str, list]  # other columns: id, date, language, … of posts (the user only with keep_users)
    dropped: dict[str, int]  # reason → number of rows
    cleaned: dict[str, int]  # kind of noise → number of texts that had it
    samples: list[dict[str, str]]  # three texts before and after cleaning, without user names unless keep_users


class KeptRows:
    """The numbers of the rows that passed every filter so far, and how many rows each reason dropped."""

    def __init__(self, count: int, dropped: dict[str, int] | None = None):
        self.numbers = np.arange(count)
        self.dropped = dict(dropped or {})

    def drop(self, reason: str, unwanted: Sequence[bool]) -> None:
        """Drop the rows where `unwanted`, which has one entry per kept row, is true."""
        kept = self.numbers[~np.asarray(unwanted, dtype=bool)]
        if len(kept) < len(self.numbers):
            self.dropped[reason] = len(self.numbers) - len(kept)
        self.numbers = kept

    def take(self, values: Sequence) -> list:
        """Return the kept rows' entries of `values`, which has one entry per row."""
        return [values[number] for number in self.numbers.tolist()]

    def spread(self, values: Sequence, count: int) -> list:
        """Return one entry for each of `count` rows: those of `values`, one per kept row, and None elsewhere."""
        spread = [None] * count
        for number, value in zip(self.numbers.tolist(), values, strict=True):
            spread[number] = value
        return spread

    def drop_by_words(self, word_counts: Sequence[int], texts: Sequence[str], filters: Filters) -> None:
        """Drop rows that are too short, too long or contain an excluded word; both lists have one entry per row."""
        counts = np.asarray(word_counts)
        self.drop("too short", counts[self.numbers] < filters.min_words)
        if filters.max_words is not None:
            self.drop("too long", counts[self.numbers] > filters.max_words)
        if filters.exclude:
            self.drop("excluded word", contain_word(self.take(texts), filters.exclude))

    def sample(self, filters: Filters, seed: int) -> None:
        """Keep the random rows that --sample and --max_rows ask for; DataError if there are no rows to choose from."""
        count = len(self.numbers)
        if count == 0:
            problem = f"all {sum(self.dropped.values()):,} rows were dropped: {describe_drops(self.dropped)}"
            reason = max(self.dropped, key=self.dropped.get, default="")
            raise DataError(problem, HINTS.get(reason, "check the input data, or choose other filters"))
        wanted = count if filters.sample is None else max(1, round(filters.sample * count))
        wanted = min(wanted, filters.max_rows or wanted)
        if wanted < count:
            chosen = set(random.Random(seed).sample(range(count), wanted))
            self.drop("not sampled", [place not in chosen for place in range(count)])


def filter_warnings(rows_read: int, dropped: dict[str, int]) -> list[str]:
    """Return a line for every filter that dropped a fifth of the rows or more, with the flag that changes it."""
    return [
        f"{number:,} of {rows_read:,} rows were dropped ({reason}): {HINTS[reason]}"
        for reason, number in dropped.items()
        if reason in HINTS and reason != NEAR_DUPLICATE and number >= rows_read / 5
    ]


def in_other_language(languages: Sequence[str | None], language: str) -> list[bool]:
    """Return True for every entry that is not `language`; "pt-br" counts as "pt", "en,fr" as both.

    DataError if all are True.
    """
    wanted = language.lower().replace("_", "-")

    def is_other(codes: str | None) -> bool:
        present = re.split("[,;| ]+", codes.replace("_", "-")) if isinstance(codes, str) else []
        return not any(wanted in (code, code.partition("-")[0]) for code in present)

    by_codes = {codes: is_other(codes) for codes in {code if isinstance(code, str) else None for code in languages}}
    others = [by_codes[code if isinstance(code, str) else None] for code in languages]
    if others and all(others):
        known = sorted({code for code in languages if isinstance(code, str)} - {""})
        present = f"the languages are {', '.join(known[:20])}" if known else "the data has no language column"
        raise DataError(
            f"no row is in the language {language!r}: {present}",
            "choose one of them, or remove --lang" if known else "remove --lang",
        )
    return others


def contain_word(texts: Iterable[str], words: Sequence[str]) -> list[bool]:
    """Return True for every text that contains one of the words as a whole word, in any case."""
    pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, words)) + r")(?!\w)", re.IGNORECASE)
    return [bool(pattern.search(text)) for text in texts]


def describe_drops(dropped: dict[str, int]) -> str:
    """Return the number of rows that each reason dropped as part of a sentence."""
    return ", ".join(f"{number} {reason}" for reason, number in dropped.items())
