"""The marked part of the example is the part that counts in the loss."""

from small_models import tiny_tokenizer
from training_runs import TEXTS, rows_of

from utils.training.forecast.examples import example


def test_all_of_a_text_but_its_start_counts():
    tokenizer, rows = tiny_tokenizer(), rows_of(TEXTS)
    shown = example(rows, tokenizer, str)
    row = sorted(rows, key=lambda row: len(row["input_ids"]))[len(rows) // 2]
    assert shown.counted == tokenizer.decode(row["input_ids"][1:])
    assert str(shown) == f"<|endoftext|>⟦{shown.counted}⟧"


def test_of_an_answer_the_tokens_from_loss_start_on_count():
    tokenizer = tiny_tokenizer()
    ids = list(b"Say hi.\nHi!")
    shown = example([{"input_ids": ids, "loss_start": 8}], tokenizer, str)
    assert (shown.context, shown.counted) == (tokenizer.decode(ids[:8]), tokenizer.decode(ids[8:]))
    assert "⟦" + tokenizer.decode(ids[8:]) + "⟧" in str(shown)


def test_of_a_labeled_text_the_label_counts():
    tokenizer = tiny_tokenizer()
    ids = tokenizer("good soup")["input_ids"]
    assert str(example([{"input_ids": ids, "label": 1}], tokenizer, ["neg", "pos"].__getitem__)) == "good soup → ⟦pos⟧"


def test_controls_are_shown():
    tokenizer = tiny_tokenizer()
    ids = tokenizer("red\x1b[2J")["input_ids"]
    assert "\\x1b[2J" in str(example([{"input_ids": ids, "loss_start": 1}], tokenizer, str))
