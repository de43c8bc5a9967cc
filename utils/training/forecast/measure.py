"""The speed of this machine with this model: a few steps and a part of a validation, measured as they will run.

The model is not to be used afterwards: it has learned from the measured steps.
"""

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch.utils.data import SequentialSampler
from transformers import PreTrainedModel, TrainerCallback

from utils.compute.batching import batches_by_length
from utils.compute.blocks import hidden_states_after, starting_after
from utils.compute.cache_plan import CachePlan
from utils.compute.device import autocast
from utils.compute.forward import run_in_batches
from utils.temporary import temporary_folder
from utils.training.forecast.arithmetic import Arithmetic
from utils.training.forecast.planned import Run
from utils.training.forecast.schedule import Batch, Schedule, supervised_tokens
from utils.training.trainer import ObjectiveTrainer

ENOUGH_SECONDS = 8.0  # of measured steps; each of the three is measured once at least
MOST_ROUNDS = 5
MEASURED_BATCHES = 6  # of a validation, and of a pass through the frozen blocks


@dataclass(frozen=True)
class StepTimes:
    """Measured steps: pairs of (operations, seconds) without the optimizer, by operations, and the rest in seconds."""

    points: tuple[tuple[float, float], ...]
    optimizer: float
    first: float  # how much longer the first step takes
    spread: float  # the largest relative difference of two measures of one batch

    def seconds(self, operations: float) -> float:
        """Return the seconds of a batch: on the lines between the measured ones."""
        (low, shortest), *_, (high, longest) = self.points if len(self.points) > 1 else self.points * 2
        if operations >= high or low == high:
            return longest * operations / high
        if operations <= low:
            return shortest * max(operations / low, 0.3)
        for (left, before), (right, after) in zip(self.points, self.points[1:], strict=False):
            if operations <= right:
                return before + (after - before) * (operations - left) / max(1.0, right - left)
        raise AssertionError


@contextlib.contextmanager
def with_states(run: Run, plan: CachePlan | None, rows: Sequence[dict]) -> Iterator[list[dict]]:
    """Within the context, the rows have the hidden states of a prefix cache, and the model starts from there."""
    if plan is None:
        yield list(rows)
        return
    model, states = run.setup.base.model, {}

    def keep(numbers: list[int], inputs: dict[str, torch.Tensor]) -> None:
        lengths = [len(rows[number]["input_ids"]) for number in numbers]
        states.update(zip(numbers, _states(model, plan, inputs).split(lengths), strict=True))

    collate = run.setup.objective.collate
    run_in_batches(model, rows, collate, keep, precision=run.settings.precision, progress=None)
    cached = [{**row, "cached_states": states[number].clone()} for number, row in enumerate(rows)]
    with starting_after(model, plan.blocks, plan.tuple_length):
        yield cached


