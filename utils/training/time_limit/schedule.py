"""Learning rates by the clock: warmup and decay follow the share of the time that is used, not a number of steps."""

from argparse import Namespace
from collections.abc import Callable

import torch
from transformers import TrainingArguments, get_scheduler

from utils.training.time_limit.limit import TimeLimit

TICKS = 10_000  # the "steps" of the scheduler of transformers that gives the shape


def advance(progress: float, seconds: float, seconds_left: float, steps_left: float) -> float:
    """Return the progress (0 to 1) after a step that took `seconds`, where it was `progress` before.

    `seconds_left` and `steps_left` are those of the training when the step began, this one included. Of T steps that
    fill the time, each adds 1/T, and of N steps that the time suffices for, 1/N: the progress is 1 when the first of
    the two is over. What takes time between steps (an evaluation) leaves it as it is, and the rest goes faster: it
    never jumps, and never goes back.
    """
    share = 1 / steps_left
    if seconds > 0:
        share = max(share, seconds / seconds_left if seconds < seconds_left else 1.0)
    return progress + (1 - progress) * min(share, 1.0)


class ClockSchedule:
    """A learning rate scheduler with Trainer's interface; a step's rate is that of the progress in its middle."""

    def __init__(self, optimizer: torch.optim.Optimizer, shape: Callable[[float], float], limit: TimeLimit):
        self.optimizer = optimizer
        self.shape = shape  # progress → share of the highest rate
        self.limit = limit
        self.highest = [group["lr"] for group in optimizer.param_groups]
        self.progress = 0.0
        self.steps_left = self.began = self.seconds_left = 0.0

    def begin_step(self, steps_left: float) -> None:
        self.steps_left, self.began, self.seconds_left = steps_left, self.limit.used(), self.limit.left()

    def set_rate(self) -> None:
        """Set the rate of the step at hand, when it has computed its gradients and only the update is left."""
        end = advance(self.progress, self.limit.used() - self.began, self.seconds_left, self.steps_left)
        middle = (self.progress + end) / 2
        for group, highest in zip(self.optimizer.param_groups, self.highest, strict=True):
            group["lr"] = highest * self.shape(middle)

    def end_step(self) -> float:
        """Count the step; return the seconds that it took."""
        seconds = self.limit.used() - self.began
        self.progress = advance(self.progress, seconds, self.seconds_left, self.steps_left)
        return seconds

    def step(self) -> None:
        """Do nothing: Trainer calls this after the optimizer's step."""

    def get_last_lr(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, float]:
        return {"progress": self.progress}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.progress = state["progress"]


def clock_schedule(optimizer: torch.optim.Optimizer, args: TrainingArguments | Namespace, limit: TimeLimit):
    """Return the schedule of the shape that `args` name, with a warmup of a share of the time, below 1."""
    highest = [group["lr"] for group in optimizer.param_groups]
    scheduler = get_scheduler(args.lr_scheduler_type, optimizer, round(args.warmup_steps * TICKS), TICKS)
    for group, rate in zip(optimizer.param_groups, highest, strict=True):
        group["lr"] = rate
    return ClockSchedule(optimizer, lambda progress: scheduler.lr_lambdas[0](progress * TICKS), limit)
