"""The start of training: rows, objective and trained parameters."""

from argparse import Namespace

import pytest
import torch
from small_classifiers import labeled_data, opinions
from small_models import processed_data

from utils.compute.prefix_cache import OFF
from utils.training.linear_probe import CLASS_FITTING, rows_for_probe
from utils.training.prepare import prepare

FLAGS = {"unfreeze_last": 1, "max_length": None, "augment": False, "seed": 1, "lora": None, "load_in_4bit": False}
WRITING = FLAGS | {"train_head": False, "loss_on": "response", "time_limit": None}
SHORT = {"max_steps": None, "batch_size": 8, "gradient_accumulation_steps": 1, "search": None, "label_errors": None}
CLASSIFYING = FLAGS | SHORT | {"class_weights": "none", "threshold": "auto", "oversample": False}
TEXTS = {"train": ["a red cat", "the tall tree"], "validation": ["a tall cat", "the red day", "one more day"]}


def prepared(data, flags: dict, **changes):
    setup = prepare(data, "tiny", Namespace(**flags | changes), "cpu", "fp32", OFF)
    if setup.probe:
        setup.probe.run()
    return setup


def test_a_language_model_gets_the_rows_of_both_splits():
    setup = prepared(processed_data(**TEXTS, test=["x"]), WRITING)
    assert {name: len(rows) for name, rows in setup.rows.items()} == {"train": 2, "validation": 3}
    assert (setup.objective.metric, setup.max_length) == ("bits_per_byte", 1024)
    trainable = {name for name, parameter in setup.base.model.named_parameters() if parameter.requires_grad}
    assert trainable and all(name.startswith(("transformer.h.1.", "transformer.ln_f.")) for name in trainable)


@pytest.mark.parametrize(("length", "longest"), [(3, 16), (20, 2 * 21), (300, 128)])  # texts end with one more token
def test_a_sample_is_at_most_twice_as_long_as_the_texts(length, longest):
    setup = prepared(processed_data(**TEXTS | {"validation": ["x" * length] * 3}), WRITING)
    assert [(each.longest, each.longest_at_start) for each in setup.objective.callbacks] == [(longest, 16)]


def test_with_a_time_limit_the_samples_before_the_first_step_take_as_long_as_later_ones():
    setup = prepared(processed_data(**TEXTS | {"validation": ["x" * 20] * 3}), WRITING, time_limit=60.0)
    assert [(each.longest, each.longest_at_start) for each in setup.objective.callbacks] == [(42, 42)]


def test_rows_are_no_longer_than_asked_for():
    setup = prepared(processed_data(**TEXTS), WRITING, max_length=5)
    assert setup.max_length == 5
    assert {len(row["input_ids"]) for row in setup.rows["train"]} == {5}


@pytest.mark.parametrize(("loss_on", "starts"), [("response", {4}), ("all", {1})])
def test_the_loss_of_training_may_include_the_prompts(loss_on, starts):
    data = processed_data(**TEXTS)
    for split in data.splits.values():
        split.loss_start[:] = [4] * len(split)
    setup = prepared(data, WRITING, loss_on=loss_on)
    assert {row["loss_start"] for row in setup.rows["train"]} == starts
    assert {row["loss_start"] for row in setup.rows["validation"]} == {4}


def test_a_classifier_starts_from_a_probe_if_there_are_enough_texts():
    heads = []
    for number in (4, 24):
        setup = prepared(labeled_data({"train": opinions(number)}, ["neg", "pos"]), CLASSIFYING)
        heads.append(setup.base.model.score.weight.detach())
    assert setup.objective.metric == "macro_f1"
    assert not torch.equal(*heads)
    plain = prepared(labeled_data({"train": opinions(6)}, ["neg", "pos"]), CLASSIFYING)
    assert torch.equal(heads[0], plain.base.model.score.weight)  # drawn with the seed


@pytest.mark.parametrize(
    ("changes", "probed"),
    [
        ({}, 2000),
        ({"max_steps": 3}, 500),
        ({"max_steps": 50}, 800),
        ({"max_steps": 50, "gradient_accumulation_steps": 2}, 1600),
        ({"max_steps": 500}, 2000),
        ({"max_steps": 3, "search": 2}, 2000),
        ({"max_steps": 3, "label_errors": "errors.csv"}, 2000),
    ],
    ids=["epochs", "few_steps", "more_steps", "accumulated", "many_steps", "search", "label_errors"],
)
def test_few_steps_do_not_wait_for_a_probe_of_all_texts(changes, probed):
    rows = [{"label": int(number >= 1993), "number": number} for number in range(2000)]
    part = rows_for_probe(rows, Namespace(**SHORT | changes, seed=1), CLASS_FITTING)
    rare = sum(row["label"] for row in part)
    assert rare >= 5  # for all folds
    assert probed <= len(part) <= probed + 5
    assert len({row["number"] for row in part}) == len(part)


def test_more_texts_of_a_small_class():
    rows = {"train": [*opinions(6), ("fine work", "pos"), ("so good", "pos")]}
    setup = prepared(labeled_data(rows, ["neg", "pos"]), CLASSIFYING, oversample=True, augment=True)
    labels = [row["label"] for row in setup.rows["train"]]
    assert (labels.count(0), labels.count(1)) == (10, 10)


def test_a_copy_of_the_model_is_frozen_in_the_same_way():
    setup = prepared(processed_data(**TEXTS), WRITING, train_head=True)
    setup.freeze(setup.base.model, 0)
    trainable = {name for name, parameter in setup.base.model.named_parameters() if parameter.requires_grad}
    assert trainable == {"transformer.ln_f.weight", "transformer.ln_f.bias", "lm_head.weight"}