def _states(model: PreTrainedModel, plan: CachePlan, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the hidden states (tokens, width) after the frozen blocks, without padding, as they are cached."""
    inputs = {name: tensor for name, tensor in inputs.items() if name != "labels"}
    hidden = hidden_states_after(model, plan.blocks[-1], inputs)[0]
    return hidden[inputs["attention_mask"].bool()].to(plan.dtype).cpu()


def seconds_of_cache(run: Run, plan: CachePlan, rows: Sequence[dict]) -> float:
    """Return the seconds of the pass that fills the prefix cache with the states of these rows."""
    model = run.setup.base.model
    collate, precision = run.setup.objective.collate, run.settings.precision

    def work(part: Sequence[dict]) -> None:
        run_in_batches(
            model, part, collate, lambda _, inputs: _states(model, plan, inputs), precision=precision, progress=None
        )

    arithmetic = Arithmetic.of(model)
    some = [rows[number] for number in _measured_rows(rows, model.device.type)]
    return _scaled(work, some, rows, lambda row, length: arithmetic.below(length, length))


def seconds_of_validation(run: Run, plan: CachePlan | None, rows: Sequence[dict], evaluate: Callable) -> float:
    """Return the seconds that `evaluate(rows)` takes on all rows; with a plan, they come from the cache."""
    arithmetic = Arithmetic.of(run.setup.base.model)

    def cost(row: dict, length: int) -> float:
        return arithmetic.validation(length, length, supervised_tokens(row), cached=plan is not None)

    some = [rows[number] for number in _measured_rows(rows, run.setup.base.model.device.type)]
    with with_states(run, plan, some) as cached:
        return _scaled(evaluate, cached, rows, cost)


def _measured_rows(rows: Sequence[dict], device: str) -> list[int]:
    """Return the numbers of the rows in some batches of inference, evenly from the longest to the shortest."""
    batches = batches_by_length([len(row["input_ids"]) for row in rows], device)
    count = min(MEASURED_BATCHES, len(batches))
    places = {round(place * (len(batches) - 1) / max(1, count - 1)) for place in range(count)}
    return [number for place in sorted(places) for number in batches[place]]


def _scaled(work: Callable, some: Sequence[dict], rows: Sequence[dict], cost: Callable) -> float:
    """Return the seconds of `work` on all rows, from those on some of them, and the operations of both."""
    work(some[-1:])  # the first call takes longer, and once only
    started = time.perf_counter()
    work(some)
    taken = time.perf_counter() - started
    all_of_them, measured = (sum(cost(row, len(row["input_ids"])) for row in each) for each in (rows, some))
    return taken * all_of_them / measured


def measure_steps(run: Run, plan: CachePlan | None, schedule: Schedule) -> StepTimes:
    """Return the times of training steps: the longest batch first, as in training, then a short, a middle, a long one.

    The steps are those of training, with optimizer, but for the rate.
    """
    arithmetic, cached = Arithmetic.of(run.setup.base.model), plan is not None
    cost = partial(operations, arithmetic, cached=cached)
    batches = sorted({batch for step in schedule.epochs[0] for batch in step}, key=cost)
    whole = [batch for batch in batches if len(batch.numbers) == len(batches[-1].numbers)] or batches
    chosen = [whole[0], whole[len(whole) // 2], whole[-1]]
    order = [whole[-1], *chosen * MOST_ROUNDS]
    numbers = sorted({number for batch in chosen for number in batch.numbers})
    with with_states(run, plan, [run.rows[number] for number in numbers]) as some:
        by_number = dict(zip(numbers, some, strict=True))
        taken, optimizer = _train(run, [by_number[number] for batch in order for number in batch.numbers], len(order))
    seconds = {}
    once = len(taken) == len(chosen)  # they take long, and the first step measures the longest batch
    for batch, each, own in list(zip(order, taken, optimizer, strict=False))[0 if once else 1 :]:
        seconds.setdefault(cost(batch), []).append(each - own)
    points = tuple((work, statistics.median(each)) for work, each in sorted(seconds.items()))
    spread = max((max(each) / min(each) - 1 for each in seconds.values() if len(each) > 1), default=0.0)
    first = 0.0 if once else max(0.0, taken[0] - taken[3])
    return StepTimes(points, statistics.median(optimizer[1:]), first, spread)


def operations(arithmetic: Arithmetic, batch: Batch, *, cached: bool) -> float:
    """Return the floating-point operations of a batch of training."""
    return arithmetic.step(batch.padded, batch.length, batch.supervised, cached=cached)


class _InOrder(ObjectiveTrainer):
    """The trainer, with its rows in the order in which they are."""

    def _get_train_sampler(self, train_dataset=None):
        return SequentialSampler(self.train_dataset)


class _Stopwatch(TrainerCallback):
    """Notes the seconds of each step, and those of its optimizer; ends when that is enough."""

    def __init__(self):
        self.steps, self.optimizer = [], []

    def on_train_begin(self, args, state, control, **kwargs):
        self.started = self.last = time.perf_counter()

    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        self.gradients = _seconds_when_done(args.device)

    def on_step_end(self, args, state, control, **kwargs):
        now = _seconds_when_done(args.device)
        self.steps.append(now - self.last)
        self.optimizer.append(now - self.gradients)
        self.last = now
        whole = len(self.steps) == 3 or (len(self.steps) > 3 and len(self.steps) % 3 == 1)
        if whole and now - self.started > ENOUGH_SECONDS:
            control.should_training_stop = True


def _seconds_when_done(device: torch.device) -> float:
    """Return the time when the device has finished its work: a GPU would do a step's work within the next one."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _train(run: Run, rows: list[dict], steps: int) -> tuple[list[float], list[float]]:
    model, watch = run.setup.base.model, _Stopwatch()
    settings = replace(
        run.settings, max_steps=steps, gradient_accumulation_steps=1, save_steps=None, report_to=[], warmup_steps=0
    )
    settings = replace(settings, batch_size=len(rows) // steps)
    with temporary_folder() as folder:
        objective = run.setup.objective
        trainer = _InOrder(objective, model, rows, [], settings, folder, [watch], eval_on_start=False, saves=False)
        trainer.train()
    vars(model).pop("_is_accelerate_prepared", None)
    return watch.steps, watch.optimizer


def evaluation_of(run: Run) -> Callable:
    """Return a function of rows that validates the model as training does."""
    model, settings = run.setup.base.model, run.settings

    def evaluate(rows: Sequence[dict]) -> dict:
        with autocast(settings.device, settings.precision):
            return run.setup.objective.evaluate(model, rows)

    return evaluate
