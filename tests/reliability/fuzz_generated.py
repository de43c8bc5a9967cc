"""Files that Hypothesis writes: well-formed ones with unexpected values, and texts that are almost tables."""

import csv
import io
import json
import warnings

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

KEYS = (
    *("text", "full_text", "content", "label", "id", "date", "lang", "user", "instruction", "input", "output", "role"),
    *(
        "messages",
        "conversations",
        "from",
        "value",
        "prompt",
        "emoji",
        "description",
        "data",
        "tweet",
        "type",
        "object",
    ),
    *(
        "kind",
        "columns",
        "name",
        "rows",
        "created_at",
        "reply_to",
        "reactions",
        "chats",
        "list",
        "@context",
        "orderedItems",
    ),
)
WORDS = st.sampled_from(
    ("the sea", "Hello 😀", "", " ", "user", "assistant", "Announce", "1", "2020-01-01", "=1+1", "nan")
)
TEXTS = WORDS | st.text(max_size=30) | st.text("\"',;\t\r\n\\|^~@#&<>[]{} ab1", max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | TEXTS, inside, max_size=5),
)
ROWS = st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=6), min_size=1, max_size=6)
CELLS = st.lists(st.lists(TEXTS, min_size=1, max_size=5), min_size=1, max_size=8)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _lines(values: list) -> bytes:
    return b"\n".join(map(_json, values))


def _table(cells: list[list[str]], delimiter: str, quoting: int | None) -> bytes:
    if quoting is None:  # csv.writer refuses what such a file cannot hold
        return "\n".join(map(delimiter.join, cells)).encode("utf-8", "surrogatepass")
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, quoting=quoting).writerows(cells)
    return file.getvalue().encode("utf-8", "surrogatepass")


TABLES = st.builds(_table, CELLS, st.sampled_from(",;\t|^"), st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, None)))
OBJECTS = (VALUES | ROWS).map(_json)
LINES = ROWS.map(_lines) | st.lists(VALUES, max_size=5).map(_lines)
ANY_TEXT = st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=200)
STRATEGIES = {
    "table": TABLES | ANY_TEXT,
    "json": OBJECTS | LINES | ANY_TEXT,
    "lines": LINES | ANY_TEXT,
    "bytes": ANY_TEXT,
}


def generated(kind: str, count: int, number: int) -> list[bytes]:
    """Return up to `count` files of a kind of `STRATEGIES`, the same ones for the same seed `number`."""
    files: list[bytes] = []

    @seed(number)
    @settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=HealthCheck
    )
    @given(STRATEGIES[kind])
    def collect(file: bytes) -> None:
        files.append(file)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collect()
    return files
