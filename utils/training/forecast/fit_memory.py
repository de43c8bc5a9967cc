"""Refuse a run that cannot fit into memory, before it starts, and suggest a setting that fits.

A run is refused only if its lower bound does not fit; one that may not fit gets a warning.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from utils.errors import UserError
from utils.training.forecast.activations import Activations, count_activations
from utils.training.forecast.limits import available_memory
from utils.training.forecast.memory import MemoryNeed, Parameters, count, memory_need
from utils.training.forecast.planned import Run, epochs_of, fewer_blocks, frozen_as, gigabytes
from utils.training.forecast.schedule import Batch, plan_steps

log = logging.getLogger(__name__)
# Bytes that a token keeps at most, by number of the vocabulary, and by unit of the width in each block, where a model
# keeps matrices of attention too: far more than any that was counted, so that most runs need no counting.
MOST_PER_LOGIT, MOST_PER_UNIT, MOST_PER_WEIGHT = 16, 400, 24


def check_memory(run: Run, available: Callable[[], int | None] = available_memory) -> None:
    """Raise UserError where the run cannot fit into memory, with the setting that fits; warn where it may not fit."""
    free = free_memory(run.settings.device, available)
    if free is None:
        return
    parameters = count(run.setup.base.model)
    if need_of(run, parameters, (_bound(run, parameters),) * 2).high <= free:
        return  # without counting
    activations = activations_of(run)
    need = need_of(run, parameters, kept_by(run, parameters, activations))
    where = "on the GPU" if run.settings.device == "cuda" else "in memory"
    if need.low > free:
        problem = f"training takes {gigabytes(need.low)} at least, and {gigabytes(free)} are free {where}"
        raise UserError(problem, _advice(run, activations, free))
    if need.high > free:
        sizes = (
            f"{gigabytes(need.likely)} probably, {gigabytes(need.high)} at most, and {gigabytes(free)} are free {where}"
        )
        log.warning("warning: training may not fit: it takes %s; safe is: %s", sizes, _advice(run, activations, free))


def free_memory(device: str, available: Callable[[], int | None] = available_memory) -> int | None:
    """Return the bytes that are free where the model trains: on the GPU, or else `available()` in memory.

    PyTorch keeps the memory of freed tensors on the GPU, which CUDA takes for used: after a first run in a notebook,
    most of what a second one needs.
    """
    if device == "cpu":
        return available()
    return torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()


def need_of(run: Run, parameters: Parameters, kept: tuple[float, float]) -> MemoryNeed:
    """Return the memory of the run, if its first batch, and the largest later one, keep so many bytes."""
    passes = run.setup.probe is not None or run.cache.may_cache(run.setup.base.model, epochs_of(run))
    keeps = run.setup.objective.keep_start
    return memory_need(parameters, kept, run.settings, keeps_start=keeps, passes_whole=passes)


def kept_by(run: Run, parameters: Parameters, activations: Activations) -> tuple[float, float]:
    """Return the bytes that the first batch keeps, which is the longest one, and the largest later one; 0 for none."""
    blocks, checkpointing = parameters.trained_blocks, run.settings.activation_checkpointing
    batches = [batch for step in plan_steps(run.rows, run.settings, validates=False) for batch in step]

    def kept(batch: Batch) -> float:
        return activations.of(len(batch.numbers), batch.length, blocks, checkpointing=checkpointing)

    accumulated = run.settings.gradient_accumulation_steps
    first, later = batches[:accumulated], set(batches[accumulated:])
    return max(map(kept, first)), max(map(kept, later), default=0.0)


def activations_of(run: Run) -> Activations:
    """Return the memory that batches with the longest row keep."""
    longest = max(run.rows, key=lambda row: len(row["input_ids"]))
    return count_activations(run.setup.base.model, run.setup.objective, longest, run.settings.precision)


def _bound(run: Run, parameters: Parameters) -> float:
    """Return more bytes than the largest batch can keep."""
    rows, length = run.largest
    config = run.setup.base.model.config.get_text_config()
    blocks = parameters.trained_blocks
    heads = getattr(config, "num_attention_heads", 1) or 1
    per_block = MOST_PER_UNIT * config.hidden_size + MOST_PER_WEIGHT * heads * length
    return rows * length * (MOST_PER_LOGIT * config.vocab_size + per_block * blocks)


def _advice(run: Run, activations: Activations, free: int) -> str:
    """Return the first change that fits for certain: smaller batches, recomputing, fewer blocks."""
    for flags, changed in _changes(run):
        with frozen_as(run, changed.unfreeze_last):
            parameters = count(changed.setup.base.model)
            fits = need_of(changed, parameters, kept_by(changed, parameters, activations)).high <= free
        if fits:
            return " ".join(flags)
    longest = run.largest[1]
    shorter = f"cut texts with --max_length (the longest has {longest} tokens), " if longest > 64 else ""
    return f"{shorter}choose a smaller base model with --model, or free some memory"


def _changes(run: Run) -> Iterator[tuple[list[str], Run]]:
    """Yield (flags, the run with them), the least change first."""
    blocks = fewer_blocks(run)
    for checkpointing, unfreeze_last in [(False, None), (True, None), *((False, number) for number in blocks)]:
        if checkpointing and run.settings.activation_checkpointing:
            continue
        size = run.settings.batch_size
        while size >= 1:
            steps = run.settings.gradient_accumulation_steps * run.settings.batch_size // size
            flags = []
            if size != run.settings.batch_size:
                flags += [f"--batch_size {size} --gradient_accumulation_steps {steps}"]
            if checkpointing:
                flags += ["--activation_checkpointing"]
            if unfreeze_last is not None:
                flags += [f"--unfreeze_last {unfreeze_last}"]
            settings = replace(
                run.settings,
                batch_size=size,
                gradient_accumulation_steps=steps,
                activation_checkpointing=run.settings.activation_checkpointing or checkpointing,
            )
            blocks_trained = run.unfreeze_last if unfreeze_last is None else unfreeze_last
            if flags:
                yield flags, replace(run, settings=settings, unfreeze_last=blocks_trained)
            if size == 1:
                break
            size = next(number for number in range(size // 2, 0, -1) if run.settings.batch_size % number == 0)
