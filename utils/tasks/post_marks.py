"""Find the rows of a table that are replies or reposts, by the columns that `post_columns.py` recognizes.

A name alone says too little: "reply" may hold an object (Bluesky's), the number of replies, or a shop's answer to a
review. So each column is first judged by its cells.
"""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from utils.reading.nested import parse_nested
from utils.tasks.post_columns import PostColumn

if TYPE_CHECKING:
    import pandas

SAMPLE = 1000
BLANK = {"", "nan", "none", "null", "<na>", "na", "n/a", "#n/a", "\\n", "undefined", "[]", "{}", "[none]"}
TRUE = {"t", "true", "1", "1.0", "yes", "y"}
FALSE = {"f", "false", "0", "0.0", "no", "n", "-1", "-1.0"}
NUMBER = re.compile(r"-?[0-9]+(?:\.0+)?")
ID_DIGITS = 8  # ids of posts have more digits than numbers of replies
USERS = re.compile(r"""["'](?:screen_name|username|user_id|id_str)["']:\s*["']?@?([^"',}]+)""")
OTHER_POST = re.compile(r"""["'](?:parent|root|id|id_str|uri|cid|url|content)["']""")
MESSAGE = re.compile("""["']message_?[iI]d["']""")
REPLY_TYPES = {"reply", "repliedto", "selfreply"}
REPOST_TYPES = {"retweet", "retweeted", "repost", "reblog", "boost"}
PLAIN_TYPES = {"normal", "original"}
TYPES = {
    *(*REPLY_TYPES, *REPOST_TYPES, *PLAIN_TYPES, "quote", "quoted", "quoting", "quotetweet", "quotedtweet"),
    *("tweet", "post", "status", "note", "thread", "submission", "comment", "mention"),
}
Marks = tuple["pandas.Series", list[str]]  # a bool for every row, and the columns that decided


def is_filled(cells: "pandas.Series") -> "pandas.Series":
    """Return whether each cell, without blanks around it, holds something; "NaN", "null" and the like are nothing."""
    return ~cells.str.lower().isin(BLANK)


def reply_marks(columns: Sequence[PostColumn], authors: Sequence["pandas.Series"], *, labeled: bool) -> Marks | None:
    """Return the marks of replies; None if no column has any.

    `authors` are the columns with the names or ids of those who wrote the rows. Where rows are `labeled`, one that
    has a parent, but is not called a reply, is not one.
    """
    judges = {
        "is reply": marked,
        "reply": lambda cells: _linked(cells, columns),
        "reply to": lambda cells: _answers(cells, authors),
        "references": lambda cells: _references(cells, "replied_to"),
        "reference": lambda cells: found if (found := cells.str.contains(MESSAGE)).any() else None,
    }
    if not labeled:
        judges["parent"] = _has_parent
    marks = _any_of(columns, judges)
    return marks or _any_of(columns, {"type": lambda cells: _typed(cells, REPLY_TYPES)})


def repost_marks(columns: Sequence[PostColumn], texts: "pandas.Series") -> Marks | None:
    """Return which rows repeat another post; None if no column says so."""
    has_own_marks = any(column.meaning == "own mark" for column in columns)
    judges = {
        "is repost": marked,
        "repost": lambda cells: _linked(cells, columns),
        # Beside "favorited", X's "retweeted" and Mastodon's "reblogged" are the reader's own doing.
        "reposted": lambda cells: None if has_own_marks else marked(cells),
        "original": _is_linked,
        "renote": lambda cells: _is_linked(cells) & (texts.str.strip() == ""),  # with a text, a renote is a quote
        "references": lambda cells: _references(cells, "retweeted"),
        "reason": lambda cells: found if (found := cells.str.contains("repost", case=False)).any() else None,
        "type": lambda cells: _typed(cells, REPOST_TYPES),
    }
    return _any_of(columns, judges)


