"""Text to token ids: where a text starts and ends, where its loss starts, and how a batch is padded."""

import array
import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from utils.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

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


def fingerprint(tokenizer: "PreTrainedTokenizerBase") -> str:
    """SHA-256 of all that decides the ids of a text: vocabulary, merges, normalisation, start and end."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state.pop("padding", None)
    state.pop("truncation", None)
    state["start_and_end"] = start_and_end(tokenizer)
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def token_ids(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> list[list[int]]:
    """The ids of each text alone, without special tokens; one batched call. Special tokens' names are text."""
    if not texts:
        return []
    return tokenizer(
        list(texts), add_special_tokens=False, return_attention_mask=False, split_special_tokens=True, verbose=False
    )["input_ids"]


def encode(tokenizer: "PreTrainedTokenizerBase", examples: Sequence["Example"]) -> tuple[list[array.array], list[int]]:
    """(ids, loss_start) of each example: start, prompt, completion, end; prompt and completion encoded apart."""
    start, end = start_and_end(tokenizer)
    completions = token_ids(tokenizer, [example.completion for example in examples])
    prompts = [[]] * len(examples)
    if any(example.prompt for example in examples):
        prompts = token_ids(tokenizer, [example.prompt for example in examples])
    ids, loss_start = [], []
    for prompt, completion in zip(prompts, completions, strict=True):
        ids.append(array.array("I", [start, *prompt, *completion, end]))
        loss_start.append(1 + len(prompt))
    return ids, loss_start


def truncated(ids: Sequence[int], loss_start: int, max_length: int) -> Sequence[int] | None:
    """The first `max_length` ids, or None where not one supervised token would be left."""
    return ids[:max_length] if loss_start < min(len(ids), max_length) else None


def collate(rows: Sequence[dict], pad_id: int) -> dict[str, "torch.Tensor"]:
    """Pad rows {"input_ids", "loss_start"} on the right to their longest: (rows, length) int64 tensors.

    What is padding is known by length, not by token id: the end-of-text token trains although it pads.
    """
    import torch

    length = max(len(row["input_ids"]) for row in rows)
    input_ids = torch.full((len(rows), length), pad_id)
    attention_mask = torch.zeros_like(input_ids)
    labels = torch.full_like(input_ids, IGNORED)
    for number, row in enumerate(rows):
        ids = torch.tensor(row["input_ids"])
        input_ids[number, : len(ids)] = ids
        attention_mask[number, : len(ids)] = 1
        labels[number, row["loss_start"] : len(ids)] = ids[row["loss_start"] :]
    return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
