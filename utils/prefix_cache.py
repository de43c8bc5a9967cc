"""Frozen blocks see the same texts in every epoch: they run once, and what they hand on lies in a file.

The file is mapped into memory, so that it may be larger than that. A file needs no name once it is mapped (on Linux and
macOS): unless it is to be kept, it is removed then, and its space is free again however the run ends.
"""

import contextlib
import logging
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers import PreTrainedModel

from utils import processes
from utils.errors import UserError
from utils.frozen_prefix import accepting_prefixes, check_splits, frozen_blocks
from utils.states_file import StatesFile, compute, key_of, layout

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
        blocks = [] if self.mode == "off" else frozen_blocks(model)
        together = [row for split in splits.values() for row in split]
        if len(blocks) not in self._opened:
            self._opened[len(blocks)] = self._open(model, blocks, collate, together, precision, epochs)
        if self._opened[len(blocks)] is None:
            yield splits
            return
        states, results = self._opened[len(blocks)]
        pieces = (states[place : place + length] for place, length in zip(*layout(together), strict=True))
        with accepting_prefixes(model, blocks, results):
            yield {name: [{**row, "prefix": next(pieces)} for row in split] for name, split in splits.items()}

    def record(self, model: PreTrainedModel) -> dict | None:
        """What run.json says of the cache that the model trained with: blocks and bytes; None where there was none."""
        blocks = 0 if self.mode == "off" else len(frozen_blocks(model))
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
            if processes.several_machines():
                raise UserError("the machines have no file in common", "leave away --prefix_cache on")
            width, results = check_splits(model, blocks, collate, rows)
            shape = (sum(len(row["input_ids"]) for row in rows), width)
            dtype = torch.float32 if precision == "fp32" else torch.bfloat16
            name = f"{len(blocks)}-{key_of(model, len(blocks), rows, dtype)}"
            file = StatesFile(self.folder / f"{name}.states", shape, dtype)
            if file.is_whole():
                log.info("prefix cache: %s has what %d blocks hand on, from an earlier run", file.path, len(blocks))
                return file.mapped(), results
            self._check_size(file.size)
            states = self._compute(file, model, blocks[-1], collate, rows, precision)
        except UserError as error:
            if self.mode == "on" or (processes.world_size() > 1 and isinstance(error.__cause__, OSError)):
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

    def _compute(self, file: StatesFile, *what) -> torch.Tensor:
        """The states, see `states_file.compute`. Until it is whole, a file has another name; it never stays so."""
        part = StatesFile(file.path.with_suffix(".part"), file.shape, file.dtype)
        try:
            if processes.is_first():
                self.folder.mkdir(exist_ok=True)
                for left_over in self.folder.glob("*.part"):
                    left_over.unlink()
            processes.wait()
            compute(part, *what)
            processes.wait()
            states = part.mapped()
            processes.wait()
            if self.keep and processes.is_first():
                part.path.replace(file.path)
        except OSError as error:
            raise UserError(f"{part.path} cannot be written: {error.strerror or error}", WITHOUT) from error
        finally:
            if processes.is_first():
                part.path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # not empty: other files are kept in it
                    self.folder.rmdir()
        return states


OFF = PrefixCache(Path(), mode="off", gigabytes=0, keep=False)


def _amount(size: int) -> str:
    return f"{size / GIGABYTE:.3g} GB" if size >= GIGABYTE else f"{size / 10**6:.1f} MB"


def folder_beside(output_path: Path) -> Path:
    """Where the states of the run that writes `output_path` lie."""
    return output_path.parent / f"{output_path.name}.prefix_cache"
