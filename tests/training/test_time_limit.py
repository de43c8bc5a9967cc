"""--time_limit: rates by the clock, the end in time, the rest after an interruption, and the record in run.json.

No test waits: the clock is an argument, and here the model's forward passes move it.
"""

import json
from argparse import Namespace
from itertools import pairwise

import pytest
import torch
from running import assert_one_error, run_script
from small_models import processed_data, random_model
from training_runs import TEXTS, VALIDATION, interrupted, logged, rows_of, run_training

import fine_tune
from utils.errors import UserError
from utils.processed import save_processed
from utils.training.repeat import settings_of_run
from utils.training.state.seconds_used import seconds_used
from utils.training.steps import prepared
from utils.training.time_limit.limit import TimeLimit
from utils.training.time_limit.schedule import advance, clock_schedule
from utils.training.time_limit.trials import trial_limit

NO_END = 10**6


class Clock:
    """Seconds since the beginning, which only move where somebody moves them."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def timed(model, clock, *, step=1.0, evaluation=0.0):
    """Make the model's forward passes take so many seconds of the clock, and return it."""

    def move(module, inputs):
        clock.now += step if torch.is_grad_enabled() else evaluation

    model.register_forward_pre_hook(move)
    return model


def rates(seconds_of_steps, limit_seconds, *, kind="linear", warmup=0.0, steps=NO_END, pause_before=None):
    """Return the share of the highest rate at each step, by a schedule whose steps take so long."""
    clock = Clock()
    limit = TimeLimit(limit_seconds, clock, evaluates=False)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = clock_schedule(optimizer, Namespace(lr_scheduler_type=kind, warmup_steps=warmup), limit)
    found = []
    for number, seconds in enumerate(seconds_of_steps):
        clock.now += (pause_before or {}).get(number, 0.0)
        schedule.begin_step(steps - number)
        clock.now += seconds
        schedule.set_rate()
        schedule.step()
        found.append(schedule.get_last_lr()[0] / 2.0)
        schedule.end_step()
    return found


# ---- the schedule


def test_steps_that_fill_the_time_have_the_rates_of_their_middles():
    assert rates([2, 1, 1, 4, 2], 10) == pytest.approx([0.9, 0.75, 0.65, 0.4, 0.1])
    assert rates([1] * 4, 4, kind="constant") == [1.0] * 4


def test_the_warmup_is_a_share_of_the_time():
    assert rates([1] * 10, 10, warmup=0.2) == pytest.approx([0.25, 0.75, *(1 - (x - 0.2) / 0.8 for x in MIDDLES[2:])])
    assert rates([5, 5], 10, warmup=0.06) == pytest.approx([0.75 / 0.94, 0.25 / 0.94])  # no step that trains nothing


MIDDLES = [(number + 0.5) / 10 for number in range(10)]


def test_the_first_end_counts_of_steps_and_time():
    by_steps = [(number + 0.5) / 4 for number in range(4)]
    assert rates([1] * 4, 100, steps=4) == pytest.approx([1 - middle for middle in by_steps])
    assert rates([1] * 4, 4, steps=100) == pytest.approx([1 - middle for middle in by_steps])
    mixed = rates([1, 1, 1, 3, 3, 3], 12, steps=6)  # by steps until the last ones, which are slower than thought
    assert all(later < earlier for earlier, later in pairwise(mixed))
    assert mixed[:3] == pytest.approx([11 / 12, 9 / 12, 7 / 12])
    assert mixed[-1] == pytest.approx(mixed[-2] / 3)


def test_an_evaluation_between_steps_makes_no_jump_and_the_rest_goes_faster():
    found = rates([1] * 8, 10, pause_before={4: 2.0})
    assert found == pytest.approx([0.95, 0.85, 0.75, 0.65, 0.525, 0.375, 0.225, 0.075])


def test_the_progress_never_passes_its_end():
    assert advance(0.5, 3.0, 2.0, 100) == 1.0
    assert advance(1.0, 3.0, -2.0, 100) == 1.0
    assert advance(0.5, 1.0, 10.0, 1) == 1.0


