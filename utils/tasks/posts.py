"""Rows of posts from a table: the text, and marks from its other columns."""

import logging
import re
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from utils.reading.columns import find_columns
from utils.reading.nested import nested_paths
from utils.tasks.post_columns import PostColumn, post_columns
from utils.tasks.post_marks import is_filled, kind_of, marked, reply_marks, repost_marks
from utils.tasks.whole_texts import are_cut, whole_texts

if TYPE_CHECKING:
    import pandas

log = logging.getLogger(__name__)

THREAD_COLUMNS = ("conversationid", "conversation_id", "conversation_id_str", "thread_id", "conversation")
ID_COLUMNS = ("id_str", "id", "tweet_id", "tweetid", "status_id")
DATE_COLUMNS = ("date", "created_at", "createdat", "created", "timestamp", "datetime")
USER_COLUMNS = ("user", "username", "user_name", "screen_name", "author", "handle")
PUBLIC = {"", "public", "unlisted", "home", "everyone", "world", "anyone", "member_network", "none", "nan"}
LANGUAGE_CODE = re.compile(r"[a-z]+(?:[-_][a-z0-9]+)*")
SHOWN_COLUMNS = 3


def to_rows(
    frame: "pandas.DataFrame", text_column: str, *, infer_from_text: bool = True, whole: bool = True
) -> "pandas.DataFrame":
    """Return the columns text, group (the thread), language (None if unknown), is_reply, is_retweet, is_private,
    is_cut, is_completed, content_warning (or ""), id, date and user (None if unknown) of every row; cells are text,
    None or NaN if missing.

    A reply is what a column says; only in a file without such a column is it a text that starts with @. A retweet is
    what a column says, or a text that starts with "RT @". Without `infer_from_text`, only the columns count. A row is
    private if the file says that it was not written for everybody. Where another column has the whole version of a
    text, that is the text, and the row is completed; not so without `whole`. Logs which columns decided.
    """
    import pandas

    nested = nested_paths(frame)
    columns = [column for column in post_columns(frame, nested) if column.path != text_column]
    if whole:
        found = whole_texts(frame, text_column, nested)
        texts, completed, is_whole = found.texts, found.completed, found.whole
        if found.columns:
            log.info("whole texts: %s, for %s rows", _names(found.columns), f"{completed.sum():,}")
    else:
        texts = frame[text_column].fillna("").astype(str)
        completed = is_whole = pandas.Series(False, frame.index)
    ids, threads, users = (first_filled(frame, names) for names in (ID_COLUMNS, THREAD_COLUMNS, USER_COLUMNS))
    authors = [cells for name in ("user_id", *USER_COLUMNS) if (cells := first_filled(frame, [name])) is not None]
    is_reply, replies_by = _replies(columns, authors, texts, ids, threads, infer_from_text)
    is_retweet, reposts_by = _reposts(columns, texts, infer_from_text)
    log.info("replies: %s; reposts: %s", replies_by, reposts_by)

    return pandas.DataFrame(
        {
            "text": texts,
            # Numbers instead of the file's own names, which in the fediverse are addresses with people's names in them.
            "group": [f"thread {number}" for number in _thread_numbers(threads, len(frame))],
            "language": _languages(columns),
            "is_reply": is_reply,
            "is_retweet": is_retweet,
            "is_private": _is_private(columns),
            "is_cut": are_cut(texts, _truncated(columns)) & ~is_whole if infer_from_text else False,
            "is_completed": completed,
            "content_warning": _warnings(columns),
            "id": None if ids is None else _id_of_address(ids),
            "date": first_filled(frame, DATE_COLUMNS),
            "user": users,
        },
        index=frame.index,
    )


def _thread_numbers(threads: "pandas.Series | None", rows: int) -> Iterable[int]:
    """Return the number of every row's thread, in the order of first sight; a row without one is a thread itself."""
    import pandas

    if threads is None:
        return range(rows)
    alone = pandas.Series([f"row {number}" for number in range(rows)], index=threads.index)
    return pandas.factorize(threads.where(is_filled(threads), alone))[0]


