"""The file of what a model's frozen blocks hand on for the tokens of all rows: (tokens, width), row after row.

MERGED: Frozen blocks see the same texts in every epoch: they run once, and what they hand on lies in a file.

The file is mapped into memory, so that it may be larger than that. A file needs no name once it is mapped (on Linux and
macOS): unless it is to be kept, it is removed then, and its space is free again however the run ends.
"""

import array
import contextlib
import hashlib
import logging
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import PreTrainedModel

from utils import distributed
from utils.compute.batching import batches_by_length, longest_first
from utils.compute.bf16_weights import frozen_weights_in_bf16
from utils.compute.blocks import (
    accepting_prefixes,
    check_split_at,
    frozen_prefix_length,
    model_inputs,
    states_after_block,
    without_padding,
)
from utils.errors import UserError


@dataclass(frozen=True)
class CacheFile:
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


def row_offsets(rows: Sequence[dict]) -> tuple[list[int], list[int]]:
    """(each row's first token in the file, its tokens): the longest lie first, as they are batched."""
    lengths = [len(row["input_ids"]) for row in rows]
    order = longest_first(lengths)
    places = dict(zip(order, accumulate((lengths[number] for number in order), initial=0), strict=False))
    return [places[number] for number in range(len(rows))], lengths


def fill_cache(
    file: CacheFile,
    model: PreTrainedModel,
    block: torch.nn.Module,
    collate: Callable,
    rows: Sequence[dict],
    precision: str,
) -> None:
    """Write what `block` hands on for each row; see `layout`.

    Every process writes its share of the batches into the same file. OSError where the disk is full.
    """
    places, lengths = row_offsets(rows)
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
            frozen_weights_in_bf16(model, precision == "bf16"),
            torch.inference_mode(),
            _autocast(model, precision),
        ):
            for batch in distributed.shard(batches):
                inputs = model_inputs(model, collate, [rows[number] for number in batch])
                states = (
                    without_padding(states_after_block(model, block, inputs)[0], inputs)
                    .to(file.dtype)
                    .cpu()
                    .contiguous()
                )
                target.seek(places[batch[0]] * width)
                target.write(states.view(torch.uint8).numpy())
                bar.update(len(batch))
    finally:
        model.train(was_training)


def _autocast(model: PreTrainedModel, precision: str) -> torch.autocast:
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(model.device.type, dtype, enabled=precision != "fp32")


