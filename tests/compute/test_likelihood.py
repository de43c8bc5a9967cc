"""Scores against a plain loop: one text at a time, no padding, the probabilities added up by hand."""

import math
import random

import pytest
import torch
from small_models import END, random_model

from utils.compute.batching import BATCH_TOKENS
from utils.compute.likelihood import TokenScores, score_texts


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def model(request):
    return random_model(request.param)


def row(text: bytes, loss_start: int = 1) -> dict:
    return {"input_ids": [END, *text, END], "loss_start": loss_start}


@pytest.fixture(scope="module")
def rows():
    """Texts of many lengths, some with an unsupervised prompt, and some with end-of-text inside."""
    draw = random.Random(1)
    texts = [bytes(draw.randrange(256) for _ in range(length)) for length in [5, 90, 1, 0, 33, 100, 2, 40, 64, 7]]
    rows = [row(text) for text in texts] + [row(b"prompt and answer", loss_start=8), row(b"last token", loss_start=11)]
    rows[4]["input_ids"][7] = rows[9]["input_ids"][2] = END
    return rows


def plain(model, row) -> tuple[float, int, int]:
    """(nll, tokens, correct) of a single text in float64, token by token."""
    ids = row["input_ids"]
    with torch.inference_mode():
        logits = model.double()(torch.tensor([ids]), use_cache=False).logits[0].tolist()
    model.float()
    nll, tokens, correct = 0.0, 0, 0
    for position in range(row["loss_start"], len(ids)):
        scores = logits[position - 1]
        nll += math.log(math.fsum(map(math.exp, scores))) - scores[ids[position]]
        tokens += 1
        correct += scores.index(max(scores)) == ids[position]
    return nll, tokens, correct


@pytest.mark.parametrize("tokens_in_a_batch", [BATCH_TOKENS["cpu"], 120, 1])
def test_scores_are_those_of_each_text_alone(model, rows, tokens_in_a_batch, monkeypatch):
    monkeypatch.setitem(BATCH_TOKENS, "cpu", tokens_in_a_batch)
    found = score_texts(model, rows)
    nll, tokens, correct = zip(*(plain(model, row) for row in rows), strict=True)
    assert found.nll == pytest.approx(nll, rel=1e-5)
    assert found.tokens == list(tokens)
    assert found.correct == list(correct)
    ends = [{**row, "loss_start": len(row["input_ids"]) - 1} for row in rows]
    assert found.last == pytest.approx([plain(model, row)[0] for row in ends], rel=1e-5)
    firsts = [{**row, "input_ids": row["input_ids"][: row["loss_start"] + 1]} for row in rows]
    assert found.first == pytest.approx([plain(model, row)[0] for row in firsts], rel=1e-5)


def test_the_first_choice_is_counted(model):
    """Texts that the model itself finds likeliest, so that some of its choices are right."""
    ids = [END, *b"start"]
    with torch.inference_mode():
        for _ in range(20):
            ids.append(model(torch.tensor([ids])).logits[0, -1].argmax().item())
    rows = [{"input_ids": ids[:length], "loss_start": 6} for length in (26, 16)]
    assert score_texts(model, rows).correct == [20, 10]
    assert score_texts(model, rows).correct == [plain(model, row)[2] for row in rows]


def test_other_texts_in_the_batch_change_nothing(model, rows):
    together = score_texts(model, rows)
    for number, alone in enumerate(rows):
        found = score_texts(model, [alone])
        assert found.nll[0] == pytest.approx(together.nll[number], rel=1e-5)
        assert (found.tokens[0], found.correct[0]) == (together.tokens[number], together.correct[number])
    backwards = score_texts(model, rows[::-1])
    assert backwards.nll[::-1] == pytest.approx(together.nll, rel=1e-6)


def test_the_last_end_of_text_counts_although_it_pads(model):
    """Scores leave out padding by its place: a text's own end is a token like any other."""
    with_end, without = row(b"abc"), {"input_ids": [END, *b"abc"], "loss_start": 1}
    long = row(b"x" * 50)
    found = score_texts(model, [with_end, without, long])
    assert found.tokens == [4, 3, 51]
    assert found.nll[0] - found.nll[1] == pytest.approx(plain(model, {**with_end, "loss_start": 4})[0], rel=1e-4)


def test_the_model_is_left_as_it_was(model, rows):
    model.train()
    dropped_out_nothing = score_texts(model, rows[:3]).nll
    assert model.training
    model.eval()
    assert score_texts(model, rows[:3]).nll == dropped_out_nothing
    assert not model.training


def test_bfloat16_is_near(model, rows):
    exact, rounded = score_texts(model, rows).nll, score_texts(model, rows, bfloat16=True).nll
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.05)


def test_no_texts_have_no_scores(model):
    assert score_texts(model, []) == TokenScores([], [], [], [], [])
