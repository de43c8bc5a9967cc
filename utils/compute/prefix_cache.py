"""The prefix cache: frozen blocks see the same texts in every epoch, so they run once and a file keeps their output.

The file holds the hidden states (tokens, width) of all rows. It is mapped into memory, so it may be larger than that.
On Linux and macOS a mapped file needs no name: unless it is to be kept, it is unlinked at once, and its space is free
again however the run ends.

Without it: training without it (--prefix_cache off). In fp32, losses are the same within 1e-4 of their value, and
not bit for bit, since texts pass the frozen blocks in batches of other sizes; otherwise the hidden states are rounded
to bfloat16.
"""

import contextlib
import logging
import math
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from transformers import PreTrainedModel

from utils import distributed
from utils.compute.blocks import check_starting_after, frozen_blocks, hidden_states_after, starting_after
from utils.compute.cache_plan import CachePlan, cache_key, row_offsets
from utils.compute.forward import run_in_batches
from utils.errors import UserError
from utils.system_errors import as_os_errors
from utils.temporary import remove

log = logging.getLogger(__name__)
PART = re.compile(r"\d+-[0-9a-f]{16}\.part")  # a number of blocks and a `cache_key`
GIGABYTE = 10**9
MAX_SHARE_OF_DISK = 0.5  # of the free space: checkpoints and the model need room too
Splits = dict[str, Sequence[dict]]
FREE_SPACE = "free some space, or remove --prefix_cache on"


def prefix_cache_folder(output_path: Path) -> Path:
    """Return the folder for the cache of the run that writes `output_path`."""
    return output_path.parent / f"{output_path.name}.prefix_cache"


@dataclass(frozen=True)
class PrefixCache:
    """The hidden states of the frozen blocks of one base model for the rows of one run: a file per number of blocks.

    `mode` is off, auto (used where it pays off, fits and works) or on (UserError where it does not). All files
    together take at most `gigabytes` (10⁹ bytes). With `keep` they stay in `folder`, where later runs find them. The
    processes of one machine share the work and the file.
    """

    folder: Path
    mode: str
    gigabytes: float
    keep: bool
    _opened: dict[int, "_Opened | None"] = field(default_factory=dict)  # by number of blocks

    @contextlib.contextmanager
    def cached_rows(
        self, model: PreTrainedModel, collate: Callable, splits: Splits, *, precision: str, epochs: float
    ) -> Iterator[Splits]:
        """Within the context, the rows have "cached_states" (length, width), and the model starts from them.

        Without a cache, yields the rows as they are. `precision` is fp32, bf16 or fp16; the frozen weights are those
        of the base model in float32. `epochs` is the number still to train; infinite in a search. The first rows decide
        for each number of blocks; later ones may be any of them, by the same "input_ids" objects.
        """
        blocks = self._frozen_blocks(model)
        rows = [row for split in splits.values() for row in split]
        opened = self._opened.get(len(blocks))
        if len(blocks) not in self._opened or (opened and not opened.has(rows)):
            opened = self._opened[len(blocks)] = self._open(model, collate, rows, precision, epochs)
        if opened is None:
            yield splits
            return
        with starting_after(model, blocks, opened.tuple_length):
            yield {
                name: [{**row, "cached_states": opened.states_of(row)} for row in split]
                for name, split in splits.items()
            }

    def may_cache(self, model: PreTrainedModel, epochs: float) -> bool:
        """Return whether the model has frozen blocks that may run for a cache, with so many epochs to train."""
        return bool(self._frozen_blocks(model)) and (self.mode == "on" or epochs > 1)

    def has(self, model: PreTrainedModel, rows: Sequence[dict]) -> bool:
        """Return whether the hidden states of these rows are there for the blocks of the model that are frozen now."""
        opened = self._opened.get(len(self._frozen_blocks(model)))
        return opened is not None and opened.has(rows)

    def record(self, model: PreTrainedModel) -> dict | None:
        """Return run.json's record of the cache that the model trained with; None without one."""
        blocks = len(self._frozen_blocks(model))
        opened = self._opened.get(blocks)
        return {"blocks": blocks, "bytes": opened.states.nbytes} if opened else None

    def _frozen_blocks(self, model: PreTrainedModel) -> list[torch.nn.Module]:
        return [] if self.mode == "off" else frozen_blocks(model)

    def plan(
        self, model: PreTrainedModel, collate: Callable, rows: Sequence[dict], *, precision: str, epochs: float
    ) -> CachePlan | None:
        """Return the plan of `cached_rows` for these rows, without writing; None where no block is frozen.

        UserError, with the reason, where there can be no cache, or where it does not pay off.
        """
        blocks = self._frozen_blocks(model)
        if not blocks:
            if self.mode == "on" and not math.isinf(epochs):  # a search may also try to train all blocks
                raise UserError("--prefix_cache on, but no block is frozen", "lower --unfreeze_last, or remove it")
            return None
        if self.mode == "auto" and epochs <= 1:
            raise UserError("it does not pay off for one epoch", "use --prefix_cache on")
        model.config.use_cache = False  # as Trainer sets it: nobody needs keys and values
        if distributed.spans_machines():
            raise UserError("the machines do not share a file system", "remove --prefix_cache on")
        width, tuple_length = check_starting_after(model, blocks, collate, rows)
        shape = (sum(len(row["input_ids"]) for row in rows), width)
        dtype = torch.float32 if precision == "fp32" else torch.bfloat16
        path = self.folder / f"{len(blocks)}-{cache_key(model, len(blocks), rows, dtype)}.states"
        plan = CachePlan(blocks, tuple_length, shape, dtype, path)
        if not plan.is_there:
            self._check_size(plan.size)
        return plan

    def _open(self, model, collate, rows, precision, epochs) -> "_Opened | None":
        """Return the hidden states of these rows, or None for no cache."""
        started = time.perf_counter()
        try:
            plan = self.plan(model, collate, rows, precision=precision, epochs=epochs)
            if plan is None:
                return None
            path, shape, dtype = plan.path, plan.shape, plan.dtype
            if plan.is_there:
                log.info("prefix cache: %s has the hidden states of %d blocks from a past run", path, len(plan.blocks))
                return _Opened(_map(path, shape, dtype), plan.tuple_length, rows)
            block = plan.blocks[-1]
            fill = partial(_fill, model=model, block=block, collate=collate, rows=rows, precision=precision)
            states = self._compute(path, shape, dtype, fill)
        except UserError as error:
            # The disk may be full for one process alone, and all of them have to train in the same way.
            if self.mode == "on" or (distributed.world_size() > 1 and isinstance(error.__cause__, OSError)):
                raise
            log.info("no prefix cache: %s", error.problem)
            return None
        log.info(
            "prefix cache: %d frozen blocks ran once over %s texts in %.1f seconds; their hidden states take %s",
            *(len(plan.blocks), f"{len(rows):,}", time.perf_counter() - started, format_size(plan.size)),
        )
        return _Opened(states, plan.tuple_length, rows)

    def _check_size(self, size: int) -> None:
        """UserError where another file of so many bytes would be too large."""
        total = size + sum(opened.states.nbytes for opened in self._opened.values() if opened)
        if total > self.gigabytes * GIGABYTE:
            raise UserError(
                f"the hidden states would take {format_size(total)}, and --prefix_cache_gb is {self.gigabytes:g}",
                "raise --prefix_cache_gb, or remove --prefix_cache on",
            )
        parent = self.folder.absolute().parent
        try:
            free = shutil.disk_usage(next(each for each in (parent, *parent.parents) if each.exists())).free
        except OSError as error:
            raise UserError(f"{parent} cannot be read: {error.strerror}", FREE_SPACE) from error
        if size > MAX_SHARE_OF_DISK * free:
            sizes = f"{format_size(size)}, more than half of the {format_size(free)} free in {parent}"
            raise UserError(f"the hidden states would take {sizes}", FREE_SPACE)

    def _leftovers(self) -> list[Path]:
        """Return the files that runs were filling when they were killed; others in the folder are not ours."""
        return [path for path in self.folder.glob("*.part") if PART.fullmatch(path.name)]

    def _compute(self, path: Path, shape: tuple[int, int], dtype: torch.dtype, fill: Callable) -> torch.Tensor:
        """Fill the file and map it. It gets its name when it is complete and to be kept."""
        part = path.with_suffix(".part")
        try:
            if distributed.is_main_process():
                self.folder.mkdir(parents=True, exist_ok=True)
                for leftover in self._leftovers():
                    leftover.unlink()
                part.touch()
            distributed.barrier()
            fill(part, dtype)
            distributed.barrier()
            states = _map(part, shape, dtype)
            distributed.barrier()
            if self.keep and distributed.is_main_process():
                part.replace(path)
        except OSError as error:
            raise UserError(f"{part} cannot be written: {error.strerror or error}", FREE_SPACE) from error
        finally:
            if distributed.is_main_process():
                remove(part)
                with contextlib.suppress(OSError):  # not empty: it keeps other files
                    self.folder.rmdir()
        return states


