"""Read lists and objects as Python, pandas and numpy write them into a cell of a CSV file."""

import ast
import re
import warnings

TOKEN = re.compile(
    r"""\s*(?:(?P<text>[bru]?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))|(?P<mark>[][{}(),:])|(?P<word>[^][{}(),:'"\s]+))""",
    re.DOTALL,
)
NOTHING = ("none", "null", "nan", "<na>")
TRUTH = {"true": True, "false": False}
Token = tuple[str, str]  # its kind, a name of a group in TOKEN, and its spelling


def parse_literal(text: str) -> dict | list | None:
    """Return the list or object that the whole text is, or None.

    Commas may be missing, as numpy leaves them out between the elements of an array. A call is read as its first
    argument: array([…], dtype=object) is a list, Timestamp('2024-01-01') a text. None and NaN are None.
    """
    try:
        left = _tokens(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a backslash that starts no escape
            value = _value(left)
    except (ValueError, SyntaxError, RecursionError, TypeError, IndexError):
        return None
    return value if not left and isinstance(value, dict | list) else None


def _tokens(text: str) -> list[Token]:
    """Return the tokens from the last to the first; ValueError if there is anything else in the text."""
    tokens, place, end = [], 0, len(text.rstrip())
    while place < end:
        match = TOKEN.match(text, place, end)
        if match is None:
            raise ValueError("not a token")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return tokens[::-1]


def _value(left: list[Token]):
    """Take the tokens of one value off the end of those left, and return the value."""
    kind, spelling = left.pop()
    if kind == "text":
        return spelling[1:-1] if spelling[0] in "'\"" and "\\" not in spelling else ast.literal_eval(spelling)
    if kind == "word":
        return _call(left) if left and left[-1] == ("mark", "(") else _constant(spelling)
    if spelling == "{":
        return _object(left)
    if spelling in "([":
        return _elements(left, ")" if spelling == "(" else "]")
    raise ValueError("not a value")


def _elements(left: list[Token], closing: str) -> list:
    elements = []
    while left[-1] != ("mark", closing):
        if left[-1] == ("mark", ","):
            left.pop()
        else:
            elements.append(_value(left))
    left.pop()
    return elements


def _object(left: list[Token]) -> dict:
    value = {}
    while left[-1] != ("mark", "}"):
        if left[-1] == ("mark", ","):
            left.pop()
            continue
        key = _value(left)
        if left.pop() != ("mark", ":"):
            raise ValueError("a key without a value")
        value[key] = _value(left)
    left.pop()
    return value


def _call(left: list[Token]):
    """Return the first argument of a call, whose name was taken; named arguments are skipped."""
    left.pop()
    arguments = []
    while left[-1] != ("mark", ")"):
        kind, spelling = left[-1]
        if (kind, spelling) == ("mark", ",") or (kind == "word" and "=" in spelling):
            left.pop()
        else:
            arguments.append(_value(left))
    left.pop()
    return arguments[0] if arguments else None


def _constant(word: str) -> bool | float | None:
    """Return the value of a word without quotes; ValueError if it is not a constant."""
    folded = word.casefold()
    if folded in NOTHING or folded in TRUTH:
        return TRUTH.get(folded)
    return float(word) if re.search("[.e]", folded) else int(word)
