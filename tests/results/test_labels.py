"""The line of a text that classify.py prints."""

import pytest

from utils.results.labels import prediction_line


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("neg", "pos"), "pos  neg 0.020  pos 0.980  fine"),
        (("0", "1"), "1    probability of 0: 0.020, of 1: 0.980  fine"),
        (("-1", "0.5"), "0.5  probability of -1: 0.020, of 0.5: 0.980  fine"),
        (("1", "unknown"), "unknown  probability of 1: 0.020, of unknown: 0.980  fine"),
        (("1 star", "5 stars"), "5 stars  1 star 0.020  5 stars 0.980  fine"),
    ],
    ids=["words", "classes", "signed", "mixed", "stars"],
)
def test_numbers_are_told_from_probabilities(names, expected):
    record = {"text": "fine", "label": names[1], "probabilities": dict(zip(names, (0.02, 0.98), strict=True))}
    assert prediction_line(record, 3) == expected


def test_a_text_of_which_nothing_is_left():
    assert prediction_line({"text": "", "label": None, "probabilities": None}, 3) == "–    no text"
