"""From processed data and a base model's name to all that training needs: model, objective and rows."""

import logging
import math
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from utils.models import checkpoint
from utils.models.chat_templates import open_chat_template, set_chat_template
from utils.models.tokenization import context_length, encode_for_classification
from utils.preprocessing.emoji_unicode import subsample_skin_tones
from utils.training.freezing import freeze_classifier_parameters, freeze_parameters
from utils.training.linear_probe import start_from_probe, supports_probe
from utils.training.objectives import Objective, classification, language_modeling
from utils.training.rows import (
    labelled_rows,
    parse_class_weights,
    reworded_rows,
    rows_with_labels,
    training_rows,
    training_texts,
)

if TYPE_CHECKING:
    from utils.compute.prefix_cache import PrefixCache
    from utils.processed import Processed

log = logging.getLogger(__name__)
SAMPLES = 2  # texts that are shown at every evaluation
TRAINING_SPLITS = ("train", "validation")  # the test split is evaluate_model.py's


@dataclass(frozen=True)
class TrainingSetup:
    """A base model, frozen where it does not train, what it is to learn, and the rows of the two splits by name.

    No row is longer than `max_length` tokens.
    """

    base: checkpoint.Trained
    objective: Objective
    rows: dict[str, list[dict]]
    max_length: int


def prepare_writer(
    data: "Processed",
    name: str,
    *,
    unfreeze_last: int | None,
    train_head: bool,
    max_length: int | None,
    loss_on: str,
    augment: bool,
    seed: int,
) -> TrainingSetup:
    """For a model that learns to write: texts, answers to instructions, or emoji for descriptions.

    With `loss_on` "all" it learns to write the prompts, too; validation always counts the answers alone. `augment`
    adds reworded copies of descriptions.
    """
    base = checkpoint.load(name)
    answers = data.recipe["kind"] == "instruct"
    if answers:
        set_chat_template(base.tokenizer, data.recipe["template"])
    freeze_parameters(base.model, unfreeze_last, train_head)
    longest = min(max_length or sys.maxsize, context_length(base.model))
    if data.recipe["kind"] == "emoji":
        numbers = subsample_skin_tones(data.splits["train"].metadata["emoji"], seed)
        if left_out := len(data.splits["train"]) - len(numbers):
            log.info("training on all emoji without a skin tone, and without %s of the rows with one", f"{left_out:,}")
        data = replace(data, splits={**data.splits, "train": data.splits["train"].take(numbers)})
    rows = training_rows(data, base.tokenizer, longest, TRAINING_SPLITS)
    if loss_on == "all":
        rows["train"] = [{**row, "loss_start": 1} for row in rows["train"]]
    if augment:
        copies = reworded_rows(data, base.tokenizer, longest, seed)
        log.info("training on %s texts and %s reworded copies", f"{len(rows['train']):,}", f"{len(copies):,}")
        rows["train"] += copies
    prompts = [list(row["input_ids"][: row["loss_start"]]) for row in rows["validation"][:SAMPLES]]
    end = open_chat_template(base.tokenizer).end if answers else None
    return TrainingSetup(base, language_modeling(base, prompts, end=end), rows, longest)


def prepare_classifier(
    data: "Processed",
    name: str,
    *,
    unfreeze_last: int | None,
    max_length: int | None,
    class_weights: str,
    oversample: bool,
    augment: bool,
    seed: int,
    device: str,
    precision: str,
    prefix_cache: "PrefixCache",
) -> TrainingSetup:
    """For a model that learns to tell labels apart; see `balancing` for the flags against unequal classes.

    `device`, `precision` and the cache are for the probe that its head starts from.
    """
    labels, train = data.recipe["labels"], data.splits["train"]
    weights = parse_class_weights(class_weights, train.label, labels)
    base = checkpoint.load_base_classifier(name, labels, seed)
    freeze_classifier_parameters(base.model, unfreeze_last)
    longest = min(max_length or sys.maxsize, context_length(base.model))
    rows = labelled_rows(data, base.tokenizer, longest, TRAINING_SPLITS)
    if oversample or augment:
        texts, text_labels = training_texts(
            train.prompt, train.label, oversample=oversample, augment=augment, seed=seed
        )
        log.info("training on %s texts, made of %s", f"{len(texts):,}", f"{len(train):,}")
        encoded, tail = encode_for_classification(base.tokenizer, texts, data.recipe["template"])
        rows["train"] = rows_with_labels(encoded, tail, text_labels, labels, longest)
    objective = classification(base, weights)
    if supports_probe(base, rows["train"]):
        base.model.to(device)  # what the cache has for the probe, training will take, too
        with prefix_cache.cached_rows(
            base.model, objective.collate, rows, precision=precision, epochs=math.inf
        ) as cached:
            start_from_probe(base, cached["train"], weights, bfloat16=precision == "bf16")
        base.model.to("cpu")
    return TrainingSetup(base, objective, rows, longest)