def first_filled(frame: "pandas.DataFrame", names: Sequence[str]) -> "pandas.Series | None":
    """Return, row by row, the first filled cell of the columns with these names; None without such a column."""
    return _first([frame[column].fillna("").astype(str).str.strip() for column in find_columns(list(frame), names)])


def _first(cells: Sequence["pandas.Series"]) -> "pandas.Series | None":
    return reduce(lambda first, other: first.where(is_filled(first), other), cells) if cells else None


def _replies(
    columns: Sequence[PostColumn],
    authors: Sequence["pandas.Series"],
    texts: "pandas.Series",
    ids: "pandas.Series | None",
    threads: "pandas.Series | None",
    infer: bool,
) -> tuple:
    """Return a mask of replies, and the deciding columns in words."""
    if (marks := reply_marks(columns, authors, labeled=not infer)) is not None:
        return marks[0], _names(marks[1])
    if not infer:
        return False, "no column tells them"
    if ids is not None and threads is not None and (first_of_thread := ids == threads).mean() > 0.1:
        # X calls a thread by its first post, so the others in it are replies.
        return ~first_of_thread & is_filled(threads), "posts whose thread begins with another post"
    return texts.str.lstrip().str.startswith("@"), "no column tells them; texts that start with @ count"


def _reposts(columns: Sequence[PostColumn], texts: "pandas.Series", infer: bool) -> tuple:
    """Return a mask of reposts, and the deciding columns in words."""
    has_prefix = texts.str.lstrip().str.startswith("RT @") & infer
    marks = repost_marks(columns, texts)
    if marks is not None:
        return marks[0] | has_prefix, _names(marks[1])
    return has_prefix, "no column tells them" + ("; texts that start with RT @ count" if infer else "")


def _names(paths: Sequence[str]) -> str:
    shown = ", ".join(map(repr, paths[:SHOWN_COLUMNS])) + (", …" if len(paths) > SHOWN_COLUMNS else "")
    return f"column{'s' if len(paths) > 1 else ''} {shown}"


def _languages(columns: Sequence[PostColumn]) -> "pandas.Series | None":
    """Return the codes of each row's languages in small letters, separated by commas."""
    found = []
    for column in columns:
        kind = kind_of(column.cells) if column.meaning == "language" else "numbers"
        if kind not in ("numbers", "marks"):
            codes = column.cells.str.lower().str.replace("\n", ",", regex=False)
            found.append(codes.str.findall(LANGUAGE_CODE).str.join(",") if kind == "objects" else codes)
    return _first(found)


def _is_private(columns: Sequence[PostColumn]) -> "pandas.Series | bool":
    private = False
    for column in columns:
        kind = kind_of(column.cells)
        if column.meaning == "visibility" and kind in ("ids", "texts"):
            private |= ~column.cells.str.lower().isin(PUBLIC)
        elif column.meaning == "private" and kind == "marks":
            private |= marked(column.cells)
    return private


def _truncated(columns: Sequence[PostColumn]) -> "pandas.Series | None":
    """Return which rows the file itself calls cut; None if it says nothing."""
    return next(
        (marks for column in columns if column.meaning == "cut" and (marks := marked(column.cells)) is not None), None
    )


def _warnings(columns: Sequence[PostColumn]) -> "pandas.Series | str":
    """Return each row's content warning; "content warning" where a column only says that there is one."""
    warnings = []
    for column in columns:
        kind = kind_of(column.cells) if column.meaning == "warning" else "nothing"
        if kind == "marks":
            warnings.append(marked(column.cells).map({True: "content warning", False: ""}))
        elif kind in ("ids", "texts"):
            warnings.append(column.cells.where(is_filled(column.cells), ""))
    return "" if not warnings else _first(warnings)


def _id_of_address(ids: "pandas.Series") -> "pandas.Series":
    """Return the number at the end of ids that are addresses, as in the fediverse."""
    if not ids.str.contains("/", regex=False).any():
        return ids
    return ids.str.removesuffix("/activity").str.rpartition("/")[2]