# ---- the training


def test_a_training_ends_with_its_time_and_its_last_evaluation(tmp_path):
    """12 texts in batches of 4 are 3 steps per epoch; an evaluation takes no time of this clock."""
    clock = Clock()
    limit = TimeLimit(20.0, clock, spare=0.2)
    model = timed(random_model("gpt2"), clock)
    rows = rows_of(TEXTS), rows_of(VALIDATION)
    outcome = run_training(model, *rows, tmp_path, epochs=None, time_limit=limit)
    assert outcome.ended_by == "time"
    assert outcome.steps == 20  # of 19.8 seconds
    assert [entry["step"] for entry in outcome.history if "eval_loss" in entry] == [0, 3, 6, 9, 12, 15, 18, 20]
    expected = [0.01 * max(0, 1 - (step + 0.5) / 19.8) for step in range(19)]
    assert logged(outcome, "learning_rate")[:19] == pytest.approx(expected)
    assert limit.record(outcome.steps, outcome.ended_by) == {
        "seconds": 20.0,
        "used": 20.0,
        "steps": 20,
        "ended_by": "time",
    }


def test_the_end_is_reserved_for_evaluating_and_saving(tmp_path):
    clock = Clock()
    limit = TimeLimit(100.0, clock, spare=1.0, saving=7.0, evaluations_after=1)
    model = timed(random_model("gpt2"), clock, evaluation=0.01)
    rows = rows_of(TEXTS), rows_of(VALIDATION)
    outcome = run_training(model, *rows, tmp_path, epochs=None, save_steps=10**6, time_limit=limit)
    assert [entry["step"] for entry in outcome.history if "eval_loss" in entry] == [0, outcome.steps]
    assert (evaluation := limit.evaluation) > 1  # with its samples
    # Saving a state took no time of this clock, and so neither will saving the model, by what is measured then.
    assert outcome.steps == pytest.approx(99 - 7 - 3 * evaluation, abs=0.6)


def test_a_measured_evaluation_replaces_the_estimate_but_for_those_without_a_prefix_cache():
    clock = Clock()
    limit = TimeLimit(100.0, clock, evaluation=20.0, uncached=20.0, evaluations_after=1)

    def evaluate(seconds):
        clock.now += seconds

    measured = limit.measuring_evaluation(evaluate)
    assert limit.left() == 100 - 20 - 20
    measured(5.0)
    assert limit.left() == 95 - 5 - 20
    measured(3.0)
    assert limit.left() == 92 - 5 - 20
    measured(25.0)
    assert limit.left() == 67 - 25 - 25


def test_evaluations_that_cost_too_much_of_the_time_are_left_out(tmp_path):
    clock = Clock()
    model = timed(random_model("gpt2"), clock, evaluation=0.02)
    rows = rows_of(TEXTS), rows_of(VALIDATION)
    outcome = run_training(model, *rows, tmp_path, epochs=None, time_limit=(limit := TimeLimit(200.0, clock)))
    steps = [entry["step"] for entry in outcome.history if "eval_loss" in entry]
    apart = {later - earlier for earlier, later in pairwise(steps[:-1])}
    assert min(apart) >= 2.9 * limit.evaluation > 6
    assert {step % 3 for step in steps[:-1]} == {0}  # at the end of an epoch
    assert steps[-1] == outcome.steps


def test_steps_may_end_before_the_time(tmp_path):
    clock = Clock()
    model = timed(random_model("gpt2"), clock)
    limit = TimeLimit(100.0, clock)
    outcome = run_training(model, rows_of(TEXTS), [], tmp_path, epochs=2, time_limit=limit)
    assert (outcome.steps, outcome.ended_by) == (6, "epochs")
    assert logged(outcome, "learning_rate") == pytest.approx([0.01 * (1 - (step + 0.5) / 6) for step in range(6)])


