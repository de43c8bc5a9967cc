r"""Undo the escapes that exports leave in a whole column: \n, \u2019, \", #39; and u2019.

In a single text they may be meant (code, "C:\new", LaTeX), so that only a column full of them is changed.
"""

import html
import re
from collections import Counter
from collections.abc import Iterable

from utils.text.characters import join_surrogates

FULL = 0.05  # of the cells. Real texts have such sequences in less than one of a hundred
AT_LEAST = 3  # cells
CONSISTENT = 0.9  # of the cells with a backslash have no other meaning for it

_ESCAPE = r"\\+(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[nrt\"'/])"
# Windows paths, commands of LaTeX, regular expressions, "\o/".
_NO_ESCAPE = re.compile(
    r"(?<![A-Za-z])[A-Za-z]:\\(?!\\*[\"'/])|\\(?:nu|ne|neq|neg|not|nabla|newline|newcommand|text\w*|theta|tau|tan|times|title|to|"
    r"rho|right\w*|ref|rm)(?![A-Za-z])|\\+(?!u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[nrt\"'/\\])"
)
_PATTERNS = {
    "backslash": re.compile(rf"(?:\\+x[0-9a-fA-F]{{2}})+|{_ESCAPE}"),
    "entity": re.compile(r"(?<!&)#[0-9]{2,5};|&#[0-9]{2,5}(?![0-9;])|(?<![&\w])(?:amp|quot|lt|gt|nbsp|apos);"),
    "code": re.compile(
        r"(?<![\\0-9+])u(?:20[0-3][0-9a-f]|00[a-f][0-9a-f]|d8[0-3][0-9a-f]\\?u?d[c-f][0-9a-f]{2})(?![0-9])"
    ),
}
_BLANKS = {"n": "\n", "r": "\r", "t": "\t"}


def find_escapes(cells: Iterable[str]) -> dict[str, int]:
    """Return the kinds of escapes that fill a column, and the number of its cells that have them."""
    found, cells_read, with_backslash = Counter(), 0, 0
    for cell in cells:
        cells_read += bool(cell)
        if "\\" in cell:
            with_backslash += 1
            found["backslash"] += not _NO_ESCAPE.search(cell)
        if (";" in cell or "&#" in cell) and _PATTERNS["entity"].search(cell):
            found["entity"] += 1
        if ("u20" in cell or "u00" in cell or "ud8" in cell) and _PATTERNS["code"].search(cell):
            found["code"] += 1
    if found["backslash"] < CONSISTENT * with_backslash:
        del found["backslash"]
    return {kind: count for kind, count in found.items() if count >= max(AT_LEAST, FULL * cells_read)}


def undo_escapes(text: str, kinds: Iterable[str]) -> str:
    """Return the text with the escapes of these kinds undone."""
    for kind in kinds:
        text = _PATTERNS[kind].sub(_CHARACTERS[kind], text)
    return join_surrogates(text)


def _after_backslash(match: re.Match) -> str:
    escape = match[0].lstrip("\\")
    if escape[0] == "x":
        written = bytes.fromhex(match[0].replace("\\", "").replace("x", ""))
        try:
            return written.decode()
        except UnicodeDecodeError:
            return written.decode("cp1252", "replace")
    return chr(int(escape[1:], 16)) if escape[0] == "u" else _BLANKS.get(escape, escape)


def _entity(match: re.Match) -> str:
    return html.unescape("&" + match[0].strip("&;") + ";")


def _code(match: re.Match) -> str:
    return "".join(chr(int(code, 16)) for code in re.findall("[0-9a-f]{4}", match[0].replace("\\", "")))


_CHARACTERS = {"backslash": _after_backslash, "entity": _entity, "code": _code}
