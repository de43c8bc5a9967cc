"""The file of what a model's frozen blocks hand on for the tokens of all rows: (tokens, width), row after row."""

import array
import hashlib
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import PreTrainedModel

from utils import processes
from utils.frozen_prefix import flat, inputs_of, states_after
from utils.half_weights import frozen_weights_in_bfloat16
from utils.scoring import batches_by_length, longest_first


@dataclass(frozen=True)
class StatesFile:
    """Where the file is, or will be, and what is in it."""

    path: Path
    shape: tuple[int, int]
    dtype: torch.dtype

    @property
    def size(self) -> int:
        """In bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def is_whole(self) -> bool:
        """Whether it is there."""
        return self.path.is_file() and self.path.stat().st_size == self.size

    def mapped(self) -> torch.Tensor:
        """Its content, read as it is needed. The file needs no name as long as the tensor is in use."""
        size = math.prod(self.shape)
        return torch.from_file(str(self.path), shared=True, size=size, dtype=self.dtype).view(self.shape)


def layout(rows: Sequence[dict]) -> tuple[list[int], list[int]]:
    """(each row's first token in the file, its tokens): the longest lie first, as they are batched."""
    lengths = [len(row["input_ids"]) for row in rows]
    order = longest_first(lengths)
    places = dict(zip(order, accumulate((lengths[number] for number in order), initial=0), strict=False))
    return [places[number] for number in range(len(rows))], lengths


def compute(
    file: StatesFile,
    model: PreTrainedModel,
    block: torch.nn.Module,
    collate: Callable,
    rows: Sequence[dict],
    precision: str,
) -> None:
    """Write what `block` hands on for each row; see `layout`.

    Every process writes its share of the batches into the same file. OSError where the disk is full.
    """
    places, lengths = layout(rows)
    batches = batches_by_length(lengths, model.device.type)
    width = file.size // file.shape[0]  # in bytes
    was_training = model.training
    model.eval()
    target = os.fdopen(os.open(file.path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
    bar = tqdm(total=len(rows), desc="frozen blocks", unit=" texts", leave=False, disable=None)
    try:
        with (
            target,
            bar,
            frozen_weights_in_bfloat16(model, precision == "bf16"),
            torch.inference_mode(),
            _autocast(model, precision),
        ):
            for batch in processes.share(batches):
                inputs = inputs_of(model, collate, [rows[number] for number in batch])
                states = flat(states_after(model, block, inputs)[0], inputs).to(file.dtype).cpu().contiguous()
                target.seek(places[batch[0]] * width)
                target.write(states.view(torch.uint8).numpy())
                bar.update(len(batch))
    finally:
        model.train(was_training)


def _autocast(model: PreTrainedModel, precision: str) -> torch.autocast:
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(model.device.type, dtype, enabled=precision != "fp32")


def key_of(model: PreTrainedModel, blocks: int, rows: Sequence[dict], dtype: torch.dtype) -> str:
    """Another one where the file would be: by ids in their order, frozen weights, and what the model does with them."""
    digest = hashlib.sha256(f"{blocks} {dtype} {type(model).__name__} {model.config.to_json_string()}".encode())
    for row in rows:
        digest.update(array.array("q", [len(row["input_ids"]), *row["input_ids"]]).tobytes())
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            digest.update(f"{name} {parameter.dtype} {tuple(parameter.shape)}".encode())
            digest.update(parameter.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