def test_patience_may_end_before_the_time(tmp_path):
    clock = Clock()
    changes = {"epochs": None, "early_stopping_patience": 1, "learning_rate": 1e-12}
    model = timed(random_model("gpt2"), clock)
    rows = rows_of(TEXTS), rows_of(VALIDATION)
    outcome = run_training(model, *rows, tmp_path, time_limit=TimeLimit(100.0, clock), **changes)
    assert outcome.ended_by == "early stopping"


def test_a_limit_that_is_too_short_is_refused_before_training(tmp_path):
    clock = Clock()
    clock.now = 30.0
    model = timed(random_model("gpt2"), clock, evaluation=0.01)
    limit = TimeLimit(40.0, clock, saving=20.0)
    with pytest.raises(UserError, match="--time_limit 40s is too short: loading and the first evaluation") as raised:
        run_training(model, rows_of(TEXTS), rows_of(VALIDATION), tmp_path, epochs=None, time_limit=limit)
    assert "give 1m" in raised.value.hint
    with pytest.raises(UserError, match="too short: loading took 30 seconds"):
        TimeLimit(60.0, Clock(), used_before=30.0).check("loading", upcoming=30.0)


def test_a_resumed_run_has_the_time_that_is_left(tmp_path):
    """The steps are those of an uninterrupted run, and the rates never rise."""
    rows = rows_of(TEXTS), rows_of(VALIDATION)
    clock = Clock()
    expected = run_training(
        timed(random_model("gpt2"), clock), *rows, tmp_path / "whole", epochs=None, time_limit=TimeLimit(20.0, clock)
    )
    folder, clock = tmp_path / "state", Clock()
    with pytest.raises(KeyboardInterrupt):
        model = interrupted(timed(random_model("gpt2"), clock), 8)
        run_training(model, *rows, folder, epochs=None, time_limit=TimeLimit(20.0, clock))
    assert seconds_used(folder) == 8.0
    clock = Clock()
    clock.now = 2.0  # starting again takes time, too
    limit = TimeLimit(20.0, clock, used_before=seconds_used(folder))
    resumed = run_training(
        timed(random_model("gpt2"), clock), *rows, folder, resume=True, epochs=None, time_limit=limit
    )
    assert resumed.steps == expected.steps - 2
    assert limit.used() == 20.0
    found = logged(resumed, "learning_rate")
    assert found[:8] == logged(expected, "learning_rate")[:8]
    assert all(later < earlier for earlier, later in pairwise(found[:-1]))
    assert found[8] == pytest.approx(found[7] - 0.01 / 19.8 / 2 - found[7] / 9.8 / 2, rel=0.05)


def test_a_run_that_continues_after_its_time_ends_with_a_model(tmp_path):
    rows, clock = (rows_of(TEXTS), rows_of(VALIDATION)), Clock()
    with pytest.raises(KeyboardInterrupt):
        model = interrupted(timed(random_model("gpt2"), clock), 8)
        run_training(model, *rows, tmp_path, epochs=None, time_limit=TimeLimit(20.0, clock))
    limit = TimeLimit(20.0, Clock(), used_before=30.0)
    outcome = run_training(random_model("gpt2"), *rows, tmp_path, resume=True, epochs=None, time_limit=limit)
    assert (outcome.steps, outcome.ended_by) == (9, "time")
    assert outcome.after is not None


def test_the_runs_of_a_soup_share_the_time(tmp_path):
    clock = Clock()
    limit = TimeLimit(41.0, clock, runs_left=2)
    ends = []
    for runs_left in (2, 1):
        limit.runs_left = runs_left
        model = timed(random_model("gpt2"), clock)
        outcome = run_training(model, rows_of(TEXTS), [], tmp_path, epochs=None, time_limit=limit)
        ends.append((outcome.steps, clock.now))
    assert ends == [(20, 20.0), (21, 41.0)] or ends == [(21, 21.0), (20, 41.0)]


