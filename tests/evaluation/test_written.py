"""Statistics of generated texts: samples with their nearest training texts, and figures beside real texts."""

import json

import pytest
from small_models import processed_data

from utils.evaluation.written import measure_written
from utils.inference.generation import Generated
from utils.metrics.copying import Copying
from utils.metrics.shares import share_interval

TRAIN = ["Nothing here.", "x" * 6_000 + " The quick brown FOX jumps over it " + "y" * 6_000, "שלום לכולם 👩🏽‍🚒"]
TEST = ["the quick test", "A test is a test is a test", "\x00", "here and there"]
TUNED = [
    "I say: the quick, brown fox jumps!",
    "",
    "שלום לכולם \x07",
    "nothing",
    "again and again and again and",
    *["z"] * 7,
]
BASE = ["unlike anything"] * 12


@pytest.fixture(scope="module")
def measure():
    def measured(tuned=TUNED, base=BASE, train=TRAIN, test=TEST):
        data = processed_data(train=train, validation=["v"], test=test)
        texts = {"tuned": tuned} if base is None else {"base": base, "tuned": tuned}
        copying = {
            name: Copying(keep_in_memory=True).compute(predictions=some, training_texts=train)
            for name, some in {**texts, "test texts": test}.items()
        }
        written = {name: [Generated(text, 3, text != "z") for text in some] for name, some in texts.items()}
        return measure_written(written, copying, "test texts", data.splits["test"], data.splits["train"])

    return measured


def marked(piece: dict) -> str:
    start, end = piece["copied"]
    return piece["text"][start:end]


def test_samples_have_the_copied_words_and_the_nearest_training_text(measure):
    found = measure()
    json.dumps(found, allow_nan=False)
    assert len(found["samples"]) == 8
    assert [sample["tuned"]["text"] for sample in found["samples"]] == TUNED[:8]
    assert [sample["base"]["text"] for sample in found["samples"]] == BASE[:8]
    first, empty, hebrew, single, *_ = (sample["tuned"] for sample in found["samples"])
    assert marked(first) == "the quick, brown fox jumps"
    assert (first["copied_words"], first["nearest"]["row"]) == (5, 1)
    assert marked(first["nearest"]) == "The quick brown FOX jumps"
    assert len(first["nearest"]["text"]) == 400
    assert first["nearest"]["cut_before"] > 5_000 < first["nearest"]["cut_after"]
    assert (empty["copied"], empty["nearest"], empty["copied_words"]) == (None, None, 0)
    assert marked(hebrew) == marked(hebrew["nearest"]) == "שלום לכולם"
    assert (marked(single), marked(single["nearest"]), single["exact_copy"]) == ("nothing", "Nothing", False)
    assert all(sample["base"]["nearest"] is None for sample in found["samples"])


def test_the_longest_copies_come_first(measure):
    assert [piece["text"] for piece in measure()["longest_copies"]] == [TUNED[0], TUNED[2], TUNED[3]]
    assert measure(tuned=["z"] * 5, base=None)["longest_copies"] == []


def test_figures_stand_beside_those_of_real_texts(measure):
    found = measure()
    for figure in ("copies", "novelty", "repetition"):
        assert found[figure].keys() == {"base", "tuned", "test texts"}
    assert found["repetition"]["test texts"]["4"]["value"] == 1  # "A test is a test is a test"
    assert found["repetition"]["base"]["2"]["value"] == 0
    assert found["novelty"]["base"][0] == found["novelty"]["base"][1]
    assert found["novelty"]["tuned"][4]["value"] == 4 / 5  # of five runs of five words, one is copied
    assert found["finished"] == {
        "base": share_interval([True] * 12),
        "tuned": share_interval([True] * 5 + [False] * 7),
    }
    assert found["copies"]["test texts"] == {
        "words": 8, "exact": share_interval([False] * 4), "long_run": share_interval([False] * 4),
    }  # fmt: skip
    parrot = " ".join(map(str, range(8)))
    copied = measure(tuned=[parrot, parrot[2:], "x"], base=None, train=[parrot])["copies"]["tuned"]
    assert copied["exact"] == copied["long_run"] == share_interval([True, False, False])
    lengths = found["words"]
    assert lengths["edges"][:2] == [0, 1]
    assert [sum(column) + lengths["above"][name] for name, column in lengths["counts"].items()] == [12, 12, 4]
    assert lengths["counts"]["tuned"][0] == 1


def test_a_model_without_its_base(measure):
    found = measure(base=None)
    assert all(sample.keys() == {"tuned"} for sample in found["samples"])
    assert found["finished"].keys() == {"tuned"}


def test_nothing_but_empty_texts(measure):
    found = measure(tuned=["", ""], base=["!", "\x00"], test=["a", "b", "c"])
    json.dumps(found, allow_nan=False)
    assert found["novelty"]["tuned"] == [None] * 10
    assert found["longest_copies"] == []
    assert len(found["samples"]) == 2
