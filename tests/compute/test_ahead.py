"""Work on texts before it is known which are needed: the results are those of the needed texts."""

import pytest

from utils.compute.ahead import Ahead
from utils.compute.workers import Workers


@pytest.mark.parametrize("processes", [1, 2])
def test_texts_that_were_dropped_meanwhile_have_no_results(processes):
    started = [["a", "bb", "", "bb"], ["ccc", "a"], ["dddd"]]
    needed = [["bb", "bb"], ["a", "dddd"]]
    with Workers(processes) as workers:
        ahead = Ahead(workers, "measuring")
        assert list(ahead.start(lengths, started)) == []
        assert list(ahead.map(lengths, needed)) == [[2, 2], [1, 4]]


def test_nothing_has_to_be_started():
    assert list(Ahead(Workers(1), "measuring").map(lengths, [["a"], ["bb", ""]])) == [[1], [2, 0]]


def lengths(texts):
    return list(map(len, texts))
