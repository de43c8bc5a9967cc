"""Choose the whole text of a post among its versions in a file, and find truncated texts without another version.

X cuts long texts for programs that know short ones only: `text` ends in "… https://t.co/…", and the whole text is in
`note_tweet.text`, `extended_tweet.full_text` or `full_text`. A retweet ("RT @ann: …") is cut like that, too, and is
whole in `retweeted_status`.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import unescape
from typing import TYPE_CHECKING

from utils.reading.csv_rows import NumberedRow
from utils.reading.nested import nested_cells
from utils.reading.table_stream import TableStream
from utils.tasks.post_columns import OTHERS, name_of
from utils.tasks.table_columns import TableColumns, text_of_row
from utils.text.text_versions import LONGEST_END, MORE, beginning, comparable, continues

if TYPE_CHECKING:
    import pandas

log = logging.getLogger(__name__)

WHOLE_COLUMN = "whole_text"
WHOLE_NAME = re.compile("(?:full|whole|complete|untruncated|raw)(?:text|content|tweet)|longtext(?:content)?")
WHOLE_PARENT = re.compile("(?:note|extended)tweet(?:results?)?")
REPOST_NAME = re.compile("(?:retweet(?:ed)?|referencedtweet)(?:full)?text")
REPOST_PARENT = re.compile("(?:retweeted|reposted)(?:tweet|status)?(?:results?)?|retweet")
REPOST_PREFIX = re.compile(r"\s*RT @\w+:?\s*")

MORE_LENGTH = 40  # of "Read more" in any language, with blanks around it
SIGN_OF_CUT = r"…|\.\.\.|\(cont\)|\n"  # not compiled, because Arrow searches for it faster than `re`
# Every alternative starts with a plain character, so that `re` can skip quickly.
CERTAINLY_CUT = re.compile(
    r"https?(?::/{0,2}(?:t(?:\.(?:c(?:o(?:/\w*)?)?)?)?)?)?…\s*\Z"  # the link itself is cut
    + "".join(
        rf"|{dots}\s*(?:https?://(?:(?:twitter|x)\.com/\w+/(?:web/)?status/|fb\.me/)\S+\s*\Z|(?i:{MORE})\W*\Z)"
        for dots in ("…", r"\.\.\.")
    )
    + rf"|\n\s*(?i:{MORE})\W*\Z|…more\s*\Z|\(cont\)\s*https?://\S+\s*\Z"
)
CUT_BEFORE_LINK = re.compile(r"(?P<dots>\s?…|\.{3})\]?\s*https?://\S+\s*\Z")
ENDS_OPEN = re.compile(r"(?:…|\.{3})\]?\s*(?:https?:\S*)?\s*\Z")
# Measured on the tweets of four people and of an airline's customers: of 53 longer texts with "…" right behind a word,
# 52 were cut; of shorter ones, and of those with a blank before it, none ("Sigh … https://…").
CUT_LENGTH = 40
X_LENGTHS = (139, 140, 141)


@dataclass(frozen=True)
class WholeTexts:
    """The texts of a table's rows."""

    texts: "pandas.Series"
    completed: "pandas.Series"  # whether it is a longer version than the text column's
    whole: "pandas.Series"  # whether the file has the whole version, longer or not
    columns: list[str]  # that completed some


def whole_texts(frame: "pandas.DataFrame", text_column: str, nested: Sequence[str]) -> WholeTexts:
    """Return the whole version of every row's text, or the text itself; `nested` are the frame's nested paths.

    A version is known by its column's name, and by its beginning, which is the text's up to where that is cut.
    """
    import pandas

    texts = frame[text_column].fillna("").astype(str)
    completed, whole = pandas.Series(False, frame.index), pandas.Series(False, frame.index)
    columns = []
    for path in [*frame.columns, *(path for path in nested if path not in frame.columns)]:
        version = version_of(path)
        if version is None or path == text_column:
            continue
        cells = frame[path] if path in frame.columns else pandas.Series(nested_cells(frame, path), frame.index, "str")
        cells = cells.fillna("").astype(str)
        rows = (cells != texts) & (cells.str.strip() != "")
        pairs = zip(texts[rows].tolist(), cells[rows].tolist(), strict=True)
        longer = [_complete(text, cell, version) for text, cell in pairs]
        longer = pandas.Series(longer, rows.index[rows], "str").dropna()
        if len(longer):
            texts = longer.reindex(texts.index).fillna(texts)
            completed[longer.index] = True
            columns.append(path)
        if version == "whole":
            whole |= cells.str.strip() != ""
    return WholeTexts(texts, completed, whole | completed, columns)


