"""Run the command of one contender, and measure its time from start to end, its memory and its processor time."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

PYTHON = "python"  # as commands are shown; the current interpreter runs them
CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class Side:
    """One contender of a row.

    `least` is the same command on minimal data: its time is start-up (imports, loading, saving), and the rest of the
    time of `command` is the work itself; None where only the whole command is measured. A contender that does a part
    of the work has a `scale` above 1. `model` is the path of the model that the command trains; `needs` are packages
    beyond requirements.txt. `until`: the clock stops when the command prints this.
    """

    name: str
    command: tuple[str, ...]
    least: tuple[str, ...] | None = None
    scale: float = 1.0
    model: Path | None = None
    needs: tuple[str, ...] = ()
    until: str | None = None


@dataclass(frozen=True)
class Measured:
    """Seconds of the whole command and of the least one, and the command's peak megabytes and processor seconds.

    None: not measured.
    """

    seconds: float
    least_seconds: float | None
    megabytes: float
    processor_seconds: float | None = None


class FailedError(Exception):
    """A command failed."""


def words(*parts: object, **flags: object) -> tuple[str, ...]:
    """Return a command: its parts, then --name value for every flag; True is a flag without a value."""
    given = [(f"--{name}",) if value is True else (f"--{name}", str(value)) for name, value in flags.items()]
    return (PYTHON, *map(str, parts), *(word for pair in given for word in pair))


def measure(one: Side, logs: Path) -> Measured:
    """Run the least command, then the whole one."""
    least_seconds = run(one.least, logs / "least.log").seconds if one.least else None
    whole = run(one.command, logs / "command.log", one.until)
    return Measured(whole.seconds, least_seconds, whole.megabytes, whole.processor_seconds)


def run(command: Sequence[str], log: Path, until: str | None = None) -> Measured:
    """Measure a command in a fresh process; FailedError with its last lines if it fails, or never prints `until`."""
    words = [sys.executable if word == PYTHON else word for word in command]
    if until is not None:
        words = ["--until", until, *words]
    # Most people's shells have none of these, and each would change how many threads work, or how they wait.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        child = subprocess.run(
            [sys.executable, CHILD, *words], stdout=subprocess.PIPE, stderr=output, check=True, env=environment
        )
    code, seconds, megabytes, processor_seconds = map(float, child.stdout.split())
    if code:
        end = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
        raise FailedError(f"{' '.join(command)}\nexit code {code:.0f}: " + "\n".join(end))
    return Measured(seconds, None, megabytes, processor_seconds)


def work_seconds(measured: Measured, scale: float) -> float:
    """Return the seconds of the work itself, without start-up where that was measured."""
    return (measured.seconds - (measured.least_seconds or 0.0)) * scale


def command_seconds(measured: Measured, scale: float) -> float:
    """Return the seconds from start to end, scaled to all of the work."""
    return (measured.least_seconds or 0.0) + work_seconds(measured, scale)


def as_record(measured: Measured) -> dict:
    """Return plain values, for JSON."""
    return {name: None if value is None else round(value, 3) for name, value in asdict(measured).items()}
