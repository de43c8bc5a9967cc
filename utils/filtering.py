"""From raw rows to the texts worth training on, with a count of what each step took."""

import json
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.cleaning import Cleaning, clean_all, replace_mentions
from utils.errors import DataError
from utils.labels import conflicting

if TYPE_CHECKING:
    import pandas

# Scripts that are written without blanks: each character counts as a word.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
WORD = re.compile(f"[{UNSPACED}]|[^\\s{UNSPACED}]+")

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
    facts: dict[str, list]  # what is known of each row: id, date, language, reply, retweet; the user only where wanted
    dropped: dict[str, int]  # reason → rows
    cleaned: dict[str, int]  # kind of noise → texts that had it
    samples: list[dict[str, str]]  # three texts before and after, without user names unless they are wanted


def count_words(text: str) -> int:
    """Blank-separated words; in scripts without blanks, characters."""
    return len(WORD.findall(text))


def filter_rows(
    rows: "pandas.DataFrame", cleaning: Cleaning, filters: Filters, seed: int, keep_conflicts: bool = False
) -> Filtered:
    """Filter, clean, filter again, drop duplicates, sample. `rows` is what `raw_rows.read_rows` returns.

    Where rows have labels, a text with several is dropped; with `keep_conflicts` the rows with its most frequent label
    stay. A near duplicate with another label stays too: one word can make the difference.
    """
    from utils.splitting import exact_duplicates, text_key

    if "label" not in rows:
        rows = rows.assign(label=None, left_out=False)

    dropped: dict[str, int] = {}

    def drop(reason: str, kept: "pandas.DataFrame", unwanted: Sequence[bool]) -> "pandas.DataFrame":
        left = kept.loc[[not mark for mark in unwanted]]
        if len(left) < len(kept):
            dropped[reason] = len(kept) - len(left)
        return left

    read = len(rows)
    rows = drop("not public", rows, rows["is_private"])
    rows = drop("no text", rows, rows["text"].str.strip() == "")
    rows = drop("no label", rows, rows["label"] == "")
    rows = drop("label not in the map", rows, rows["left_out"])
    if not filters.keep_retweets:
        rows = drop("retweet", rows, rows["is_retweet"])
    if not filters.keep_replies:
        rows = drop("reply", rows, rows["is_reply"])
    warned = rows["content_warning"] != ""
    if not filters.keep_content_warnings:
        rows = drop("content warning", rows, warned)
    elif warned.any():
        rows = rows.assign(text=rows["text"].where(~warned, rows["content_warning"] + "\n" + rows["text"]))
    if filters.language is not None:
        rows = drop("other language", rows, in_another_language(rows["language"].tolist(), filters.language))

    texts, cleaned = clean_all(rows["text"].tolist(), cleaning)
    rows = rows.assign(before=rows["text"], text=texts)
    rows = drop("nothing left after cleaning", rows, rows["text"] == "")
    rows = rows.assign(words=rows["text"].map(count_words))
    rows = drop("too short", rows, rows["words"] < filters.min_tokens)
    if filters.max_tokens is not None:
        rows = drop("too long", rows, rows["words"] > filters.max_tokens)
    if filters.exclude:
        rows = drop("excluded word", rows, with_excluded_word(rows["text"], filters.exclude))
    keys = [text_key(text) for text in rows["text"]]
    rows = drop("conflicting labels", rows, conflicting(keys, rows["label"].tolist(), keep_conflicts))
    rows = drop("exact duplicate", rows, exact_duplicates(rows["text"].tolist()))
    rows = drop("near duplicate", rows, _near_duplicates(rows["text"].tolist(), rows["label"].tolist()))
    if rows.empty:
        raise DataError(f"no row is left of {read}: " + describe(dropped), _largest_hint(dropped))
    rows = drop("not sampled", rows, not_chosen(len(rows), filters, seed))
    return Filtered(
        texts=rows["text"].tolist(),
        labels=rows["label"].tolist(),
        groups=rows["group"].tolist(),
        facts=_facts(rows, filters.keep_users),
        dropped=dropped,
        cleaned=cleaned,
        samples=_samples(rows, filters.keep_users),
    )


def warnings(read: int, dropped: dict[str, int]) -> list[str]:
    """A line for every filter that took more than half of what was read, with the flag that changes it."""
    return [
        f"{number:,} of {read:,} rows were dropped as {reason}: {HINTS[reason]}"
        for reason, number in dropped.items()
        if reason in HINTS and number > read / 2
    ]


def _near_duplicates(texts: list[str], labels: list[str | None]) -> list[bool]:
    """True for a text that is almost the same as an earlier one with its label."""
    from utils.splitting import near_duplicates

    rows_of: dict[str | None, list[int]] = {}
    for row, label in enumerate(labels):
        rows_of.setdefault(label, []).append(row)
    found = [False] * len(texts)
    for rows in rows_of.values():
        for row, mark in zip(rows, near_duplicates([texts[row] for row in rows]), strict=True):
            found[row] = bool(mark)
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
    changed = rows[rows["before"] != rows["text"]]
    shown = changed if len(changed) >= 3 else rows
    step = max(1, len(shown) // 3)
    return [
        {"before": before if keep_users else replace_mentions(before), "after": after}
        for before, after in zip(shown["before"][::step], shown["text"][::step], strict=True)
    ][:3]


def describe(dropped: dict[str, int]) -> str:
    """What was dropped, as part of a line."""
    return ", ".join(f"{number} {reason}" for reason, number in dropped.items())


def _largest_hint(dropped: dict[str, int]) -> str:
    return HINTS.get(max(dropped, key=dropped.get, default=""), "choose other filters")
