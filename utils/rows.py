"""Processed data → the rows that training and evaluation take, in the ids of the model at hand, cut to a length."""

import array
import logging
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from utils.balancing import reworded
from utils.encoding import cut, encode, encode_for_classification, fingerprint
from utils.errors import DataError
from utils.tasks.base import apply_template
from utils.templates import encode_answers, open_format

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from utils.store import Processed, Split

log = logging.getLogger(__name__)

COPIES = 2


def training_rows(
    data: "Processed", tokenizer: "PreTrainedTokenizerBase", max_length: int, splits: Sequence[str]
) -> dict[str, list[dict]]:
    """Rows {"input_ids", "loss_start", "bytes", "number"} of the named splits, cut to `max_length` tokens.

    The stored ids serve where they are this tokenizer's; otherwise the texts are encoded again. `bytes` is the
    UTF-8 length of what the loss counts on; `number` is the row's place in its split. A row whose prompt leaves no
    room is left out with a warning; DataError where that leaves none of a split.
    """
    stored = _are_stored(data, tokenizer)
    rows, cut = {}, 0
    for name in splits:
        split = data.splits[name]
        pairs = (split.ids, split.loss_start) if stored else _encode_split(data, tokenizer, split)
        rows[name], without_room = [], []
        for number, (ids, loss_start) in enumerate(zip(*pairs, strict=True)):
            if loss_start >= min(len(ids), max_length):
                without_room.append(number)
                continue
            size = len(split.completion[number].encode())
            if len(ids) > max_length:
                cut += 1
                ids = ids[:max_length]
                size = len(tokenizer.decode(ids[loss_start:]).encode())
            rows[name].append({"input_ids": ids, "loss_start": loss_start, "bytes": size, "number": number})
        if without_room:
            _report_without_room(without_room, len(split), name, max_length)
    if cut:
        log.info("%d texts were cut to %d tokens", cut, max_length)
    return rows


def reworded_rows(data: "Processed", tokenizer: "PreTrainedTokenizerBase", max_length: int, seed: int) -> list[dict]:
    """COPIES of each row of the training split whose prompt has several words, reworded; else as `training_rows`."""
    train, generator = data.splits["train"], random.Random(seed)
    several = train.take([row for row, prompt in enumerate(train.prompt) if len(prompt.split()) > 1] * COPIES)
    several = replace(several, prompt=[reworded(prompt, generator) for prompt in several.prompt])
    encoded = zip(*_encode_split(data, tokenizer, several), several.completion, strict=True)
    return [
        {"input_ids": ids, "loss_start": start, "bytes": len(completion.encode())}
        for ids, start, completion in encoded
        if len(ids) <= max_length
    ]


def _are_stored(data: "Processed", tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Whether the ids in the data are this tokenizer's."""
    stored = fingerprint(tokenizer) == data.tokenizer["fingerprint"]
    if not stored:
        log.info(
            "the data was encoded for %s: encoding it again for %s", data.tokenizer["name"], tokenizer.name_or_path
        )
    return stored


def _encode_split(data: "Processed", tokenizer: "PreTrainedTokenizerBase", split: "Split") -> tuple[list, list[int]]:
    if data.recipe["kind"] == "instruct":
        return encode_answers(open_format(tokenizer), split.facts["messages"], split.completion)
    prompts = [apply_template(data.recipe["template"], prompt) for prompt in split.prompt]
    return encode(tokenizer, prompts, split.completion)


def _report_without_room(numbers: list[int], rows: int, split: str, max_length: int) -> None:
    if len(numbers) == rows:
        raise DataError(
            f"no row of {split} has a supervised token: the prompt of row {numbers[0]} alone fills the {max_length}",
            "raise --max_length, or shorten the prompts",
        )
    log.warning(
        "warning: %d of %d rows of %s are left out, since their prompt alone fills the %d tokens; the first is row %d",
        len(numbers), rows, split, max_length, numbers[0],
    )  # fmt: skip


def labelled_rows(
    data: "Processed", tokenizer: "PreTrainedTokenizerBase", max_length: int, splits: Sequence[str]
) -> dict[str, list[dict]]:
    """Rows {"input_ids", "label"} of the named splits, cut to `max_length` tokens; the label is the class's number.

    The stored ids serve where they are this tokenizer's; otherwise the texts are encoded again.
    """
    stored = _are_stored(data, tokenizer)
    template, labels = data.recipe["template"], data.recipe["labels"]
    rows = {}
    for name in splits:
        split = data.splits[name]
        encoded, tail = encode_for_classification(tokenizer, [] if stored else split.prompt, template)
        rows[name] = rows_with_labels(split.ids if stored else encoded, tail, split.label, labels, max_length)
    return rows


def rows_with_labels(
    encoded: Sequence[array.array], tail: int, labels: Sequence[str], names: Sequence[str], max_length: int
) -> list[dict]:
    """Rows {"input_ids", "label"} of encoded texts, see `encode_for_classification` and `cut`."""
    numbers = {name: number for number, name in enumerate(names)}
    if many := sum(len(ids) > max_length for ids in encoded):
        log.info("%s texts are cut to %d tokens", f"{many:,}", max_length)
    return [
        {"input_ids": cut(ids, max_length, tail), "label": numbers[label]}
        for ids, label in zip(encoded, labels, strict=True)
    ]
