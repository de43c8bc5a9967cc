"""Rows to train and evaluate on, from processed data: token ids for the model at hand, cut to a length.

Also the changes to the rows of the training split alone: class weights, oversampling and augmentation.
"""

import array
import logging
import operator
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from utils.errors import DataError, UsageError
from utils.models.chat_templates import encode_answers, open_chat_template
from utils.models.classifier_tokenizer import encode_for_classification, truncate, with_template
from utils.models.tokenization import apply_template, encode, tokenizer_fingerprint
from utils.processed import Processed, Split
from utils.tasks.label_kinds.label_kinds import LABEL_KINDS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)
COMPARED_TEXTS = 8  # of each split
DROPPED_WORDS = 0.1  # for small data: Wei and Zou, "EDA" (EMNLP 2019, arXiv:1901.11196)
# For descriptions of emoji, by measurement (docs/results.md).
COPIES = 2
KEPT_WORDS = 0.7
SHUFFLED_DESCRIPTIONS = 0.5


# ---- models that write


def training_rows(
    data: Processed, tokenizer: "PreTrainedTokenizerBase", max_length: int, splits: Sequence[str]
) -> dict[str, list[dict]]:
    """Return rows {"input_ids", "loss_start", "bytes", "number", "group"} of the splits, cut to `max_length` tokens.

    The stored ids are used if this tokenizer made them; otherwise the texts are encoded again. `loss_start` is the
    first token that counts in the loss (`batching.collate_texts` masks the others), `bytes` the UTF-8 length of the
    text from there on, and `number` the row's place in its split. A row that was cut has "cut", too. Rows whose prompt
    leaves no room for a completion are skipped with a warning. DataError if that leaves no row in a split.
    """
    stored = _has_ids_of(data, tokenizer)
    rows, truncated = {}, 0
    for name in splits:
        split = data.splits[name]
        pairs = (split.ids, split.loss_start) if stored else _encode_split(data, tokenizer, split)
        rows[name], without_room = [], []
        for number, (ids, loss_start) in enumerate(zip(*pairs, strict=True)):
            if loss_start >= min(len(ids), max_length):
                without_room.append(number)
                continue
            size = len(split.completion[number].encode())
            cut = {"cut": True} if len(ids) > max_length else {}
            if cut:
                truncated += 1
                ids = ids[:max_length]
                size = len(tokenizer.decode(ids[loss_start:]).encode())
            place = {"number": number, "group": split.group[number]}
            rows[name].append({"input_ids": ids, "loss_start": loss_start, "bytes": size, **place, **cut})
        if len(without_room) == len(split) > 0:
            problem = f"no row of {name} has a supervised token: the prompt of row {without_room[0]} alone fills the"
            raise DataError(f"{problem} {max_length}", "raise --max_length, or shorten the prompts")
        if without_room:
            rejected = f"{len(without_room)} of {len(split)} rows of {name} are skipped, since their prompt alone fills"
            log.warning("warning: %s the %d tokens; the first is row %d", rejected, max_length, without_room[0])
    if truncated:
        log.info("%d texts were cut to %d tokens", truncated, max_length)
    return rows


def token_counts(data: Processed, tokenizer: "PreTrainedTokenizerBase") -> dict[str, list[int]]:
    """Return how many tokens each row of each split has for this tokenizer, start and end included, never cut."""
    ids = {name: split.ids for name, split in data.splits.items()}
    if not _made_ids_of(data, tokenizer):
        if data.recipe["kind"] in LABEL_KINDS:
            surrounded = with_template(tokenizer, data.recipe["template"])
            ids = {name: encode_for_classification(surrounded, split.prompt)[0] for name, split in data.splits.items()}
        else:
            ids = {name: _encode_split(data, tokenizer, split)[0] for name, split in data.splits.items()}
    return {name: [len(row) for row in rows] for name, rows in ids.items()}


def reworded_rows(data: Processed, tokenizer: "PreTrainedTokenizerBase", max_length: int, seed: int) -> list[dict]:
    """Return COPIES reworded rows for each training row with several words as prompt.

    They are as those of `training_rows`, but without a "number", since they are not in the split.
    """
    train, generator = data.splits["train"], random.Random(seed)
    copies = train.take([row for row, prompt in enumerate(train.prompt) if len(prompt.split()) > 1] * COPIES)
    copies = replace(copies, prompt=[reword_description(prompt, generator) for prompt in copies.prompt])
    encoded = zip(*_encode_split(data, tokenizer, copies), copies.completion, copies.group, strict=True)
    return [
        {"input_ids": ids, "loss_start": start, "bytes": len(completion.encode()), "group": group}
        for ids, start, completion, group in encoded
        if len(ids) <= max_length
    ]


def reword_description(description: str, generator: random.Random) -> str:
    """Keep each word with a probability of 0.7 (one at least), in random order half of the time, as people do."""
    words = description.split()
    kept = [word for word in words if generator.random() < KEPT_WORDS] or [generator.choice(words)]
    if generator.random() < SHUFFLED_DESCRIPTIONS:
        generator.shuffle(kept)
    return " ".join(kept)


def _encode_split(data: Processed, tokenizer: "PreTrainedTokenizerBase", split: Split) -> tuple[list, list[int]]:
    if data.recipe["kind"] == "instruct":
        return encode_answers(open_chat_template(tokenizer), split.metadata["messages"], split.completion)
    prompts = [apply_template(data.recipe["template"], prompt) for prompt in split.prompt]
    return encode(tokenizer, prompts, split.completion)


# ---- classifiers


