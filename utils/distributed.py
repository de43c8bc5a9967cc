"""Several processes that work as one, started by torchrun or `accelerate launch`; a single process counts as the first.

Code that scores, classifies or generates many texts takes its `shard` of the batches and then gathers the results, so
that every process has all of them. All processes must call it, each with the same texts.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from utils.errors import UsageError, UserError

if TYPE_CHECKING:
    import numpy

Items = TypeVar("Items", bound=Sequence)
REPORT_SECONDS = 2.0  # torchrun ends the other processes a tenth of a second after one has failed


def world_size() -> int:
    """Return the number of processes, on all machines."""
    return int(os.environ["WORLD_SIZE"]) if "LOCAL_RANK" in os.environ else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return int(os.environ["RANK"]) if "LOCAL_RANK" in os.environ else 0


def is_main_process() -> bool:
    """Return whether this is the process that prints and writes."""
    return rank() == 0


def processes_here() -> int:
    """Return the number of processes on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", world_size())) if world_size() > 1 else 1


def spans_machines() -> bool:
    """Return whether some processes run on other machines, with disks of their own."""
    return world_size() > processes_here()


def require_single_process(feature: str) -> None:
    """Raise UsageError if there are several processes; `feature` names the part that works in one process only."""
    if world_size() > 1:
        hint = "start the script with python alone, not with torchrun or accelerate"
        raise UsageError(f"{feature} works in one process only, and there are {world_size()}", hint)


def initialize(device: str) -> None:
    """Wait for the other processes and connect to them. `device` is "cpu", or "cuda" for one GPU per process.

    UsageError if there are fewer GPUs than processes, or if FSDP should shard the model.
    """
    if world_size() == 1:
        return
    import torch
    from accelerate import PartialState

    if os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true":
        raise UsageError(
            "FSDP shards the model across the processes, but every process here needs the complete model",
            "remove --use_fsdp, or use an accelerate configuration without FSDP",
        )
    if device == "cpu":
        PartialState(cpu=True)
        return
    local_rank, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if local_rank >= gpus:
        hint = "start one process per GPU, or use --device cpu"
        raise UsageError(f"there is no GPU for process {local_rank}: PyTorch sees {gpus}", hint)
    torch.cuda.set_device(local_rank)
    PartialState(backend="cpu:gloo,cuda:nccl")  # gloo for `sum_over_processes`, whose arrays are on the CPU


@contextmanager
def quiet_except_main() -> Iterator[None]:
    """Silence all processes but the first, and report an error once.

    If all processes meet the same error, the first one reports it and ends, and the launcher ends the others while they
    wait. A process that is still alive after the wait reports its own error. User errors have a shorter wait than bugs,
    since a process that loses its partner fails with an error that looks like a bug.
    """
    if world_size() == 1:
        yield
        return
    streams = sys.stdout, sys.stderr
    if not is_main_process():
        sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - it stays open
    try:
        yield
    except BrokenPipeError:
        raise
    except Exception as error:
        time.sleep(REPORT_SECONDS * ((not is_main_process()) + 2 * (not isinstance(error, UserError))))
        sys.stdout, sys.stderr = streams
        raise
    if "torch" in sys.modules:
        from torch import distributed

        if distributed.is_initialized():
            distributed.destroy_process_group()


def shard(items: Items) -> Items:
    """Return the part of the items that this process works on."""
    return items[rank() :: world_size()]


def sum_over_processes(numbers: "numpy.ndarray") -> "numpy.ndarray":
    """Return the elementwise sum of the processes' arrays (float64, all of the same shape)."""
    if world_size() == 1:
        return numbers
    import torch
    from accelerate.utils import reduce

    return reduce(torch.from_numpy(numbers), "sum").numpy()


def any_process(flag: bool) -> bool:
    """Return whether `flag` is true in any of the processes."""
    if world_size() == 1:
        return flag
    import torch
    from accelerate.utils import reduce

    return bool(reduce(torch.tensor(int(flag)), "max"))


def gather_dict(own: dict) -> dict:
    """Return the union of the processes' dicts, whose keys differ."""
    if world_size() == 1:
        return own
    from accelerate.utils import gather_object

    return {key: value for part in gather_object([own]) for key, value in part.items()}


def barrier() -> None:
    """Wait until all processes have come to this point."""
    if world_size() > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()