def with_whole_texts(table: TableStream, columns: TableColumns, text_at: int) -> tuple[TableStream, int]:
    """Return the table and the position of its whole texts: those at `text_at`, or a new last column.

    The column is added only if the file has a longer version of some text.
    """
    paths = [*columns.names, *(candidate.name for candidate in columns.inside())]
    versions = {path: version for path in paths if (version := version_of(path)) and path != table.columns[text_at]}
    parts = [(columns.parts([path]), version) for path, version in versions.items()]

    def whole_text(cells: list[str]) -> str:
        text = cells[text_at]
        for part, version in parts:
            cell = text_of_row(cells, part)
            if cell is not None and cell != text:
                text = _complete(text, cell, version) or text
        return text

    if not parts or all(whole_text(cells) == cells[text_at] for _, cells in table.rows()):
        return table, text_at
    log.info("the whole texts, in the new column %r, are from %s", WHOLE_COLUMN, ", ".join(map(repr, versions)))

    def rows() -> Iterator[NumberedRow]:
        for number, cells in table.rows():
            yield number, [*cells, whole_text(cells)]

    return replace(table, columns=[*table.columns, WHOLE_COLUMN], rows=rows), len(table.columns)


def version_of(path: str) -> str | None:
    """Return which version of a post's text a column or a nested path holds by its name; None if none.

    "whole": the whole text. "longer": it may be whole where the text is cut. "repost": that of the post that is
    repeated.
    """
    *parents, name = map(name_of, path.split("."))
    version = None
    for parent in parents:
        if WHOLE_PARENT.fullmatch(parent):
            version = version or "whole"
        elif REPOST_PARENT.fullmatch(parent):
            version = "repost"
        elif OTHERS.match(parent):
            return None
    if REPOST_NAME.fullmatch(name):
        return "repost"
    if WHOLE_NAME.fullmatch(name):
        return version or "longer"
    return version if name == "text" else None


def are_cut(texts: "pandas.Series", truncated: "pandas.Series | None") -> "pandas.Series":
    """Return which texts are cut off; where the file says so itself (`truncated`), any that ends in "…" is."""
    import pandas

    is_cut = texts.str.contains(SIGN_OF_CUT).to_numpy(dtype=bool, copy=True)  # most have no sign
    is_cut[is_cut] = [
        ("…" in text or "..." in text or "(cont)" in text or "\n" in text[-MORE_LENGTH:]) and _is_cut(text)
        for text in texts[is_cut].tolist()
    ]
    cut = pandas.Series(is_cut, texts.index)
    if truncated is not None:
        cut |= truncated & texts.str[-LONGEST_END:].str.contains(ENDS_OPEN)
    return cut


def _is_cut(text: str) -> bool:
    end_of_text = max(0, len(text) - LONGEST_END)
    if CERTAINLY_CUT.search(text, end_of_text):
        return True
    if "http" not in text:
        return False
    end = CUT_BEFORE_LINK.search(text, end_of_text)
    if end is None:
        return False
    shown = unescape(text)
    if end["dots"] == "…":
        return len(shown) - (len(text) - end.start()) >= CUT_LENGTH
    # X's own cut, perhaps spelt with three dots; an author's has any length.
    return len(shown.strip()) - 2 * (end["dots"] == "...") in X_LENGTHS


def _complete(text: str, whole: str, version: str) -> str | None:
    """Return the whole text if it continues the text, with a retweet's prefix in front; None if it does not."""
    prefix = ""
    if version == "repost":
        match = REPOST_PREFIX.match(text)
        if match is None:
            return None
        prefix, text = match[0], text[match.end() :]
    elif not text.strip():
        return whole
    if version == "whole":
        return whole if len(comparable(whole)) > len(beginning(text)) else None
    return prefix + whole if continues(whole, text) else None
