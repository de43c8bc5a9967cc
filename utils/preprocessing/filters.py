"""From raw rows to the texts worth training on, with a count of what each step took."""

import json
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.errors import DataError
from utils.preprocessing.parallel_cleaning import prepare_texts
from utils.tasks.labels import conflicting_labels
from utils.text.cleaning import Cleaning, replace_mentions
from utils.text.words import text_key

if TYPE_CHECKING:
    import pandas

FACTS = ("id", "date", "language", "is_reply", "is_retweet")
HINTS = {
    "reply": "--keep_replies keeps them",
    "retweet": "--keep_retweets keeps them",
    "content warning": "--keep_content_warnings keeps them, the warning in front",
    "not public": "posts for followers and direct messages are never used",
    "other language": "leave --lang away to keep them",
    "no label": "is --label_column the right one?",
    "label not in the map": "--label_map drops the labels that it does not name",
    "conflicting labels": "texts that have several; --keep_conflicts keeps the label that most rows of a text have",
    "too short": "lower --min_tokens",
    "too long": "raise --max_tokens",
    "excluded word": "exclude fewer words",
    "no text": "is --text_column the right one?",
    "nothing left after cleaning": "clean less, e.g. --hashtags keep",
}


@dataclass(frozen=True)
class Filters:
    """Which rows to keep. Lengths count blank-separated words, and characters in scripts without blanks."""

    keep_replies: bool
    keep_retweets: bool
    keep_content_warnings: bool
    keep_users: bool
    language: str | None
    min_tokens: int
    max_tokens: int | None
    exclude: tuple[str, ...]
    sample: float | None  # a share of the rows that are left
    max_rows: int | None


@dataclass(frozen=True)
class Filtered:
    """The rows that are left, in the order of the file, and what happened to the others."""

    texts: list[str]
    labels: list[str | None]
    groups: list[str]
    metadata: dict[str, list]  # id, date, language, …; the user only where wanted
    dropped: dict[str, int]  # reason → rows
    cleaned: dict[str, int]  # kind of noise → texts that had it
    samples: list[dict[str, str]]  # three texts before and after, without user names unless they are wanted


def filter_rows(
    rows: "pandas.DataFrame",
    cleaning: Cleaning,
    filters: Filters,
    seed: int,
    keep_conflicts: bool = False,
    processes: int = 1,
) -> Filtered:
    """Filter, clean, filter again, drop duplicates, sample. `rows` is what `raw_rows.read_rows` returns.

    Where rows have labels, a text with several is dropped; with `keep_conflicts` the rows with its most frequent label
    stay. A near duplicate with another label stays too: one word can make the difference. `processes` clean the texts.
    """
    import numpy as np

    from utils.text.duplicates import repeated

    dropped: dict[str, int] = {}
    read, left = len(rows), np.arange(len(rows))  # row numbers: taking whole rows after every filter is slow

    def drop(reason: str, unwanted: Sequence[bool]) -> None:
        nonlocal left
        kept = left[~np.asarray(unwanted, dtype=bool)]
        if len(kept) < len(left):
            dropped[reason] = len(left) - len(kept)
        left = kept

    def column(name: str) -> "pandas.Series":
        return rows[name].iloc[left]

    labelled = "label" in rows
    drop("not public", column("is_private"))
    drop("no text", column("text").str.strip() == "")
    if labelled:
        drop("no label", column("label") == "")
        drop("label not in the map", column("left_out"))
    if not filters.keep_retweets:
        drop("retweet", column("is_retweet"))
    if not filters.keep_replies:
        drop("reply", column("is_reply"))
    if not filters.keep_content_warnings:
        drop("content warning", column("content_warning") != "")
    if filters.language is not None:
        drop("other language", in_another_language(column("language").tolist(), filters.language))

    rows = rows.iloc[left]
    if (warned := rows["content_warning"] != "").any():
        rows = rows.assign(text=rows["text"].where(~warned, rows["content_warning"] + "\n" + rows["text"]))
    prepared = prepare_texts(rows["text"].tolist(), cleaning, processes)
    left, words = np.arange(len(rows)), np.array(prepared.words)

    def of_left(values: Sequence) -> list:
        return [values[row] for row in left.tolist()]

    drop("nothing left after cleaning", [text == "" for text in prepared.texts])
    drop("too short", words[left] < filters.min_tokens)
    if filters.max_tokens is not None:
        drop("too long", words[left] > filters.max_tokens)
    if filters.exclude:
        drop("excluded word", with_excluded_word(of_left(prepared.texts), filters.exclude))
    labels = rows["label"].tolist() if labelled else [None] * len(rows)
    keys = list(map(text_key, prepared.texts, prepared.bare))
    if labelled:
        drop("conflicting labels", conflicting_labels(of_left(keys), of_left(labels), keep_conflicts))
    drop("exact duplicate", repeated(of_left(keys)))
    drop("near duplicate", _near_duplicates_by_label(*map(of_left, (prepared.texts, prepared.bare, labels))))
    if not len(left):
        raise DataError(f"no row is left of {read}: " + describe_drops(dropped), _largest_hint(dropped))
    drop("not sampled", not_chosen(len(left), filters, seed))
    rows = rows.iloc[left].assign(before=lambda kept: kept["text"], text=of_left(prepared.texts))
    return Filtered(
        texts=rows["text"].tolist(),
        labels=of_left(labels),
        groups=rows["group"].tolist(),
        metadata=_facts(rows, filters.keep_users),
        dropped=dropped,
        cleaned=prepared.cleaned,
        samples=_samples(rows, filters.keep_users),
    )


