"""Several processes that work as one, as torchrun or `accelerate launch` start them; a process by itself is the first.

What scores, classifies or writes many texts takes this process's `share` of the batches and brings the results
together again, so that every process has all of them: all processes have to call it, each with the same texts.
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
TURN = 2.0  # seconds; torchrun ends the other processes a tenth of a second after one has failed


def world_size() -> int:
    """How many processes work together, on all machines."""
    return int(os.environ["WORLD_SIZE"]) if "LOCAL_RANK" in os.environ else 1


def rank() -> int:
    """Which of them this one is, from 0."""
    return int(os.environ["RANK"]) if "LOCAL_RANK" in os.environ else 0


def is_main_process() -> bool:
    """Whether this is the process that prints and writes."""
    return rank() == 0


def spans_machines() -> bool:
    """Whether some of them run elsewhere, with disks of their own."""
    return world_size() > int(os.environ.get("LOCAL_WORLD_SIZE", world_size()))


def require_single_process(what: str) -> None:
    """UsageError where there are several processes, and `what` is for one."""
    if world_size() > 1:
        raise UsageError(
            f"{what} is for one process, and there are {world_size()}", "start it with python alone, or leave it out"
        )


def initialize(device: str) -> None:
    """Meet the other processes: none goes on before all have come so far. `device` is cpu, or cuda: a GPU for each.

    UsageError where there are fewer GPUs than processes, and where the model was to be divided among them (FSDP).
    """
    if world_size() == 1:
        return
    import torch

    if os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true":
        raise UsageError(
            "FSDP divides the model among the processes, and here every process holds it whole",
            "leave out --use_fsdp, or take a configuration of accelerate without it",
        )
    if device == "cuda":
        number, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if number >= gpus:
            raise UsageError(
                f"process {number} has no GPU for itself: PyTorch sees {gpus}", "start a process a GPU, or --device cpu"
            )
        torch.cuda.set_device(number)
    torch.distributed.init_process_group("cpu:gloo,cuda:nccl" if device == "cuda" else "gloo")


@contextmanager
def quiet_except_main() -> Iterator[None]:
    """While it lasts, the first process alone is heard.

    An error that all of them meet is thus told once: the first tells its own and ends, and the others, who give it
    a moment to do so, are ended by their launcher. One that is still there afterwards tells what it met itself. What
    users cause comes before bugs, since a process whose partner has gone stumbles over that.
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
        time.sleep(TURN * ((not is_main_process()) + 2 * (not isinstance(error, UserError))))
        sys.stdout, sys.stderr = streams
        raise
    if "torch" in sys.modules:
        from torch import distributed

        if distributed.is_initialized():
            distributed.destroy_process_group()


def shard(items: Items) -> Items:
    """Those of all items that this process works on."""
    return items[rank() :: world_size()]


def sum_over_processes(numbers: "numpy.ndarray") -> "numpy.ndarray":
    """The sum over all processes, each of which has its own numbers and zeros elsewhere: float64, any shape."""
    if world_size() == 1:
        return numbers
    import torch

    total = torch.from_numpy(numbers.copy())
    torch.distributed.all_reduce(total)
    return total.numpy()


def gather_dict(found: dict) -> dict:
    """What all processes have found, each under its own keys."""
    if world_size() == 1:
        return found
    from torch import distributed

    every: list = [None] * world_size()
    distributed.all_gather_object(every, found)
    return {key: value for one in every for key, value in one.items()}


def barrier() -> None:
    """Go on when all processes have come so far."""
    if world_size() > 1:
        from torch import distributed

        distributed.barrier()


def any_process(happened: bool) -> bool:
    """Whether it happened in any of the processes."""
    if world_size() == 1:
        return happened
    import torch

    number = torch.tensor(int(happened))
    torch.distributed.all_reduce(number, torch.distributed.ReduceOp.MAX)
    return bool(number)
