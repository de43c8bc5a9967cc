"""Reporters are checked before any work, and none of them ends a run."""

import io
import sys
from types import SimpleNamespace

import pytest
from running import user_error
from small_models import random_model
from training_runs import TEXTS, VALIDATION, rows_of, run_training

from utils.training import reporters
from utils.training.reporters import check_reporters, log_report

LOGIN = "machine api.wandb.ai\n  login user\n  password 0123\n"


@pytest.fixture
def wandb(tmp_path, monkeypatch):
    """A package of that name, and nobody logged in."""
    (tmp_path / "packages" / "wandb").mkdir(parents=True)
    (tmp_path / "packages" / "wandb" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    for name in ("MODE", "API_KEY", "BASE_URL", "DISABLED", "DIR", "IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(f"WANDB_{name}", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("wandb", None)


@pytest.mark.usefixtures("wandb")
@pytest.mark.parametrize("mode", [None, "online"])
def test_wandb_without_a_login_is_refused_with_three_ways_on(mode, monkeypatch):
    if mode:
        monkeypatch.setenv("WANDB_MODE", mode)
    error = user_error(check_reporters, ["wandb"])
    assert error.exit_code == 2
    assert all(way in error.hint for way in ("wandb login", "WANDB_MODE=offline", "leave out --report_to wandb"))


@pytest.mark.usefixtures("wandb")
@pytest.mark.parametrize(
    ("name", "value"), [("MODE", "offline"), ("MODE", "disabled"), ("API_KEY", "0123"), ("DISABLED", "true")]
)
def test_wandb_that_needs_no_login_or_has_a_key_is_accepted(name, value, monkeypatch):
    monkeypatch.setenv(f"WANDB_{name}", value)
    check_reporters(["wandb"])


@pytest.mark.usefixtures("wandb")
def test_a_login_for_another_server_does_not_count(tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text(LOGIN)
    check_reporters(["wandb"])
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.com")
    assert "nobody is logged in" in user_error(check_reporters, ["wandb"]).problem


@pytest.mark.usefixtures("wandb")
def test_the_offline_mode_of_wandb_is_accepted(tmp_path):
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "settings").write_text("[default]\nmode = offline\n")
    check_reporters(["wandb"])


class Failing:
    """A reporter that raises at one of its events."""

    def __init__(self, event: str):
        self.event, self.events = event, []

    def __getattr__(self, event):
        def call(*args, **kwargs):
            self.events.append(event)
            if event == self.event:
                raise ConnectionError("the server is gone\nand more")

        return call


@pytest.mark.parametrize("event", ["on_train_begin", "on_log", "on_save", "on_train_end"])
def test_a_reporter_that_raises_does_not_end_the_run(event, tmp_path, monkeypatch, caplog):
    reporter = Failing(event)
    monkeypatch.setattr(reporters, "_tensorboard_callback", lambda path: reporter)
    rows = rows_of(TEXTS), rows_of(VALIDATION)
    outcome = run_training(random_model("llama"), *rows, tmp_path, report_to=["tensorboard"])
    assert outcome.steps == 3
    assert reporter.events[-1] == event
    [warning] = [record.getMessage() for record in caplog.records if "continues without it" in record.getMessage()]
    assert warning.endswith("tensorboard failed, and the run continues without it: the server is gone")


@pytest.mark.usefixtures("wandb")
def test_a_package_that_cannot_be_opened_does_not_end_the_run(tmp_path, caplog):
    rows = rows_of(TEXTS), []
    outcome = run_training(random_model("llama"), *rows, tmp_path, report_to=["wandb"])
    assert outcome.steps == 3
    assert "wandb failed, and the run continues without it" in caplog.text


def test_tensorboard_without_a_folder_is_one_warning(tmp_path, caplog):
    (tmp_path / "mine.tensorboard").write_text("a file, where a folder has to be")
    rows = rows_of(TEXTS), rows_of(VALIDATION)
    outcome = run_training(
        random_model("llama"), *rows, tmp_path / "state", report_to=["tensorboard"], output_path=tmp_path / "mine.pt"
    )
    assert outcome.steps == 3
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("warning: tensorboard failed, and the run continues without it: ")
    assert "mine.tensorboard" in warning


class FailingRun:
    """A run of W&B that cannot store anything."""

    id = "1a2b"

    def log_artifact(self, artifact):
        raise OSError("the disk is full")


def test_an_artifact_that_cannot_be_stored_is_one_warning(monkeypatch, caplog):
    artifact = SimpleNamespace(new_file=lambda name, encoding: io.StringIO())
    module = SimpleNamespace(run=FailingRun(), Artifact=lambda name, type: artifact)
    monkeypatch.setitem(sys.modules, "wandb", module)
    log_report(["tensorboard"], {}, {}, [], None)
    assert caplog.messages == []
    log_report(["wandb"], {}, {}, [], None)
    assert caplog.messages == ["warning: wandb failed, and the run continues without it: the disk is full"]
