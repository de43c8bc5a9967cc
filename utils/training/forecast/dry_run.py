"""--dry_run: measure a few steps and a part of a validation, and add up the cost of the whole run.

It writes only into a temporary folder, which is removed.
"""

import time
from argparse import Namespace
from functools import partial

from utils.compute.cache_plan import CachePlan
from utils.compute.device import autocast
from utils.compute.prefix_cache import PrefixCache, format_size
from utils.errors import UserError
from utils.processed import Processed
from utils.tasks.label_kinds.label_kinds import LABEL_KINDS
from utils.training.adapters.frozen_weights import frozen_weights
from utils.training.forecast.arithmetic import Arithmetic
from utils.training.forecast.disk import DiskNeed
from utils.training.forecast.durations import Measured, add_up
from utils.training.forecast.examples import example
from utils.training.forecast.fit_disk import disk_of
from utils.training.forecast.fit_memory import activations_of, free_memory, kept_by, need_of
from utils.training.forecast.forecast import Forecast
from utils.training.forecast.limits import free_disk, resident_memory
from utils.training.forecast.measure import (
    evaluation_of,
    measure_steps,
    operations,
    seconds_of_cache,
    seconds_of_validation,
)
from utils.training.forecast.memory import count
from utils.training.forecast.planned import Run, epochs_of
from utils.training.forecast.probing import seconds_of_probe
from utils.training.forecast.samples import seconds_of_samples
from utils.training.forecast.saving import seconds_to_load, speed_of_disk
from utils.training.forecast.schedule import Schedule, plan_steps, supervised_tokens


def forecast_run(run: Run, data: Processed, flags: Namespace, cache: PrefixCache, name: str, began: float) -> Forecast:
    """Return the forecast of the run. `name` is the base model's, and `began` is of time.monotonic()."""
    setup, settings = run.setup, run.settings
    preparation = time.monotonic() - began
    parameters = count(setup.base.model)
    need = need_of(run, parameters, kept_by(run, parameters, activations_of(run)))
    resident, peak = resident_memory() if settings.device == "cpu" else (0, 0)  # the need is that of the GPU
    memory_free = free_memory(settings.device)
    before_plan = time.perf_counter()
    plan, decision = plan_cache(run, cache)
    planning = time.perf_counter() - before_plan if plan else 0.0
    schedule = plan_steps(run.rows, settings, validates=bool(run.validation))
    disk = disk_of(run, plan.size if plan and not plan.is_there else 0)
    measured = _measure(run, plan, schedule, disk, name, preparation, planning)
    times = add_up(measured, schedule, settings, validates=bool(run.validation), trials=flags.search or 0)
    splits = {"train": run.rows, "validation": run.validation}
    return Forecast(
        base_model=name,
        precision=settings.precision,
        device=settings.device,
        rows={split: len(rows) for split, rows in splits.items()},
        cut=sum("cut" in row for rows in splits.values() for row in rows),
        left_out=max(0, len(data.splits["train"]) - len(setup.rows["train"])),
        tokens_per_epoch=sum(len(row["input_ids"]) for row in run.rows),
        supervised_per_epoch=sum(map(supervised_tokens, run.rows)),
        steps=times.steps,
        steps_per_epoch=schedule.steps_per_epoch,
        epochs=round(times.steps / settings.model_soup / schedule.steps_per_epoch, 2),
        trained_parameters=parameters.trained,
        parameters=parameters.total - parameters.adapters,
        trained_blocks=parameters.trained_blocks,
        prefix_cache=decision,
        example=example(run.rows, setup.base.tokenizer, partial(_label_text, data)),
        memory=max(peak, resident + need.likely),
        memory_range=(max(peak, resident + need.low), max(peak, resident + need.high)),
        memory_free=memory_free,
        disk=disk.peak,
        disk_parts={
            f"{disk.number} saved state{'s' * (disk.number != 1)}": disk.states,
            "prefix cache": disk.cache,
            "runs of the soup": disk.soup,
            "the model": disk.model * _copies(run),
        },
        disk_free=free_disk(settings.output_path.parent)[1],
        seconds=times.total,
        seconds_range=times.total_range,
        first_evaluation=times.first_evaluation,
        first_evaluation_range=times.first_evaluation_range,
        seconds_parts=times.parts,
        notes=times.notes,
    )


def plan_cache(run: Run, cache: PrefixCache) -> tuple[CachePlan | None, str]:
    """Return the plan of the prefix cache, and the decision in words. UserError with --prefix_cache on."""
    settings = run.settings
    rows = [*run.rows, *run.validation]
    objective = run.setup.objective
    if cache.mode == "off":
        return None, "off"
    try:
        plan = cache.plan(
            run.setup.base.model,
            objective.collate,
            rows,
            precision=settings.precision,
            epochs=epochs_of(run),
        )
    except UserError as error:
        if cache.mode == "on":
            raise
        return None, f"none: {error.problem}"
    if plan is None:
        return None, "none: all blocks train"
    there = ", from a past run" if plan.is_there else ""
    return plan, f"{format_size(plan.size)} for {len(plan.blocks)} frozen blocks{there}"


def _measure(
    run: Run,
    plan: CachePlan | None,
    schedule: Schedule,
    disk: DiskNeed,
    name: str,
    preparation: float,
    planning: float,
) -> Measured:
    """Return the times of the run's parts. The model is not to be used afterwards: it has learned a little."""
    setup, settings, model, validation = run.setup, run.settings, run.setup.base.model, run.validation
    evaluate = evaluation_of(run)
    with frozen_weights(model, settings):
        model.to(settings.device)
        full_pass = seconds_of_validation(run, None, validation, evaluate) if validation else 0.0
        evaluation = seconds_of_validation(run, plan, validation, evaluate) if validation and plan else full_pass
        with autocast(settings.device, settings.precision):  # as in training
            first_samples, samples = seconds_of_samples(setup, validation, settings.seed)
        filling = seconds_of_cache(run, plan, [*run.rows, *validation]) if plan and not plan.is_there else 0.0
        probe = seconds_of_probe(run, plan) if setup.probe else 0.0
        judging = seconds_of_validation(run, plan, run.rows, evaluate) if settings.folds else 0.0
        times = measure_steps(run, plan, schedule)
    arithmetic = Arithmetic.of(model)
    batches = [batch for step in schedule for batch in step]
    steps = sum(times.seconds(operations(arithmetic, batch, cached=plan is not None)) for batch in batches)
    loading, speed = seconds_to_load(name, model), speed_of_disk(settings.output_path)
    calibration = 0.0 if model.can_generate() else full_pass
    return Measured(
        preparation=preparation,
        probe=probe,
        filling=planning + filling,
        first_step=times.first,
        steps=steps + times.optimizer * schedule.steps,
        spread=times.spread,
        evaluation=evaluation,
        first_samples=first_samples,
        samples=samples,
        state=disk.state / speed,
        last_state=disk.last_state / speed,
        end=_copies(run) * (disk.model / speed + loading) + calibration,
        judging=judging,
    )


def _copies(run: Run) -> int:
    """Return how often the model is written: a .pt file is made of a folder."""
    return 2 if run.settings.output_path.suffix == ".pt" else 1


def _label_text(data: Processed, target: object) -> str:
    """Return the target that a model learns from a text, as people read it."""
    return LABEL_KINDS[data.recipe["kind"]].text(target, data.recipe["labels"], data.splits["train"].label)