def filter_warnings(read: int, dropped: dict[str, int]) -> list[str]:
    """A line for every filter that took more than half of what was read, with the flag that changes it."""
    return [
        f"{number:,} of {read:,} rows were dropped as {reason}: {HINTS[reason]}"
        for reason, number in dropped.items()
        if reason in HINTS and number > read / 2
    ]


def _near_duplicates_by_label(texts: list[str], words: list[str], labels: list[str | None]) -> list[bool]:
    """True for a text that is almost the same as an earlier one with its label. `words` are the texts' bare words."""
    from utils.text.duplicates import near_duplicates

    rows_of: dict[str | None, list[int]] = {}
    for row, label in enumerate(labels):
        rows_of.setdefault(label, []).append(row)
    found = [False] * len(texts)
    for rows in rows_of.values():
        marks = near_duplicates([texts[row] for row in rows], words=[words[row] for row in rows])
        for row, mark in zip(rows, marks.tolist(), strict=True):
            found[row] = mark
    return found


def in_another_language(spoken: Sequence[str | None], wanted: str) -> list[bool]:
    """True where the language is not the wanted one; "pt" is also that of "pt-br". DataError where none is."""
    other = [not isinstance(one, str) or wanted.lower() not in (one, one.partition("-")[0]) for one in spoken]
    if other and all(other):
        known = sorted({one for one in spoken if isinstance(one, str)} - {""})
        there = f"the languages there are {', '.join(known[:20])}" if known else "the data has no language column"
        raise DataError(f"no row is in the language {wanted!r}: {there}", "choose one of them, or leave --lang away")
    return other


def with_excluded_word(texts: Iterable[str], words: Sequence[str]) -> list[bool]:
    """True where a text has one of the words, in small letters or capitals."""
    pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, words)) + r")(?!\w)", re.IGNORECASE)
    return [bool(pattern.search(text)) for text in texts]


def not_chosen(rows: int, filters: Filters, seed: int) -> list[bool]:
    """True for the rows that --sample and --max_rows leave out, drawn with the seed."""
    wanted = rows if filters.sample is None else max(1, round(filters.sample * rows))
    wanted = min(wanted, filters.max_rows or wanted)
    if wanted == rows:
        return [False] * rows
    chosen = set(random.Random(seed).sample(range(rows), wanted))
    return [number not in chosen for number in range(rows)]


def _facts(rows: "pandas.DataFrame", keep_users: bool) -> dict[str, list]:
    names = FACTS + (("user",) if keep_users else ())
    facts = {
        name: rows[name].astype(object).where(rows[name].notna() & (rows[name] != ""), None).tolist() for name in names
    }
    if keep_users:
        facts["user"] = [user and _user_name(user) for user in facts["user"]]
    return facts


def _user_name(user: str) -> str:
    """The name in a user object as X, snscrape and Mastodon have it, or the text itself."""
    try:
        about = json.loads(user)
    except ValueError:
        return user
    names = (about.get(key) for key in ("username", "screen_name", "acct")) if isinstance(about, dict) else ()
    return next(filter(None, names), user)


def _samples(rows: "pandas.DataFrame", keep_users: bool) -> list[dict[str, str]]:
    rows = rows[["before", "text"]]
    changed = rows[rows["before"] != rows["text"]]
    shown = changed if len(changed) >= 3 else rows
    step = max(1, len(shown) // 3)
    return [
        {"before": before if keep_users else replace_mentions(before), "after": after}
        for before, after in zip(shown["before"][::step], shown["text"][::step], strict=True)
    ][:3]


def describe_drops(dropped: dict[str, int]) -> str:
    """What was dropped, as part of a line."""
    return ", ".join(f"{number} {reason}" for reason, number in dropped.items())


def _largest_hint(dropped: dict[str, int]) -> str:
    return HINTS.get(max(dropped, key=dropped.get, default=""), "choose other filters")