def kind_of(cells: "pandas.Series") -> str:
    """Return the kind of the filled cells: nothing, marks (yes and no), numbers, ids, objects or texts."""
    sample = cells[is_filled(cells)].head(SAMPLE).unique().tolist()
    if not sample:
        return "nothing"
    if {cell.lower() for cell in sample} <= TRUE | FALSE:
        return "marks"
    if sum(cell[0] in "{[" for cell in sample) > len(sample) / 2:
        return "objects"
    if all(map(NUMBER.fullmatch, sample)):
        return "ids" if sorted(map(len, sample))[len(sample) // 2] >= ID_DIGITS else "numbers"
    return "texts" if sum(" " in cell for cell in sample) > len(sample) / 5 else "ids"


def marked(cells: "pandas.Series") -> "pandas.Series | None":
    """Return a mask of the rows where a column of marks says yes; None if it holds something else."""
    return cells.str.lower().isin(TRUE) if kind_of(cells) in ("marks", "nothing") else None


def _any_of(columns: Sequence[PostColumn], judges: dict[str, Callable]) -> Marks | None:
    """Return the rows that any column's judge marks, and the columns that one could judge."""
    marks, paths = None, []
    for column in columns:
        found = judges[column.meaning](column.cells) if column.meaning in judges else None
        if found is not None:
            marks = found if marks is None else marks | found
            paths.append(column.path)
    return None if marks is None else (marks, paths)


def _is_linked(cells: "pandas.Series") -> "pandas.Series":
    """Return a mask of the rows where a column names another post or its author: filled, and not with no or zero."""
    return is_filled(cells) & ~cells.str.lower().isin(FALSE)


def _linked(cells: "pandas.Series", columns: Sequence[PostColumn]) -> "pandas.Series | None":
    """Judge a column called "reply" or "retweet", which may as well hold their number or an answer's text."""
    kind = kind_of(cells)
    if kind in ("numbers", "texts"):
        return None
    if kind == "objects":
        linked = cells.str.contains(OTHER_POST)
        return linked if linked.any() else None
    if kind == "marks" and cells.isin({"0", "1", ""}).all() and any(map(_is_count, columns)):
        return None
    return _is_linked(cells)


def _is_count(column: PostColumn) -> bool:
    return column.meaning == "count" or (column.meaning in ("reply", "repost") and kind_of(column.cells) == "numbers")


def _answers(cells: "pandas.Series", authors: Sequence["pandas.Series"]) -> "pandas.Series":
    """Return a mask of posts that answer another: a list of users, such as twint's, has one beside the author."""
    linked = _is_linked(cells)
    lists = linked & cells.str.startswith("[")
    if lists.any() and authors:
        own_names = [author[lists].str.lower().tolist() for author in authors]
        answered = [set(USERS.findall(cell)) for cell in cells[lists].str.lower().tolist()]
        linked[lists] = [not names or not names <= set(own) for names, *own in zip(answered, *own_names, strict=True)]
    return linked


def _references(cells: "pandas.Series", wanted: str) -> "pandas.Series | None":
    """Return a mask of rows whose list of X's referenced tweets has one of the type `wanted`, not nested ones."""
    filled = is_filled(cells)
    if filled.any() and not cells.str.contains("replied_to|retweeted|quoted").any():
        return None
    return cells.map(lambda cell: wanted in cell and _has_type(parse_nested(cell), wanted)).astype(bool)


def _has_type(value, wanted: str) -> bool:
    if value is None:  # such as [<ReferencedTweet id=1 type=replied_to]
        return True
    references = value if isinstance(value, list) else [value]
    return any(wanted in (str(one.get("type")) if isinstance(one, dict) else str(one)) for one in references)


def _has_parent(cells: "pandas.Series") -> "pandas.Series | None":
    """Return a mask of comments that answer another one or, where posts are beside comments, a post."""
    if kind_of(cells) == "texts":
        return None
    linked = _is_linked(cells) & (cells != "root")  # yt-dlp's, of what answers no comment
    answers_post = cells.str.startswith("t3_")  # Reddit's
    return linked if not linked.all() else linked & ~answers_post


def _typed(cells: "pandas.Series", types: set[str]) -> "pandas.Series | None":
    names = cells.str.lower().str.replace("[^a-z]", "", regex=True)
    present = set(names.unique()) - {"", "nan", "none", "null"}
    return names.isin(types) if present <= TYPES and present & (types | PLAIN_TYPES) else None
