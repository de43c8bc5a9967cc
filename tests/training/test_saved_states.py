"""The state from which a run continues when some of it is cut, missing or of another run."""

import json
import shutil
from pathlib import Path

import pytest
from small_models import changed, random_model, weights_of
from training_runs import TEXTS, VALIDATION, interrupted, logged, rows_of, run_training

from utils.errors import UserError
from utils.training.state import resumable_trainer
from utils.training.state.saved_states import find_problem, newest_whole_checkpoint, seal

CHANGES = {"epochs": 4, "save_total_limit": 3, "learning_rate": 0.003}
FILES = ["optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", "model.safetensors", "checksums.json"]


def train(model, folder: Path, **changes):
    return run_training(model, rows_of(TEXTS), rows_of(VALIDATION), folder, **CHANGES | changes)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run without interruption: its model and its outcome."""
    model = random_model("gpt2", max_position_embeddings=80)
    return model, train(model, tmp_path_factory.mktemp("whole") / "state")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """The state of the same run, interrupted in its last epoch: checkpoints 6, 9 and 11."""
    state = tmp_path_factory.mktemp("stopped") / "state"
    with pytest.raises(KeyboardInterrupt):
        train(interrupted(random_model("gpt2", max_position_embeddings=80), 11), state)
    assert sorted(path.name for path in state.iterdir()) == ["checkpoint-11", "checkpoint-6", "checkpoint-9"]
    return state


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def same_size(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = {"cut": cut, "missing": Path.unlink, "empty": lambda path: path.write_bytes(b""), "changed": same_size}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_the_newest_whole_state_is_found(name, damage, stopped, tmp_path, caplog):
    state = tmp_path / "state"
    shutil.copytree(stopped, state)
    DAMAGES[damage](state / "checkpoint-11" / name)
    assert newest_whole_checkpoint(state) == state / "checkpoint-9"
    # One changed digit among the checksums accuses the file that it belongs to.
    accused = "" if (name, damage) == ("checksums.json", "changed") else name
    assert str(state / "checkpoint-11" / accused) in caplog.text
    assert not (state / "checkpoint-11").exists()


@pytest.mark.parametrize("damaged", [["11"], ["11", "9"], ["9"]], ids="-".join)
def test_a_run_resumed_from_a_whole_state_equals_an_uninterrupted_one(damaged, whole, stopped, tmp_path):
    state = tmp_path / "state"
    shutil.copytree(stopped, state)
    for step in damaged:
        cut(state / f"checkpoint-{step}" / "optimizer.pt")
    model = random_model("gpt2", max_position_embeddings=80)
    outcome = train(model, state, resume=True)
    assert changed(weights_of(whole[0]), weights_of(model)) == set()
    assert logged(outcome, "eval_loss") == logged(whole[1], "eval_loss")


def test_the_state_of_another_run_is_not_taken(stopped, tmp_path):
    state, other = tmp_path / "state", tmp_path / "other"
    shutil.copytree(stopped, state)
    with pytest.raises(KeyboardInterrupt):
        train(interrupted(random_model("gpt2", max_position_embeddings=80, seed=1), 11), other)
    for name in FILES[:-1]:
        shutil.copytree(stopped / "checkpoint-11", state / "checkpoint-11", dirs_exist_ok=True)
        if (other / "checkpoint-11" / name).read_bytes() == (state / "checkpoint-11" / name).read_bytes():
            continue  # the scheduler and the random numbers depend on the seed of the settings alone
        shutil.copy(other / "checkpoint-11" / name, state / "checkpoint-11" / name)
        assert name in find_problem(state / "checkpoint-11")


@pytest.mark.parametrize("name", FILES[:-1])
def test_without_a_whole_state_the_error_names_the_files(name, stopped, tmp_path):
    state = tmp_path / "state"
    shutil.copytree(stopped, state)
    for checkpoint in state.iterdir():
        cut(checkpoint / name)
    with pytest.raises(UserError) as raised:
        newest_whole_checkpoint(state)
    assert all(str(checkpoint / name) in str(raised.value) for checkpoint in state.iterdir())
    assert "--overwrite" in raised.value.hint
    assert len(list(state.iterdir())) == 3


@pytest.mark.parametrize("name", [*FILES[:-2], "model.safetensors"])
def test_a_state_of_an_earlier_version_has_no_checksums(name, stopped, tmp_path):
    state = tmp_path / "state"
    shutil.copytree(stopped, state)
    for checkpoint in state.iterdir():
        (checkpoint / "checksums.json").unlink()
        (checkpoint / "progress.json").unlink()
    assert newest_whole_checkpoint(state).name == "checkpoint-11"
    cut(state / "checkpoint-11" / name)
    assert newest_whole_checkpoint(state).name == "checkpoint-9"


def write_state(checkpoint: Path, best: int | None) -> None:
    checkpoint.mkdir(parents=True)
    step = int(checkpoint.name.partition("-")[2])
    (checkpoint / "trainer_state.json").write_text(json.dumps({"global_step": step, "best_global_step": best}))
    (checkpoint / "model.safetensors").write_bytes(b"weights")
    seal(checkpoint)


def test_the_state_of_the_best_evaluation_must_be_whole(tmp_path):
    for step, best in ((2, 2), (4, 2), (6, 2)):
        write_state(tmp_path / f"checkpoint-{step}", best)
    assert newest_whole_checkpoint(tmp_path).name == "checkpoint-6"
    cut(tmp_path / "checkpoint-2" / "model.safetensors")
    with pytest.raises(
        UserError, match=r"checkpoint-2/model\.safetensors has 3 bytes instead of 7, the best state until"
    ):
        newest_whole_checkpoint(tmp_path)


def test_a_best_state_may_be_gone_where_a_later_one_was_better(tmp_path):
    write_state(tmp_path / "checkpoint-4", 2)
    with pytest.raises(UserError, match=r"checkpoint-2/trainer_state\.json is missing"):
        newest_whole_checkpoint(tmp_path)
    write_state(tmp_path / "checkpoint-6", 6)
    cut(tmp_path / "checkpoint-6" / "model.safetensors")
    assert newest_whole_checkpoint(tmp_path).name == "checkpoint-4"


def test_older_states_stay_until_the_new_one_is_written(tmp_path, monkeypatch):
    seen = []

    def record(checkpoint):
        seen.append(sorted(path.name for path in tmp_path.iterdir()))
        seal(checkpoint)

    monkeypatch.setattr(resumable_trainer, "seal", record)
    train(random_model("gpt2", max_position_embeddings=80), tmp_path, save_total_limit=1)
    assert seen[1] == ["checkpoint-3", "checkpoint-6"]
    assert seen[2] == ["checkpoint-6", "checkpoint-9"]


class Killed(BaseException):
    """Stands for SIGKILL: nobody catches it, and what is on the disk stays as it is."""


@pytest.mark.parametrize("point", ["_save_optimizer_and_scheduler", "_save_scaler", "_save_rng_state", "seal"])
def test_a_run_that_is_killed_while_it_saves_continues(point, whole, tmp_path, monkeypatch):
    owner, calls = resumable_trainer if point == "seal" else resumable_trainer.ResumableTrainer, []
    run = getattr(owner, point)

    def die(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise Killed
        return run(*arguments)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(owner, point, die)
        train(random_model("gpt2", max_position_embeddings=80), tmp_path)
    assert (tmp_path / "checkpoint-9").is_dir()
    assert newest_whole_checkpoint(tmp_path).name == "checkpoint-6"
    model = random_model("gpt2", max_position_embeddings=80)
    outcome = train(model, tmp_path, resume=True)
    assert changed(weights_of(whole[0]), weights_of(model)) == set()
    assert logged(outcome, "eval_loss") == logged(whole[1], "eval_loss")


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "model.safetensors"])
def test_a_state_of_an_earlier_version_without_a_file_is_left_out(name, stopped, tmp_path):
    """transformers would continue without it, to other weights."""
    state = tmp_path / "state"
    shutil.copytree(stopped, state)
    for checkpoint in state.iterdir():
        (checkpoint / "checksums.json").unlink()
        (checkpoint / "progress.json").unlink()
    (state / "checkpoint-11" / name).unlink()
    assert newest_whole_checkpoint(state).name == "checkpoint-9"
