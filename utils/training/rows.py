"""Against unequal classes, in the training split alone: weights in the loss, rows repeated, texts varied.

MERGED: Processed data → the rows that training and evaluation take, in the ids of the model at hand, cut to a length."""

import array
import logging
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from utils.errors import DataError, UsageError
from utils.models.chat_templates import encode_answers, open_chat_template
from utils.models.tokenization import apply_template, encode, encode_for_classification, tokenizer_fingerprint, truncate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from utils.processed import Processed, Split

KEPT_WORDS, SHUFFLED_SHARE = 0.7, 0.5  # measured for emoji (docs/results.md)
DROPPED_WORDS = 0.1  # share of the words, as in Wei and Zou, "EDA" (EMNLP 2019, arXiv:1901.11196), for small data


def parse_class_weights(wanted: str, labels: Sequence[str], names: Sequence[str]) -> list[float] | None:
    """A weight a class, 1 on average over the rows: "none", "balanced" (every class weighs the same) or "w0,w1,…".

    UsageError where there are not as many weights as classes, or one is no number above 0.
    """
    if wanted == "none":
        return None
    counts = Counter(labels)
    if wanted == "balanced":
        return [len(labels) / (len(names) * counts[name]) for name in names]
    try:
        weights = [float(part) for part in wanted.split(",")]
    except ValueError:
        weights = []
    if len(weights) != len(names) or not all(0 < weight < float("inf") for weight in weights):
        raise UsageError(
            f"--class_weights {wanted}: expected balanced, none, or {len(names)} numbers above 0",
            f"write one for each of {', '.join(names)}, in this order, with commas between",
        )
    mean = sum(weight * counts[name] for name, weight in zip(names, weights, strict=True)) / len(labels)
    return [weight / mean for weight in weights]


def training_texts(
    texts: Sequence[str], labels: Sequence[str], *, oversample: bool, augment: bool, seed: int
) -> tuple[list[str], list[str]]:
    """The texts to train on and their labels: all there are, and more.

    `oversample` repeats random texts of the smaller classes until all are as large as the largest. `augment` adds a
    varied copy of every text then there.
    """
    generator = random.Random(seed)
    rows = list(range(len(texts)))
    if oversample:
        counts = Counter(labels)
        for label in sorted(counts):
            members = [row for row in range(len(texts)) if labels[row] == label]
            missing = max(counts.values()) - len(members)
            whole, rest = divmod(missing, len(members))
            rows += members * whole + generator.sample(members, rest)
    all_texts, all_labels = [texts[row] for row in rows], [labels[row] for row in rows]
    if augment:
        all_texts += [vary_text(text, generator) for text in all_texts]
        all_labels += all_labels
    return all_texts, all_labels


def vary_text(text: str, generator: random.Random) -> str:
    """The text without a tenth of its words (one at least, if it has several), and with two neighbours exchanged."""
    words = text.split()
    if len(words) < 2:
        return text
    for _ in range(max(1, round(DROPPED_WORDS * len(words)))):
        words.pop(generator.randrange(len(words)))
    if len(words) > 1:
        place = generator.randrange(len(words) - 1)
        words[place : place + 2] = reversed(words[place : place + 2])
    return " ".join(words)


def reword_description(description: str, generator: random.Random) -> str:
    """Each word with a chance of 0.7 (one at least), half of the time in another order: how people shorten names."""
    words = description.split()
    kept = [word for word in words if generator.random() < KEPT_WORDS] or [generator.choice(words)]
    if generator.random() < SHUFFLED_SHARE:
        generator.shuffle(kept)
    return " ".join(kept)


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
    several = replace(several, prompt=[reword_description(prompt, generator) for prompt in several.prompt])
    encoded = zip(*_encode_split(data, tokenizer, several), several.completion, strict=True)
    return [
        {"input_ids": ids, "loss_start": start, "bytes": len(completion.encode())}
        for ids, start, completion in encoded
        if len(ids) <= max_length
    ]


def _are_stored(data: "Processed", tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Whether the ids in the data are this tokenizer's."""
    stored = tokenizer_fingerprint(tokenizer) == data.tokenizer["fingerprint"]
    if not stored:
        log.info(
            "the data was encoded for %s: encoding it again for %s", data.tokenizer["name"], tokenizer.name_or_path
        )
    return stored


def _encode_split(data: "Processed", tokenizer: "PreTrainedTokenizerBase", split: "Split") -> tuple[list, list[int]]:
    if data.recipe["kind"] == "instruct":
        return encode_answers(open_chat_template(tokenizer), split.metadata["messages"], split.completion)
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
        {"input_ids": truncate(ids, max_length, tail), "label": numbers[label]}
        for ids, label in zip(encoded, labels, strict=True)
    ]
