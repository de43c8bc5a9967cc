"""Text to token ids: where a text starts and ends, where its loss starts, and how a batch is padded."""

import array
import hashlib
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.store import Split
from utils.word_ids import packed_ids

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from utils.tasks.base import Example

IGNORED = -100  # the label that PyTorch's cross entropy leaves out


def start_and_end(tokenizer: "PreTrainedTokenizerBase") -> tuple[int, int]:
    """The ids that every text starts from and ends in: the tokenizer's own, since a new one would never learn.

    A model without a beginning-of-text token (GPT-2 has the same one for both) starts from end-of-text.
    """
    end = tokenizer.eos_token_id
    if end is None:
        raise UserError(
            f"the tokenizer of {tokenizer.name_or_path} has no end-of-text token, so its model would never stop",
            "choose a base model with an eos_token",
        )
    start = tokenizer.bos_token_id
    return (end if start is None else start), end


def padding_of(tokenizer: "PreTrainedTokenizerBase") -> int:
    """The id that pads: the tokenizer's own, or else end-of-text, which no text to classify ends in."""
    return tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id


def fingerprint(tokenizer: "PreTrainedTokenizerBase") -> str:
    """SHA-256 of all that decides the ids of a text: vocabulary, merges, normalisation, and what stands around it."""
    state = json.loads(_core(tokenizer).to_str())
    state.pop("padding", None)
    state.pop("truncation", None)
    state["around"] = [getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "cls", "sep")]
    state["chat_template"] = tokenizer.chat_template
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def token_ids(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> list[list[int]]:
    """The ids of each text alone, without special tokens, whose names are text here.

    Asks the tokenizer's Rust core itself: transformers' own call costs half as much again in Python, and keeps
    masks and offsets of all texts at once.
    """
    return [array.array("I", ids).tolist() for ids in _packed_ids(tokenizer, texts)]


def _packed_ids(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> list[bytes]:
    """`token_ids` as bytes, which `array.array("I")` takes: joining bytes is faster than joining lists."""
    core = _core(tokenizer)
    core.no_padding()
    core.no_truncation()
    before, core.encode_special_tokens = core.encode_special_tokens, True
    ids = packed_ids(core, texts)
    core.encode_special_tokens = before
    return ids


def _core(tokenizer: "PreTrainedTokenizerBase"):
    if not tokenizer.is_fast:
        raise UserError(
            f"the tokenizer of {tokenizer.name_or_path} has no fast version (tokenizer.json)",
            "choose another base model",
        )
    return tokenizer.backend_tokenizer


def encode(
    tokenizer: "PreTrainedTokenizerBase", prompts: Sequence[str], completions: Sequence[str]
) -> tuple[list[array.array], list[int]]:
    """(ids, loss_start) of each text: start, prompt, completion, end; prompt and completion encoded apart."""
    start, end = start_and_end(tokenizer)
    start, end = _packed([start]), _packed([end])
    encoded_prompts = _packed_ids(tokenizer, prompts) if any(prompts) else [b""] * len(prompts)
    encoded = zip(encoded_prompts, _packed_ids(tokenizer, completions), strict=True)
    ids = [array.array("I", start + prompt + completion + end) for prompt, completion in encoded]
    return ids, [1 + len(prompt) // ids[0].itemsize for prompt in encoded_prompts]


def encode_for_classification(
    tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], template: str
) -> tuple[list[array.array], int]:
    """(ids of each text in its template, how many of the last ones belong to the template and stay in any cut).

    An encoder (BERT) has its own tokens around: [CLS] … [SEP]. A model that writes reads what it needs off the last
    token, which is the template's or the text's: with an end-of-text there it would read off what many of these models
    have for padding. It starts with the template or, where that has nothing in front of the text, as it always does
    (docs/results.md has both).
    """
    before, _, after = template.partition("{prompt}")
    if before.endswith(" "):  # tokens of most vocabularies begin with the blank before a word, and none is one alone
        before, texts = before[:-1], [f" {text}" for text in texts]
    if tokenizer.cls_token_id is not None:
        head, tail = [tokenizer.cls_token_id], [tokenizer.sep_token_id]
    else:
        head, tail = [] if before else [start_and_end(tokenizer)[0]], []
    head, tail = head + token_ids(tokenizer, [before])[0], token_ids(tokenizer, [after])[0] + tail
    first, last = _packed(head), _packed(tail)
    return [array.array("I", first + ids + last) for ids in _packed_ids(tokenizer, texts)], len(tail)


def _packed(ids: list[int]) -> bytes:
    return array.array("I", ids).tobytes()


def cut(ids: array.array, length: int, tail: int) -> array.array:
    """At most `length` ids: what is too many goes from before the last `tail` ones."""
    return ids if len(ids) <= length else ids[: length - tail] + ids[len(ids) - tail :]


def encode_examples(tokenizer: "PreTrainedTokenizerBase", examples: Sequence["Example"]) -> Split:
    """Examples column by column, with their ids."""
    prompts = [example.prompt for example in examples]
    completions = [example.completion for example in examples]
    ids, loss_start = encode(tokenizer, prompts, completions)
    return Split(
        prompt=prompts,
        completion=completions,
        label=[example.label for example in examples],
        group=[example.group for example in examples],
        ids=ids,
        loss_start=loss_start,
    )


def context_length(model: "PreTrainedModel") -> int:
    """The most tokens that the model takes at once; one without position embeddings (BLOOM, Mamba) takes any number."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None) or sys.maxsize


def collate(rows: Sequence[dict], pad_id: int) -> dict[str, "torch.Tensor"]:
    """Pad rows {"input_ids", "loss_start"} on the right to their longest: (rows, length) int64 tensors.

    What is padding is known by length, not by token id: the end-of-text token trains although it pads.
    """
    import torch

    inputs = pad(rows, pad_id)
    labels = torch.where(inputs["attention_mask"] == 1, inputs["input_ids"], IGNORED)
    for number, row in enumerate(rows):
        labels[number, : row["loss_start"]] = IGNORED
    return {**inputs, "labels": labels}


def collate_labelled(rows: Sequence[dict], pad_id: int) -> dict[str, "torch.Tensor"]:
    """Pad rows {"input_ids", "label"} as `collate` does; the labels are class numbers, (rows,) int64."""
    import torch

    return {
        **pad(rows, pad_id),
        "labels": torch.tensor([row["label"] for row in rows]),
    }


def pad(rows: Sequence[dict], pad_id: int) -> dict[str, "torch.Tensor"]:
    """Token ids of rows {"input_ids"} and their mask, padded on the right to the longest: (rows, length) int64 tensors.

    Where rows have a "prefix" (length, width), see `prefix_cache`, it is padded with zeros: (rows, length, width).
    """
    import torch

    length = max(len(row["input_ids"]) for row in rows)
    input_ids = torch.full((len(rows), length), pad_id)
    attention_mask = torch.zeros_like(input_ids)
    for number, row in enumerate(rows):
        ids = row["input_ids"]
        input_ids[number, : len(ids)] = torch.tensor(ids)
        attention_mask[number, : len(ids)] = 1
    inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
    if "prefix" in rows[0]:
        inputs["prefix"] = torch.nn.utils.rnn.pad_sequence([row["prefix"] for row in rows], batch_first=True)
    return inputs
