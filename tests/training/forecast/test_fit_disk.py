"""The forecast of disk space equals the files' sizes, and a run that cannot fit is refused with a setting that fits."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from planned_runs import planned_run
from training_runs import run_training

from utils.errors import UserError
from utils.training.forecast.fit_disk import check_disk, disk_of
from utils.training.forecast.planned import frozen_as

LARGE = {"hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4}
pytestmark = pytest.mark.usefixtures("_no_progress_bars")


@pytest.mark.parametrize("unfreeze_last", [None, 1])
def test_states_and_model_are_as_large_as_their_files(tmp_path, unfreeze_last):
    changes = {"max_steps": 2, "save_steps": 1}
    run = planned_run(unfreeze_last=unfreeze_last, model=LARGE, **changes)
    need = disk_of(run, 0)
    model = run.setup.base.model
    run_training(model, run.rows, run.validation, tmp_path / "state", **changes)
    first, last = (
        sum(path.stat().st_size for path in (tmp_path / "state" / f"checkpoint-{step}").iterdir()) for step in (1, 2)
    )
    assert need.state == pytest.approx(first, rel=0.03)
    assert need.last_state == pytest.approx(last, rel=0.03)
    assert need.states == need.state + need.last_state
    model.save_pretrained(tmp_path / "model")
    assert need.model - 4e6 == pytest.approx((tmp_path / "model" / "model.safetensors").stat().st_size, rel=0.01)


def test_more_states_are_there_at_once_than_are_kept():
    run = planned_run(epochs=5)
    assert disk_of(run, 0).number == 3  # a new one is written before an old one goes
    assert disk_of(planned_run(epochs=1), 0).number == 1
    assert disk_of(planned_run(epochs=5, save_total_limit=9), 0).number == 5
    assert disk_of(run, 1000).peak == disk_of(run, 0).peak + 1000


@pytest.mark.parametrize("share", [0.9, 0.6, 0.4])
def test_the_advised_setting_is_accepted(share):
    run = planned_run(model=LARGE, epochs=6, save_total_limit=5)
    free = int(disk_of(run, 0).peak * share)
    with pytest.raises(UserError, match="are free in") as caught:
        check_disk(run, 0, lambda path: (1, free))
    words = caught.value.hint.replace(",", "").split()
    values = dict(itertools.pairwise(words))
    settings = replace(run.settings, save_total_limit=int(values["--save_total_limit"]))
    if "--output_path" in values:
        settings = replace(settings, output_path=Path(values["--output_path"]))
    changed = replace(run, settings=settings, unfreeze_last=int(values.get("--unfreeze_last", 0)) or None)
    with frozen_as(run, changed.unfreeze_last):
        check_disk(changed, 0, lambda path: (1, free))


def test_a_cache_that_does_not_fit_is_left_out():
    run = planned_run(unfreeze_last=1, epochs=2)
    with pytest.raises(UserError) as caught:
        check_disk(run, 10**9, lambda path: (1, 10**8))
    assert caught.value.hint.startswith("use --prefix_cache off")


def test_the_model_may_be_on_another_disk(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "model").symlink_to(tmp_path / "elsewhere" / "model")
    run = planned_run()
    run = replace(run, settings=replace(run.settings, output_path=tmp_path / "model"))
    free = {tmp_path: (1, 10**12), tmp_path / "elsewhere": (2, 1000)}
    with pytest.raises(UserError, match="elsewhere"):
        check_disk(run, 0, free.get)
