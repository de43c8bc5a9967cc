"""Lists and objects as Python, pandas and numpy write them into a cell."""

import numpy as np
import pandas as pd
import pytest

from utils.reading.literals import parse_literal

TURNS = [{"role": "user", "content": 'It\'s "x"\nand \\d'}, {"role": "assistant", "content": "a, b: {c} [d]"}]


@pytest.mark.parametrize(
    "written",
    [
        str(TURNS),
        str(np.array(TURNS, dtype=object)),
        repr(np.array(TURNS, dtype=object)),
        str(np.array([TURNS], dtype=object)[0]),
        str(pd.Series([TURNS]).iloc[0]),
        f"  {TURNS}\n",
    ],
)
def test_turns_as_python_and_numpy_write_them(written):
    assert parse_literal(written) == TURNS


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("['Hi there' \"I'm\"\n 'Hello']", ["Hi there", "I'm", "Hello"]),
        ("[array(['a', 'b'], dtype=object)\n array(['c', 'd'], dtype='<U1')]", [["a", "b"], ["c", "d"]]),
        ("[{'a': nan, 'b': None, 'c': True, 'd': null}]", [{"a": None, "b": None, "c": True, "d": None}]),
        ("{'at': datetime.datetime(2023, 4, 9, tzinfo=<UTC>), 'n': -1.5}", {"at": 2023, "n": -1.5}),
        ("[Timestamp('2024-01-01 00:00:00', tz='UTC'), UUID('ab')]", ["2024-01-01 00:00:00", "ab"]),
        ("[('a', 'b'), ('c', 1)]", [["a", "b"], ["c", 1]]),
        ("[]", []),
        (r"['\d+ \'x\'']", [r"\d+ 'x'"]),
    ],
)
def test_literals_are_recognized(text, value):
    assert parse_literal(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "'a'",
        "12",
        "[a, b]",
        "[1, 2",
        "[1] and [2]",
        "['I'm']",
        "{'a'}",
        "{'a': }",
        "{[1]: 2}",
        "[...]",
        "[" * 9999,
    ],
)
def test_other_texts_are_no_literals(text):
    assert parse_literal(text) is None
