"""The texts on which a run validates."""

from argparse import Namespace

import pytest

from utils.training.prepare import validation_rows

FLAGS = {"max_steps": 3, "batch_size": 16, "gradient_accumulation_steps": 1, "seed": 1}
FLAGS |= {"eval_strategy": None, "eval_on_start": None, "save_steps": None, "search": None}


@pytest.mark.parametrize(
    ("changes", "validated"),
    [
        ({}, 100),
        ({"max_steps": None}, 600),
        ({"max_steps": 10}, 320),
        ({"gradient_accumulation_steps": 4}, 384),
        ({"max_steps": 20}, 600),
        ({"eval_on_start": "on"}, 600),
        ({"eval_on_start": "off"}, 100),
        ({"eval_strategy": "epoch"}, 600),
        ({"save_steps": 2}, 600),
        ({"search": 5}, 600),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else " ".join(map(str, value)) or "few_steps",
)
def test_few_steps_do_not_wait_for_a_long_validation(changes, validated):
    rows = list(range(600))
    part = validation_rows(rows, Namespace(**FLAGS | changes))
    assert len(set(part)) == len(part) == validated
    assert part == validation_rows(rows, Namespace(**FLAGS | changes))


def test_few_validation_texts_are_all_taken():
    rows = list(range(100))
    assert validation_rows(rows, Namespace(**FLAGS)) == rows
