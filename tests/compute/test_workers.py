"""Worker processes: the same results as without them, in order, and only where they are worth their start."""

import array
import os
import random

import numpy as np
import psutil
import pytest
from sentences import sentence

from utils.compute import workers as module
from utils.compute.workers import Workers, default_processes
from utils.models import tokenization
from utils.models.base_models import resolve
from utils.models.opening.load import load_tokenizer
from utils.models.tokenization import encode
from utils.text import duplicates
from utils.text.duplicates import near_duplicates


@pytest.fixture(scope="module")
def two():
    with Workers(2) as workers:
        yield workers


def test_results_come_in_order_whatever_the_function(two):
    for factor in (2, 3):
        found = list(two.map(array.array("I", [factor] * 40).__getitem__, list(range(40)), "counting"))
        assert found == [factor] * 40
    assert list(two.map(abs, range(-50, 0), "counting")) == list(range(50, 0, -1))


def test_one_process_and_one_chunk_start_none():
    children = psutil.Process().children()
    for workers, chunks in ((Workers(1), [-1, -2]), (Workers(2), [-1])):
        with workers:
            assert list(workers.map(abs, chunks, "counting")) == [-chunk for chunk in chunks]
            assert psutil.Process().children() == children


def test_near_duplicates_are_the_same(two, monkeypatch):
    monkeypatch.setattr(duplicates, "ROWS_AT_ONCE", 50)
    texts = [sentence(number) for number in range(300)]
    texts += [f"{text}!" for text in texts[::7]] + [text.replace("e", "i", 1) for text in texts[::11]]
    texts += [f"{text}: the same advertisement of the same shop for all of you" for text in texts[::5]]
    random.Random(0).shuffle(texts)
    alone = near_duplicates(texts)
    assert np.count_nonzero(alone >= 0) > 40
    assert near_duplicates(texts, each=lambda *work: two.map(*work, "comparing")).tolist() == alone.tolist()


def test_token_ids_are_the_same(two, monkeypatch):
    monkeypatch.setattr(tokenization, "TEXTS_AT_ONCE", 20)
    tokenizer = load_tokenizer(resolve("tiny"))
    special = tokenizer.eos_token
    texts = [f"{sentence(number)} {special} é  caf\u00e9\n" if number % 3 else "" for number in range(200)]
    alone = encode(tokenizer, [""] * len(texts), texts)
    assert encode(tokenizer, [""] * len(texts), texts, lambda *work: two.map(*work, "encoding")) == alone
    assert all(ids.count(tokenizer.eos_token_id) == 2 for ids in alone[0])  # around the text, and none in it


def test_large_files_get_several_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: range(3), raising=False)
    monkeypatch.setattr(module, "MANY_BYTES", 1000)
    small, large, inside = tmp_path / "small.csv", tmp_path / "large.csv", tmp_path / "folder" / "a.csv"
    inside.parent.mkdir()
    small.write_bytes(b"a" * 600)
    large.write_bytes(b"a" * 1000)
    inside.write_bytes(b"a" * 1000)
    assert [default_processes([path]) for path in (small, large, inside.parent, "-", "hf://a/b")] == [1, 3, 3, 1, 1]
    assert default_processes([small, large]) == default_processes([small, str(small)]) == 3
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: range(64), raising=False)
    assert default_processes([large]) == module.MOST
