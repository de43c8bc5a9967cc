"""Interruptions end a script in one line, and the printed command is the typed one, except for its flags."""

import contextlib
import shlex
import signal
import sys
from pathlib import Path

import pytest

from utils import interrupts
from utils.errors import UserError
from utils.interrupts import typed_command
from utils.process import run

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("typed", "add", "remove", "expected"),
    [
        (["--data", "x.pkl"], [], [], "--data x.pkl"),
        (["--data", "x.pkl"], ["--resume"], [], "--data x.pkl --resume"),
        (["--resume", "--data", "x.pkl"], ["--resume"], [], "--data x.pkl --resume"),
        (["--resume", "False", "--data=x.pkl"], ["--resume"], [], "--data=x.pkl --resume"),
        (
            ["--resume-from-checkpoint", "a b", "--lr", "1"],
            ["--resume"],
            ["--resume_from_checkpoint"],
            "--lr 1 --resume",
        ),
        (["--skip", "10", "--top-k", "5"], ["--skip", "20"], [], "--top-k 5 --skip 20"),
        (["--skip=10", "--lr", "1e-3"], ["--skip", "20"], [], "--lr 1e-3 --skip 20"),
        (["--overwrite", "--report_to", "wandb", "none"], [], ["--overwrite"], "--report_to wandb none"),
        (["--report_to", "wandb", "none", "--lr", "-1"], [], ["--report_to"], "--lr -1"),
        (["--data", "my texts.pkl", "--template", "it's {x}\n$HOME"], [], [], None),
        (["--data", "", "--overwrite"], [], ["--over"], "--data '' --overwrite"),
    ],
    ids=[
        *("as_typed", "added", "once", "was_false", "alias", "value", "equals", "removed", "several", "quoted"),
        "empty",
    ],
)
def test_the_typed_command_continues_with_other_flags(monkeypatch, typed, add, remove, expected):
    monkeypatch.setattr(sys, "argv", [str(ROOT / "fine_tune.py"), *typed])
    command = typed_command(add, remove)
    if expected is None:
        assert shlex.split(command)[2:] == typed
    else:
        assert command == f"python {ROOT / 'fine_tune.py'} {expected}"


def test_the_typed_command_has_the_options_of_python(monkeypatch):
    monkeypatch.chdir(ROOT / "docs")
    monkeypatch.setattr(sys, "argv", ["../fine_tune.py", "--data", "x"])
    monkeypatch.setattr(sys, "orig_argv", ["python3.11", "-W", "error", "../fine_tune.py", "--data", "x"])
    assert typed_command(["--resume"]) == "python3.11 -W error ../fine_tune.py --data x --resume"


@pytest.mark.parametrize(("local", "launcher"), [("2", "torchrun --nproc_per_node=2"), ("1", "torchrun ...")])
def test_the_typed_command_of_several_processes_is_that_of_torchrun(monkeypatch, local, launcher):
    for name, value in {"LOCAL_RANK": "0", "RANK": "0", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": local}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["fine_tune.py", "--data", "x"])
    assert typed_command(["--resume"]) == f"{launcher} fine_tune.py --data x --resume"


@pytest.mark.parametrize("program", ["", "-c", "/usr/lib/python3/ipykernel_launcher.py", "fine_tune.py"])
def test_a_call_from_python_has_no_typed_command(monkeypatch, tmp_path, program):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [program, "--data", "x"])
    assert typed_command() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("then", ["nothing", "import_error", "user_error"])
def test_an_interrupt_is_one_line_also_where_a_library_catches_it(capsys, number, then):
    """numpy and transformers do, while they are imported, and then lack something."""

    def main():
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            if then == "import_error":
                raise ImportError("no module") from None
            if then == "user_error":
                raise UserError("a package is not installed", "install it") from None
            raise

    before = signal.getsignal(number)
    assert run(main) == 130
    assert capsys.readouterr() == ("", "interrupted\n")
    assert signal.getsignal(number) is before


def test_a_bug_long_after_an_interrupt_keeps_its_traceback(monkeypatch):
    def main():
        with contextlib.suppress(KeyboardInterrupt):  # as a chat does
            signal.raise_signal(signal.SIGINT)
        return 1 // 0

    monkeypatch.setattr(interrupts, "FOLLOWS_SECONDS", 0.0)
    with pytest.raises(ZeroDivisionError):
        run(main)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_is_ignored_stays_ignored(number):
    before = signal.signal(number, signal.SIG_IGN)  # & in a script, or nohup
    try:
        assert run(lambda: signal.raise_signal(number) or 0) == 0
    finally:
        signal.signal(number, before)