def labeled_rows(
    data: Processed, tokenizer: "PreTrainedTokenizerBase", max_length: int, splits: Sequence[str]
) -> dict[str, list[dict]]:
    """Return rows {"input_ids", "label", "number", "group"} of the named splits, cut to `max_length` tokens.

    Labels are class numbers, or scores in standard deviations of the training scores; `number` is the row's place in
    its split. The stored ids are used if this tokenizer made them; otherwise the texts are encoded again.
    """
    surrounded = with_template(tokenizer, data.recipe["template"])
    stored = _has_ids_of(data, tokenizer)
    kind, names, trained = LABEL_KINDS[data.recipe["kind"]], data.recipe["labels"], data.splits["train"].label
    rows = {}
    for name in splits:
        split = data.splits[name]
        first, tail = encode_for_classification(surrounded, split.prompt[:COMPARED_TEXTS])
        # Some tokenizers (Qwen2's, XLNet's) got another template or start token in earlier versions.
        as_stored = stored and all(map(operator.eq, first, split.ids))
        encoded = split.ids if as_stored else encode_for_classification(surrounded, split.prompt)[0]
        labeled = rows_with_labels(encoded, tail, kind.targets(split.label, names, trained), max_length)
        rows[name] = [{**row, "number": number, "group": split.group[number]} for number, row in enumerate(labeled)]
    return rows


def rows_with_labels(encoded: Sequence[array.array], tail: int, labels: Sequence, max_length: int) -> list[dict]:
    """Return rows {"input_ids", "label"} of encoded texts; see `encode_for_classification` and `truncate`.

    `labels` are the numbers that the model learns.
    """
    if truncated := sum(len(ids) > max_length for ids in encoded):
        log.info("%s texts are cut to %d tokens", f"{truncated:,}", max_length)
    return [
        {
            "input_ids": truncate(ids, max_length, tail),
            "label": label,
            **({"cut": True} if len(ids) > max_length else {}),
        }
        for ids, label in zip(encoded, labels, strict=True)
    ]


def parse_class_weights(flag: str, labels: Sequence[str], names: Sequence[str]) -> list[float] | None:
    """Return a weight for each class, 1 on average over the rows; None for "none".

    `flag` is "none", "balanced" (every class has the same total weight) or "w0,w1,…". `labels` are those of the rows.
    UsageError if there is not one number above 0 for each class.
    """
    if flag == "none":
        return None
    counts = Counter(labels)
    if flag == "balanced":
        return [len(labels) / (len(names) * counts[name]) for name in names]
    try:
        weights = [float(part) for part in flag.split(",")]
    except ValueError:
        weights = []
    if len(weights) != len(names) or not all(0 < weight < float("inf") for weight in weights):
        raise UsageError(
            f"--class_weights {flag}: expected balanced, none, or {len(names)} numbers above 0",
            f"give one for each of {', '.join(names)}, in this order, separated by commas",
        )
    mean = sum(weight * counts[name] for name, weight in zip(names, weights, strict=True)) / len(labels)
    return [weight / mean for weight in weights]


def oversample_and_augment(
    texts: Sequence[str], labels: Sequence[str], *, oversample: bool, augment: bool, seed: int
) -> tuple[list[str], list[str], list[int]]:
    """Return all texts followed by further ones, their labels, and the numbers of the texts that they were made of.

    `oversample` repeats random texts of the smaller classes until all are as large as the largest. `augment` then adds
    a varied copy of every text.
    """
    generator = random.Random(seed)
    rows = list(range(len(texts)))
    if oversample:
        counts = Counter(labels)
        for label in sorted(counts):
            members = [row for row in range(len(texts)) if labels[row] == label]
            times, rest = divmod(max(counts.values()) - len(members), len(members))
            rows += members * times + generator.sample(members, rest)
    all_texts, all_labels = [texts[row] for row in rows], [labels[row] for row in rows]
    if augment:
        all_texts += [vary_text(text, generator) for text in all_texts]
        all_labels += all_labels
        rows += rows
    return all_texts, all_labels, rows


def vary_text(text: str, generator: random.Random) -> str:
    """Drop a tenth of the words (at least one, if there are several) and swap two neighbors."""
    words = text.split()
    if len(words) < 2:
        return text
    for _ in range(max(1, round(DROPPED_WORDS * len(words)))):
        words.pop(generator.randrange(len(words)))
    if len(words) > 1:
        first = generator.randrange(len(words) - 1)
        words[first : first + 2] = reversed(words[first : first + 2])
    return " ".join(words)


def _has_ids_of(data: Processed, tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Return whether the ids in the data are this tokenizer's. DataError if they must be, and it has no such token."""
    stored = _made_ids_of(data, tokenizer)
    before, now = data.tokenizer["name"], tokenizer.name_or_path
    if not stored and before == now:
        log.info("the data was encoded with another tokenizer or chat template of %s: encoding it again", now)
    elif not stored:
        log.info("the data was encoded for %s: encoding it again for %s", before, now)
    elif (largest := max((max(ids) for split in data.splits.values() for ids in split.ids if ids), default=0)) >= len(
        tokenizer
    ):
        problem = f"the data is damaged: it has the token id {largest}, and {now} has only {len(tokenizer):,} tokens"
        raise DataError(problem, "make it again with preprocess.py")
    return stored


def _made_ids_of(data: Processed, tokenizer: "PreTrainedTokenizerBase") -> bool:
    fingerprints = (tokenizer_fingerprint(tokenizer, with_surroundings=earlier) for earlier in (False, True))
    return data.tokenizer["fingerprint"] in fingerprints