def cache_key(model: PreTrainedModel, blocks: int, rows: Sequence[dict], dtype: torch.dtype) -> str:
    """Another one where the file would be: by ids in their order, frozen weights, and what the model does with them."""
    digest = hashlib.sha256(f"{blocks} {dtype} {type(model).__name__} {model.config.to_json_string()}".encode())
    for row in rows:
        digest.update(array.array("q", [len(row["input_ids"]), *row["input_ids"]]).tobytes())
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            digest.update(f"{name} {parameter.dtype} {tuple(parameter.shape)}".encode())
            digest.update(parameter.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


log = logging.getLogger(__name__)
GIGABYTE = 10**9
SHARE_OF_DISK = 0.5  # of what is free: training states and the model need room, too
WITHOUT = "free some space, or leave away --prefix_cache on"


@dataclass(frozen=True)
class PrefixCache:
    """What the frozen blocks of one base model hand on for the rows of one run, a file for each number of them.

    `mode` is auto (where it pays, fits and works), on (or else UserError) or off. All files together take up to
    `gigabytes` (10⁹ bytes). With `keep` they stay in `folder`, where a later run finds them. Several
    processes of one machine share the computing and the file.
    """

    folder: Path
    mode: str
    gigabytes: float
    keep: bool
    _opened: dict[int, tuple[torch.Tensor, int] | None] = field(default_factory=dict)  # by the number of blocks

    @contextlib.contextmanager
    def rows(
        self,
        model: PreTrainedModel,
        collate: Callable,
        splits: dict[str, Sequence[dict]],
        *,
        precision: str,
        epochs: float,
    ) -> Iterator[dict[str, Sequence[dict]]]:
        """While it lasts, the rows of all splits have a "prefix", which the model starts from; or are as they were.

        `precision` is fp32, bf16 or fp16; the weights are those of the base model, in float32. `epochs` are those to
        come, infinitely many in a search.
        """
        blocks = [] if self.mode == "off" else frozen_prefix_length(model)
        together = [row for split in splits.values() for row in split]
        if len(blocks) not in self._opened:
            self._opened[len(blocks)] = self._open(model, blocks, collate, together, precision, epochs)
        if self._opened[len(blocks)] is None:
            yield splits
            return
        states, results = self._opened[len(blocks)]
        pieces = (states[place : place + length] for place, length in zip(*row_offsets(together), strict=True))
        with accepting_prefixes(model, blocks, results):
            yield {name: [{**row, "prefix": next(pieces)} for row in split] for name, split in splits.items()}

    def record(self, model: PreTrainedModel) -> dict | None:
        """What run.json says of the cache that the model trained with: blocks and bytes; None where there was none."""
        blocks = 0 if self.mode == "off" else len(frozen_prefix_length(model))
        opened = self._opened.get(blocks)
        return {"blocks": blocks, "bytes": opened[0].nbytes} if opened else None

    def _open(self, model, blocks, collate, rows, precision, epochs) -> tuple[torch.Tensor, int] | None:
        """(all states (tokens, width), the results of a block as `states_after` has them), or None for no cache."""
        if not blocks:
            if self.mode == "on" and not math.isinf(epochs):  # a search may try all blocks, too
                raise UserError("--prefix_cache on, but no block is frozen", "lower --unfreeze_last, or leave it out")
            return None
        if self.mode == "auto" and epochs <= 1:
            log.info("no prefix cache: it does not pay for one epoch")
            return None
        started = time.perf_counter()
        model.config.use_cache = False  # as Trainer has it: with a cache, texts that share a row see each other
        try:
            if distributed.spans_machines():
                raise UserError("the machines have no file in common", "leave away --prefix_cache on")
            width, results = check_split_at(model, blocks, collate, rows)
            shape = (sum(len(row["input_ids"]) for row in rows), width)
            dtype = torch.float32 if precision == "fp32" else torch.bfloat16
            name = f"{len(blocks)}-{cache_key(model, len(blocks), rows, dtype)}"
            file = CacheFile(self.folder / f"{name}.states", shape, dtype)
            if file.is_whole():
                log.info("prefix cache: %s has what %d blocks hand on, from an earlier run", file.path, len(blocks))
                return file.mapped(), results
            self._check_size(file.size)
            states = self._compute(file, model, blocks[-1], collate, rows, precision)
        except UserError as error:
            if self.mode == "on" or (distributed.world_size() > 1 and isinstance(error.__cause__, OSError)):
                raise  # in a single process the disk may be full without the others knowing
            log.info("no prefix cache: %s", error.problem)
            return None
        log.info(
            "prefix cache: %d blocks ran once over %s texts, in %.1f seconds; what they hand on takes %s",
            len(blocks), f"{len(rows):,}", time.perf_counter() - started, _amount(file.size),
        )  # fmt: skip
        return states, results

    def _check_size(self, size: int) -> None:
        """UserError where a further file of so many bytes would be too large."""
        total = size + sum(opened[0].nbytes for opened in self._opened.values() if opened)
        if total > self.gigabytes * GIGABYTE:
            raise UserError(
                f"the states would take {_amount(total)}, and --prefix_cache_gb is {self.gigabytes:g}",
                "raise --prefix_cache_gb, or leave away --prefix_cache on",
            )
        beside = self.folder.parent
        beside.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(beside).free
        if size > SHARE_OF_DISK * free:
            raise UserError(
                f"the states would take {_amount(size)}, and training, too, needs the {_amount(free)} free in {beside}",
                WITHOUT,
            )

    def _compute(self, file: CacheFile, *what) -> torch.Tensor:
        """The states, see `states_file.compute`. Until it is whole, a file has another name; it never stays so."""
        part = CacheFile(file.path.with_suffix(".part"), file.shape, file.dtype)
        try:
            if distributed.is_main_process():
                self.folder.mkdir(exist_ok=True)
                for left_over in self.folder.glob("*.part"):
                    left_over.unlink()
            distributed.barrier()
            fill_cache(part, *what)
            distributed.barrier()
            states = part.mapped()
            distributed.barrier()
            if self.keep and distributed.is_main_process():
                part.path.replace(file.path)
        except OSError as error:
            raise UserError(f"{part.path} cannot be written: {error.strerror or error}", WITHOUT) from error
        finally:
            if distributed.is_main_process():
                part.path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # not empty: other files are kept in it
                    self.folder.rmdir()
        return states


OFF = PrefixCache(Path(), mode="off", gigabytes=0, keep=False)


def _amount(size: int) -> str:
    return f"{size / GIGABYTE:.3g} GB" if size >= GIGABYTE else f"{size / 10**6:.1f} MB"


def prefix_cache_folder(output_path: Path) -> Path:
    """Where the states of the run that writes `output_path` lie."""
    return output_path.parent / f"{output_path.name}.prefix_cache"
