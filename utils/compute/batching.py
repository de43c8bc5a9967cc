"""Batches of texts of similar length: their selection and their padding.

Without it: one row at a time, or `tokenizer.pad`. Results differ by the rounding of the number format.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch

IGNORED = -100  # the label that PyTorch's cross entropy ignores
# A CPU is fastest where a batch stays in its cache (docs/results.md). On a GPU, memory is the limit: some heads need
# all logits at once, and 2,048 × 50,000 in float32 take 400 MB.
BATCH_TOKENS = {"cpu": 512}
BATCH_TOKENS_ON_GPU = 2048


@dataclass(frozen=True)
class Batching:
    """The rows that may share a batch: of one length only, without `padding`, and at most `most_rows`."""

    padding: bool = True
    most_rows: int = sys.maxsize


PADDED = Batching()


def batches_by_length(lengths: Sequence[int], device: str, batching: Batching = PADDED) -> list[list[int]]:
    """Return batches of row numbers, the longest rows first, with as many tokens and padding as suit the device."""
    limit = BATCH_TOKENS.get(device, BATCH_TOKENS_ON_GPU)
    batches = []
    for number in longest_first(lengths):
        fits = batches and (len(batches[-1]) + 1) * (longest := lengths[batches[-1][0]]) <= limit
        if fits and len(batches[-1]) < batching.most_rows and (batching.padding or lengths[number] == longest):
            batches[-1].append(number)
        else:
            batches.append([number])
    return batches


def longest_first(lengths: Sequence[int]) -> list[int]:
    """Return row numbers by decreasing length; rows of equal length keep their order."""
    return sorted(range(len(lengths)), key=lambda number: -lengths[number])


def collate_texts(rows: Sequence[dict], pad_id: int) -> dict[str, torch.Tensor]:
    """Pad rows {"input_ids", "loss_start"} as `pad_rows` does; the labels are token ids (rows, length), or IGNORED.

    Padding is known by its position, not by token id: the end-of-text token trains although it also pads.
    """
    inputs = pad_rows(rows, pad_id)
    labels = torch.where(inputs["attention_mask"] == 1, inputs["input_ids"], IGNORED)
    for number, row in enumerate(rows):
        labels[number, : row["loss_start"]] = IGNORED
    return {**inputs, "labels": labels}


def collate_labeled(rows: Sequence[dict], pad_id: int, side: str = "right") -> dict[str, torch.Tensor]:
    """Pad rows {"input_ids", "label"} as `pad_rows` does; the labels are class numbers (rows,), int64."""
    return {**pad_rows(rows, pad_id, side), "labels": torch.tensor([row["label"] for row in rows])}


def pad_rows(rows: Sequence[dict], pad_id: int, side: str = "right") -> dict[str, torch.Tensor]:
    """Pad the token ids of rows {"input_ids"} on one side to the longest: ids and mask (rows, length), int64.

    Where rows have "cached_states" (length, width), see `prefix_cache`, zeros pad them: (rows, length, width).
    """
    length = max(len(row["input_ids"]) for row in rows)
    input_ids = torch.full((len(rows), length), pad_id)
    attention_mask = torch.zeros_like(input_ids)
    for number, row in enumerate(rows):
        ids = row["input_ids"]
        place = slice(len(ids)) if side == "right" else slice(length - len(ids), length)
        input_ids[number, place] = torch.tensor(ids)
        attention_mask[number, place] = 1
    inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
    if "cached_states" in rows[0]:
        states = [row["cached_states"] for row in rows]
        inputs["cached_states"] = torch.nn.utils.rnn.pad_sequence(states, batch_first=True, padding_side=side)
    return inputs
