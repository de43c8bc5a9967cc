"""The time of a whole command: used so far, available for training, and reserved for the end."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy

from utils import distributed
from utils.argument_types import as_duration
from utils.errors import UserError

ENDING = 1.5  # seconds, in which a process with a model of 135 million parameters ends
SPARE = 0.01  # of the limit
LAST_STATE = 1 / 3  # of another one's size: the trained weights without AdamW's two moments
LEAST_MEASURED = 0.2  # of the model's size: the time of writing less says little about that of the model


@dataclass
class TimeLimit:
    """The time that a command may take, in seconds. `clock` returns those since it began, the same in all processes.

    The last part is for the end: `evaluation` and `state` are what an evaluation and a state take that is saved before
    the last step, and `saving` what the model takes after them, with `evaluations_after` more evaluations. They are
    estimates until they are measured; then each is the longest yet.
    """

    seconds: float
    clock: Callable[[], float]
    used_before: float = 0.0  # by earlier processes of an interrupted run
    evaluation: float = 0.0
    uncached: float = 0.0  # seconds of an evaluation without a prefix cache, as after training
    state: float = 0.0
    saving: float = 0.0
    evaluations_after: int = 0
    model_bytes: int = 0
    state_bytes: int = 0
    spare: float = 0.0  # for unmeasured work: the end of the process, above all
    runs_left: int = 1  # of a model soup, with the one at hand
    run_began: float = 0.0  # when the run at hand did, as `used` counts
    evaluates: bool = True
    evaluated: bool = False  # whether an evaluation is measured
    epochs: float = math.inf  # about how many there is time for
    now: float = 0.0  # the last result of `used`: a new one takes all processes
    ended: bool = False  # whether it was the time that ended the training

    def used(self) -> float:
        """Return the seconds that the command has taken until now, with those before an interruption."""
        self.now = self.used_before + self.clock()
        return self.now

    def begin_run(self, progress: dict | None) -> None:
        """Begin a training, or continue one whose saved state has this progress.json."""
        saved = (progress or {}).get("time", {})
        self.run_began, self.ended = saved.get("run_began", self.used()), saved.get("ended", False)

    def state_dict(self) -> dict:
        """Return what a saved state keeps."""
        return {"used": self.used(), "run_began": self.run_began, "ended": self.ended}

    def record(self, steps: int, ended_by: str) -> dict:
        """Return what run.json says; the seconds used are those until it is written."""
        return {"seconds": self.seconds, "used": round(self.used(), 1), "steps": steps, "ended_by": ended_by}

    def left(self) -> float:
        """Return the seconds that are left in which to train; below 0 where the end has to begin."""
        run_end = self.run_began + (self.seconds - self._after_runs() - self.run_began) / self.runs_left
        return run_end - self._end_of_run() - self.used()

    def check(self, doing: str, upcoming: float = 0.0) -> None:
        """Raise UserError where nothing is left for training after `upcoming` seconds; `doing` names what took time."""
        if self.left() > upcoming:
            return
        used, end = self.used(), upcoming + self.runs_left * self._end_of_run() + self._after_runs()
        raise UserError(
            f"--time_limit {as_duration(self.seconds)} is too short: {doing} took {used:.0f} seconds, and evaluation "
            f"and saving will take about {math.ceil(end)}",
            f"give {as_duration(math.ceil(1.1 * (used + end) / 10) * 10)} at least, and more for the training itself",
        )

    def _end_of_run(self) -> float:
        """Return the seconds of the evaluation and the saved state with which a training ends."""
        return LAST_STATE * self.state + self.evaluates * self.evaluation

    def _after_runs(self) -> float:
        """Return the seconds that come after the last training."""
        return self.spare + self.saving + self.evaluations_after * max(self.evaluation, self.uncached)

    def measuring_evaluation(self, evaluate: Callable) -> Callable:
        """Return the function, which also measures what an evaluation takes."""

        def measured(*arguments, **options):
            began = self.used()
            result = evaluate(*arguments, **options)
            seconds = self.used() - began
            self.evaluation = max(self.evaluation, seconds) if self.evaluated else seconds
            self.evaluated = True
            return result

        return measured

    def measuring_state(self, save: Callable, is_last: Callable[[], bool]) -> Callable:
        """Return the function, which also measures what saving a state takes, and so what saving the model will."""
        measured_before = False

        def measured(*arguments, **options):
            nonlocal measured_before
            began = self.used()
            save(*arguments, **options)
            share = LAST_STATE if is_last() else 1.0
            seconds = (self.used() - began) / share
            self.state = max(self.state, seconds) if measured_before else seconds
            if share * self.state_bytes >= LEAST_MEASURED * self.model_bytes:
                self.saving = saving_seconds(self.state, self.model_bytes, self.state_bytes)
            measured_before = True

        return measured


def begin_limit(seconds: float | None, began: float) -> TimeLimit | None:
    """Return the limit of a command that began when `time.monotonic()` was `began`; None where there is none."""
    if seconds is None:
        return None

    def clock() -> float:
        own = time.monotonic() - began if distributed.is_main_process() else 0.0
        return float(distributed.sum_over_processes(numpy.array([own]))[0])

    return TimeLimit(seconds, clock, spare=ENDING + SPARE * seconds)


def saving_seconds(state: float, model_bytes: int, state_bytes: int) -> float:
    """Return what writing the model, loading it and comparing it will take, where a saved state took `state` seconds.

    Per byte, it took 1.5 times as long as a state, which is written, read once for its checksum and synchronized.
    """
    return 1.5 * state * model_bytes / max(state_bytes, 1)
