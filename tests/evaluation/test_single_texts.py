"""Bits per byte of single texts against a plain loop; the extremes of each split, and the figures for comparisons."""

import math

import pytest
import torch
from small_models import END, processed_data, random_model, tiny_tokenizer

from utils.evaluation.likelihood import measure_likelihood
from utils.evaluation.single_texts import measure_single_texts, per_text
from utils.models.checkpoint import Trained
from utils.training.rows import training_rows

HARD = "\x00\x07 \u202eשלום 👩🏽‍🚒"
TEST = ["a test", "quite another one", "x", "word " * 60, HARD, "one more", "a", "bb", "ccc", "dddd", "eeeee"]
TRAIN = [f"training text {number} {'z' * number}" for number in range(30)]


def plain_bits_per_byte(model: torch.nn.Module, text: str) -> float:
    """One text at a time, cut to the context."""
    ids = torch.tensor([END, *tiny_tokenizer()(text, add_special_tokens=False).input_ids, END][:128])
    with torch.inference_mode():
        scores = model.double()(ids[None], attention_mask=torch.ones_like(ids[None])).logits[0, :-1].log_softmax(-1)
    size = len(ids) - 1 - (len(text.encode()) + 2 <= 128)
    return -scores.gather(1, ids[1:, None]).sum().item() / math.log(2) / size


def measured(train: list[str], test: list[str], models: dict[str, int], seed: int = 0) -> tuple[dict, dict]:
    """The figures of the texts by models with these seeds, and of each text alone."""
    data = processed_data(train=train, validation=["v"], test=test)
    trained = {
        name: Trained(random_model("gpt2", seed=number), tiny_tokenizer(), {}) for name, number in models.items()
    }
    rows = training_rows(data, tiny_tokenizer(), 128, ["test"])["test"]
    scores = {name: measure_likelihood(one.model, rows, "fp32", "", test)[1] for name, one in trained.items()}
    found = measure_single_texts(trained["tuned"], data, rows, scores, precision="fp32", seed=seed)
    return found, per_text(rows, scores["tuned"], data.splits["test"].group)


@pytest.fixture(scope="module")
def found():
    return measured(TRAIN, TEST, {"base": 1, "tuned": 0})


def test_extremes_are_those_of_a_plain_loop(found):
    tuned, base = random_model("gpt2", seed=0), random_model("gpt2", seed=1)
    expected = sorted((plain_bits_per_byte(tuned, text), row) for row, text in enumerate(TEST))
    shown = found[0]["extremes"]["test"]
    for end, best in (("least", expected[:5]), ("most", expected[::-1][:5])):
        assert [one["row"] for one in shown[end]] == [row for _, row in best]
        assert [one["tuned"] for one in shown[end]] == pytest.approx([bits for bits, _ in best], rel=1e-4)
        for one in shown[end]:
            text = TEST[one["row"]]
            assert one["base"] == pytest.approx(plain_bits_per_byte(base, text), rel=1e-4)
            assert (one["text"], one["bytes"]) == (text, min(127, len(text.encode())))


def test_training_texts_are_drawn_with_the_seed(found):
    tuned = random_model("gpt2", seed=0)
    for seed in (0, 1):
        train = measured(TRAIN, TEST, {"tuned": 0}, seed)[0]
        assert (train["train"]["texts"], train["train"]["of"]) == (len(TEST), 30)
        ends = train["extremes"]["train"]
        for one in (*ends["least"], *ends["most"]):
            assert one["text"] == TRAIN[one["row"]]
            assert one["tuned"] == pytest.approx(plain_bits_per_byte(tuned, one["text"]), rel=1e-4)
            assert "base" not in one
        assert (train == {**found[0], "extremes": train["extremes"]}) == (seed == 0)
    every = measured(TRAIN[:4], TEST, {"tuned": 0})[0]["train"]
    bits = sum(plain_bits_per_byte(tuned, text) * len(text.encode()) for text in TRAIN[:4])
    assert every["bits_per_byte"]["value"] == pytest.approx(bits / sum(map(len, TRAIN[:4])), rel=1e-4)
    assert (every["texts"], every["of"]) == (4, 4)


def test_every_text_is_in_the_histogram(found):
    histogram = found[0]["histogram"]
    assert {name: sum(counts) + histogram["above"][name] for name, counts in histogram["counts"].items()} == {
        "train": len(TEST),
        "test": len(TEST),
    }


def test_figures_to_compare_models_are_of_each_text_in_order(found):
    tuned = random_model("gpt2", seed=0)
    texts = found[1]
    assert texts["row"] == list(range(len(TEST)))
    assert texts["cluster"] == list(range(len(TEST)))
    assert texts["bytes"] == [min(127, len(text.encode())) for text in TEST]
    bits = [nll / math.log(2) / size for nll, size in zip(texts["nll"], texts["bytes"], strict=True)]
    assert bits == pytest.approx([plain_bits_per_byte(tuned, text) for text in TEST], rel=1e-3)
    assert all(type(value) in (int, float) for column in texts.values() for value in column)


def test_of_three_texts_none_is_both_and_one_without_bytes_is_neither():
    found, texts = measured(["one"], ["", "three", "two", "one"], {"tuned": 0})
    ends = found["extremes"]["test"]
    assert len(ends["least"]) == len(ends["most"]) == 1
    assert ends["least"][0]["row"] != ends["most"][0]["row"]
    assert found["extremes"]["train"] == {"least": [], "most": []}
    assert texts["bytes"] == [0, 5, 3, 3]
