"""Excerpts: a short text is whole, a long one is cut around what is marked."""

import pytest

from utils.evaluation.excerpts import excerpt


def test_a_short_text_is_whole():
    assert excerpt("one two", (4, 7)) == {"text": "one two", "cut_before": 0, "cut_after": 0, "copied": [4, 7]}
    assert excerpt("") == {"text": "", "cut_before": 0, "cut_after": 0, "copied": None}


@pytest.mark.parametrize(("first", "last"), [(0, 5), (395, 405), (5_000, 5_020), (9_990, 10_000), (3_000, 9_000)])
def test_a_long_text_is_cut_around_the_marked_place(first, last):
    text = "".join(chr(0x4E00 + number) for number in range(10_000))
    found = excerpt(text, (first, last))
    assert len(found["text"]) == 400
    assert text[found["cut_before"] :].startswith(found["text"])
    assert found["cut_before"] + 400 + found["cut_after"] == 10_000
    start, end = found["copied"]
    assert 0 <= start < end <= 400
    assert found["text"][start:end] == text[first:last][: end - start]
    assert end - start == min(last - first, end - start) and (end - start == last - first or end == 400)


def test_without_a_place_the_beginning_is_shown():
    assert excerpt("a" * 500) == {"text": "a" * 400, "cut_before": 0, "cut_after": 100, "copied": None}