class _Opened:
    """The hidden states (tokens, width) of rows, and the tuple length of their block, see `hidden_states_after`."""

    def __init__(self, states: torch.Tensor, tuple_length: int, rows: Sequence[dict]):
        self.states, self.tuple_length = states, tuple_length
        self._ids = [row["input_ids"] for row in rows]  # as long as they exist, no others have their identities
        self._starts = dict(zip(map(id, self._ids), row_offsets(rows), strict=True))

    def has(self, rows: Sequence[dict]) -> bool:
        return all(id(row["input_ids"]) in self._starts for row in rows)

    def states_of(self, row: dict) -> torch.Tensor:
        start = self._starts[id(row["input_ids"])]
        return self.states[start : start + len(row["input_ids"])]


OFF = PrefixCache(Path(), mode="off", gigabytes=0, keep=False)


def _map(path: Path, shape: tuple[int, int], dtype: torch.dtype) -> torch.Tensor:
    """Return the file's content, which is read when it is used. The file may be unlinked while the tensor exists.

    UserError where the file cannot be opened or mapped.
    """
    try:
        with as_os_errors():
            return torch.from_file(str(path), shared=True, size=math.prod(shape), dtype=dtype).view(shape)
    except OSError as error:
        raise UserError(f"{path} cannot be mapped into memory: {error.strerror}", FREE_SPACE) from error


def _fill(path: Path, dtype: torch.dtype, *, model, block, collate, rows, precision) -> None:
    """Write this process's share of the hidden states after `block`. OSError where the disk is full."""
    offsets = row_offsets(rows)
    with path.open("r+b") as file:

        def write(numbers: list[int], inputs: dict[str, torch.Tensor]) -> None:
            inputs.pop("labels", None)
            hidden = hidden_states_after(model, block, inputs)[0][inputs["attention_mask"].bool()]
            file.seek(offsets[numbers[0]] * hidden.shape[1] * dtype.itemsize)
            file.write(hidden.to(dtype).cpu().contiguous().view(torch.uint8).numpy())

        run_in_batches(model, rows, collate, write, precision=precision, progress="frozen blocks")


def format_size(size: int) -> str:
    return f"{size / GIGABYTE:.3g} GB" if size >= GIGABYTE else f"{size / 10**6:.1f} MB"
