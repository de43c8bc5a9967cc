"""The time of a whole run, from given seconds, against sums by hand."""

from dataclasses import replace

import pytest
from training_runs import SETTINGS

from utils.training.forecast.durations import Measured, add_up
from utils.training.forecast.schedule import Schedule

MEASURED = Measured(
    preparation=10, probe=0, filling=5, first_step=2, steps=100, spread=0.1,
    evaluation=6, first_samples=0.5, samples=1, state=3, last_state=2, end=8,
)  # fmt: skip
SCHEDULE = Schedule(20, 10, validated=(10, 20), saved=(10, 20), epochs=())


def added(*, schedule=SCHEDULE, validates=True, trials=0, **changes):
    settings = replace(SETTINGS, **{"early_stopping_patience": 0, "eval_on_start": None, **changes})
    return add_up(MEASURED, schedule, settings, validates=validates, trials=trials)


def test_all_parts_add_up():
    found = added()
    assert found.parts == {
        "start": 10, "prefix cache": 5, "training": 102, "validation": 2 * (6 + 1) + 6.5, "saving": 3 + 2 + 8,
    }  # fmt: skip
    assert found.total == 150.5
    assert found.total_range == pytest.approx((150.5 * 0.8, 150.5 * 1.2))
    assert (found.steps, found.first_evaluation) == (20, 10 + 5 + 6)
    assert found.notes == ()


def test_without_an_evaluation_at_the_start_the_first_one_comes_after_its_steps():
    found = added(eval_on_start="off")
    assert found.first_evaluation == 10 + 5 + 102 / 2 + 6
    assert found.parts["validation"] == 2 * (6 + 1)


def test_without_validation_there_is_no_first_evaluation():
    found = added(schedule=Schedule(20, 10, validated=(), saved=(10, 20), epochs=()), validates=False)
    assert (found.total, found.first_evaluation, found.first_evaluation_range) == (130, None, None)
    assert found.notes == ("nothing is validated, and the last weights are kept",)


def test_patience_may_end_it_early():
    found = added(schedule=Schedule(40, 10, (10, 20, 30, 40), (10, 20, 30, 40), ()), early_stopping_patience=1)
    training, validation, saving = 102, 4 * 7 + 6.5, 3 * 3 + 2
    assert found.total == 15 + training + validation + saving + 8
    assert found.total_range[0] == pytest.approx(0.8 * (found.total - (training + validation + saving) / 2))


def test_with_a_time_limit_the_steps_are_those_there_is_time_for():
    found = added(time_limit=101.0)
    assert (found.total, found.total_range) == (101, pytest.approx((95.95, 106.05)))
    assert found.steps == 10
    assert "there is time for" in found.notes[0]


def test_the_runs_of_a_soup_share_the_start_and_the_end():
    found = added(model_soup=3)
    assert found.total == 10 + 5 + 3 * (102 + 20.5 + 5) + 8
    assert found.steps == 60


def test_the_trials_of_a_search_come_before_the_run():
    found = added(trials=4)
    assert found.parts["search"] == 4 * 1.25 * (102 + 12)  # without samples
    assert found.total == 150.5 + found.parts["search"]
    assert found.total_range[1] == pytest.approx(found.total * 1.5)


def test_folds_show_no_samples():
    found = added(folds=5)
    assert found.parts["folds"] == pytest.approx(5 * (2 + 100 * 4 / 5 + 3 * 6 + 5))