def test_trials_leave_the_time_that_the_best_one_took():
    clock = Clock()
    clock.now = 10.0
    limit = TimeLimit(110.0, clock, saving=9.0, evaluation=1.0)
    first = trial_limit(limit, None, [])
    assert first.left() == pytest.approx(44.5)  # half of 110 - 10 - 9, without two evaluations
    clock.now = 40.0
    assert trial_limit(limit, 20.0, [20.0]).left() == pytest.approx(59 - 20)
    assert first.left() == pytest.approx(14.5)
    clock.now = 70.0
    assert trial_limit(limit, 20.0, [20.0]) is None  # 9 seconds would be less than half a trial
    assert trial_limit(limit, 10.0, [20.0, 10.0]).left() == pytest.approx(19)


# ---- the script


@pytest.fixture
def ticking(monkeypatch):
    """Give fine_tune.py a clock that moves by a tenth of a second, or by its `tick`, whenever it is read."""
    clock = Clock()
    clock.tick = 0.1

    def tick():
        clock.now += clock.tick
        return clock.now

    monkeypatch.setattr(prepared, "begin_limit", lambda seconds, began: seconds and TimeLimit(seconds, tick))
    return clock


def call(folder, *words):
    save_processed(folder / "data.pkl", processed_data(train=TEXTS, validation=VALIDATION))
    given = ("--data", folder / "data.pkl", "--output_path", folder / "model", "--batch_size", 4, *words)
    return run_script(fine_tune.main, *map(str, given))


def test_the_script_records_the_limit(tmp_path, ticking, capsys):
    assert call(tmp_path, "--time_limit", "30s", "--early_stopping_patience", 0) == 0
    run = json.loads((tmp_path / "model" / "run.json").read_text(encoding="utf-8"))
    recorded = run["time_limit"]
    assert (recorded["seconds"], recorded["ended_by"]) == (30.0, "time")
    assert recorded["steps"] == run["results"]["steps"] > 10
    assert 27 < recorded["used"] < 31
    assert (run["arguments"]["time_limit"], run["arguments"]["epochs"]) == (30.0, None)
    assert " s left" in (err := capsys.readouterr().err)
    assert "/1000000" not in err


def test_trials_go_on_until_the_time_is_over(tmp_path, ticking, capsys):
    ticking.tick = 0.5  # a few trials, of a few steps each
    assert call(tmp_path, "--time_limit", "100s", "--search", 1000, "--epochs", 2, "--lr", 1e-3) == 0
    run = json.loads((tmp_path / "model" / "run.json").read_text(encoding="utf-8"))
    assert 2 < run["search"]["trials"] < 100
    assert 80 < run["time_limit"]["used"] < 102
    assert "the best of " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--time_limit", "soon"], "argument --time_limit: 'soon' is not a duration"),
        (["--time_limit", "1m", "--warmup_steps", 5], "--warmup_steps 5 is a number of steps"),
        (["--time_limit", "1s"], "--time_limit 1s is too short: loading"),
    ],
)
def test_limits_that_are_refused(tmp_path, ticking, capsys, words, problem):
    assert call(tmp_path, *words) in (1, 2)
    assert_one_error(capsys.readouterr().err, problem)
    assert {path.name for path in tmp_path.iterdir()} == {"data.pkl"}


# ---- what is recorded


def test_a_run_is_repeated_by_its_steps(caplog, tmp_path):
    data = tmp_path / "data.pkl"
    run = {
        "arguments": {"time_limit": 60.0, "epochs": None, "model_soup": 2, "data_path": str(data)},
        "time_limit": {"seconds": 60.0, "used": 58.0, "steps": 14, "ended_by": "time"},
    }
    repeated = settings_of_run(tmp_path / "run.json", json.loads(json.dumps(run)), {"output_path"})
    assert (repeated["max_steps"], repeated["time_limit"]) == (7, None)
    assert "7 steps are repeated" in caplog.text
    again = settings_of_run(tmp_path / "run.json", run, {"output_path", "time_limit"})
    assert "max_steps" not in again
