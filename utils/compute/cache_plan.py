"""The plan of a prefix cache: its file (new or from an earlier run), its size and its contents."""

import array
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import torch
from transformers import PreTrainedModel

from utils.compute.batching import longest_first


@dataclass(frozen=True)
class CachePlan:
    """The file that a cache is to write at `path`, or finds there: hidden states of `shape` (tokens, width)."""

    blocks: list[torch.nn.Module]
    tuple_length: int  # see `hidden_states_after`
    shape: tuple[int, int]
    dtype: torch.dtype
    path: Path

    @property
    def size(self) -> int:
        """The file's bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def is_there(self) -> bool:
        """Whether an earlier run has left the file."""
        return self.path.is_file() and self.path.stat().st_size == self.size


def cache_key(model: PreTrainedModel, blocks: int, rows: Sequence[dict], dtype: torch.dtype) -> str:
    """Return a key that differs where the hidden states would: by token ids, frozen weights and configuration."""
    digest = hashlib.sha256(f"{blocks} {dtype} {type(model).__name__} {model.config.to_json_string()}".encode())
    for row in rows:
        digest.update(array.array("q", [len(row["input_ids"]), *row["input_ids"]]).tobytes())
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            digest.update(f"{name} {parameter.dtype} {tuple(parameter.shape)}".encode())
            digest.update(parameter.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def row_offsets(rows: Sequence[dict]) -> list[int]:
    """Return each row's first token in the file, where the longest rows come first, as they do in batches."""
    lengths = [len(row["input_ids"]) for row in rows]
    order = longest_first(lengths)
    offsets = dict(zip(order, accumulate((lengths[number] for number in order), initial=0), strict=False))
    return [offsets[number] for number in range(len(rows))]
