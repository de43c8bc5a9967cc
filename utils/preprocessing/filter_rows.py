"""Filter posts and labeled texts: filter, clean, filter again, drop duplicates."""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from utils.compute.workers import Workers
from utils.preprocessing.filters import FilteredRows, Filters, KeptRows, in_other_language
from utils.preprocessing.near_duplicates import drop_near_duplicates
from utils.preprocessing.parallel_cleaning import clean_texts
from utils.tasks.label_kinds.classes import CLASSES
from utils.tasks.label_kinds.label_kind import LabelKind
from utils.text.cleaning import Cleaning
from utils.text.duplicates import duplicated
from utils.text.tweet_entities import replace_mentions
from utils.text.words import text_key

if TYPE_CHECKING:
    import pandas

METADATA = ("id", "date", "language", "is_reply", "is_retweet")
REMOVED = ("[removed]", "[deleted]", "[deleted by user]", "[ Removed by Reddit ]", "[ Removed by reddit ]")


def filter_rows(
    rows: "pandas.DataFrame",
    cleaning: Cleaning,
    filters: Filters,
    seed: int,
    keep_conflicts: bool = False,
    workers: Workers | None = None,
    label_kind: LabelKind = CLASSES,
    meanwhile: Callable[[Sequence[str]], object] | None = None,
) -> FilteredRows:
    """Filter the rows of `read_rows`, clean them, filter again, drop duplicates, and sample. `workers` help with it.

    `meanwhile` is called with the texts that are left before this process looks for near duplicates.

    A text with several classes is dropped; with `keep_conflicts`, its rows with the most frequent class are kept.
    Near duplicates with different labels are all kept, because one word can make the difference.
    """
    kept = KeptRows(len(rows))  # row numbers, because taking rows out of the frame after every filter is slow

    def column(name: str) -> "pandas.Series":
        return rows[name].iloc[kept.numbers]

    has_labels = "label" in rows
    kept.drop("not public", column("is_private"))
    kept.drop("no text", column("text").str.strip() == "")
    kept.drop("removed post", column("text").str.strip().isin(REMOVED))
    if has_labels:
        kept.drop("no label", column("label") == "")
        kept.drop("label not in the map", column("left_out"))
    if not filters.keep_retweets:
        kept.drop("retweet", column("is_retweet"))
    if not filters.keep_replies:
        kept.drop("reply", column("is_reply"))
    if not filters.keep_cut:
        kept.drop("cut off", column("is_cut"))
    if not filters.keep_content_warnings:
        kept.drop("content warning", column("content_warning") != "")
    if filters.language is not None:
        kept.drop("other language", in_other_language(column("language").tolist(), filters.language))

    passed = kept.numbers
    texts = column("text")
    if (has_warning := column("content_warning") != "").any():
        texts = texts.where(~has_warning, column("content_warning") + "\n" + texts)
    completed = int(column("is_completed").sum())
    cleaned = clean_texts(texts.tolist(), cleaning, workers)
    labels = column("label").tolist() if has_labels else [None] * len(passed)
    keys = list(map(text_key, cleaned.texts, cleaned.bare_words))
    kept = KeptRows(len(passed), kept.dropped)
    kept.drop("nothing left after cleaning", [text == "" for text in cleaned.texts])
    kept.drop_by_words(cleaned.word_counts, cleaned.texts, filters)
    if has_labels:
        settled, conflicting = label_kind.settle(kept.take(keys), kept.take(labels), keep_conflicts)
        labels = kept.spread(settled, len(labels))
        kept.drop("conflicting labels", conflicting)
    kept.drop("exact duplicate", duplicated(kept.take(keys)))
    del keys  # of a million texts, 0.1 GB
    apart = kept.spread(label_kind.strata(kept.take(labels)), len(labels)) if has_labels else None
    words = cleaned.bare_words
    drop_near_duplicates(kept, cleaned.texts, filters, words=words, apart=apart, workers=workers, meanwhile=meanwhile)
    kept.sample(filters, seed)

    before = texts.iloc[kept.numbers].array
    rows = rows.iloc[passed[kept.numbers]].assign(before=before, text=kept.take(cleaned.texts))
    return FilteredRows(
        texts=rows["text"].tolist(),
        labels=kept.take(labels),
        groups=rows["group"].tolist(),
        parts=range(len(rows)),
        metadata=_metadata(rows, filters.keep_users),
        dropped=kept.dropped,
        cleaned={**({"whole_text": completed} if completed else {}), **cleaned.noise_counts},
        samples=_samples(rows, shows_names=filters.keep_users or cleaning.mentions == "keep"),
    )


def _metadata(rows: "pandas.DataFrame", keep_users: bool) -> dict[str, list]:
    names = (*METADATA, "user") if keep_users else METADATA
    metadata = {}
    for name in names:
        cells = rows[name]
        metadata[name] = cells.astype(object).where(cells.notna() & (cells != ""), None).tolist()
    if keep_users:
        metadata["user"] = [user and _user_name(user) for user in metadata["user"]]
    return metadata


def _user_name(cell: str) -> str:
    """Return the name in the JSON of a user of X, snscrape or Mastodon, or else the cell itself."""
    try:
        user = json.loads(cell)
    except ValueError:
        return cell
    names = (user.get(key) for key in ("username", "screen_name", "acct")) if isinstance(user, dict) else ()
    return next(filter(None, names), cell)


def _samples(rows: "pandas.DataFrame", *, shows_names: bool) -> list[dict[str, str]]:
    """Return three texts, of those that cleaning changed if there are three, before and after it."""
    changed = rows[rows["before"] != rows["text"]]
    shown = changed if len(changed) >= 3 else rows
    shown = shown.iloc[:: max(1, len(shown) // 3)].iloc[:3]
    return [
        {"before": before if shows_names else replace_mentions(before), "after": after}
        for before, after in zip(shown["before"], shown["text"], strict=True)
    ]
