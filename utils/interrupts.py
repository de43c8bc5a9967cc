"""Interruptions: the signals that end a script, and the commands to print: start again, continue, or the next step."""

import shlex
import signal
import sys
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from utils.distributed import spans_machines, world_size
from utils.errors import COMMAND, INSTALLED, SCRIPTS

ENDS_ALONE = [  # sent by schedulers, containers and closed terminals; Windows lacks the last
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
]
FOLLOWS_SECONDS = 5.0  # for an error that a library makes of an interruption


class ToldInterrupt(KeyboardInterrupt):
    """An interruption after which the log has already said how to continue the work."""


@contextmanager
def interrupts_end_the_block() -> Iterator[None]:
    """Raise KeyboardInterrupt for Ctrl-C and, in a single process, SIGTERM and SIGHUP, and in place of what follows.

    A library that is interrupted while it is imported may catch that, and fail with another error for want of a part.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupts = []

    def interrupt(_number, _frame) -> NoReturn:
        interrupts.append(time.monotonic())
        raise KeyboardInterrupt

    # Not where one is ignored (nohup), nor those of several processes: one that waits for the others heeds none.
    usual = {signal.SIGINT: signal.default_int_handler}
    if world_size() == 1:
        usual |= dict.fromkeys(ENDS_ALONE, signal.SIG_DFL)
    before = {number: handler for number, handler in usual.items() if signal.getsignal(number) == handler}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    except Exception as error:
        if interrupts and time.monotonic() < interrupts[-1] + FOLLOWS_SECONDS:
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def typed_command(add: Sequence[str] = (), remove: Collection[str] = ()) -> str | None:
    """Return the command as it was typed, quoted for the shell; None where there is none: in a notebook, say.

    The words in `add` ("--skip", "10") come last, and replace what was typed for the same flags. Flags in `remove` are
    left out, with their values.
    """
    script = Path(sys.argv[0])
    if script.suffix != ".py" or script.resolve().parent != SCRIPTS:
        return None
    replaced = {*remove, *map(_flag_name, add)}
    kept, is_replaced = [], False
    for word in sys.argv[1:]:
        if word.startswith("--"):
            is_replaced = _flag_name(word) in replaced
        if not is_replaced:
            kept.append(word)
    return shlex.join([*_launcher(), *kept, *add])


def next_command(script: str, *words: object) -> str:
    """Return the command of another script, quoted for the shell: beside this one, and started by the same Python."""
    if INSTALLED:
        return shlex.join([COMMAND, script, *map(str, words)])
    typed, launcher = Path(sys.argv[0]), ["python"]
    path = Path(f"{script}.py")
    if typed.suffix == ".py" and typed.resolve().parent == SCRIPTS:
        path = typed.with_name(path.name)
        launcher = sys.orig_argv[:1] if world_size() == 1 else launcher
    return shlex.join([*launcher, str(path), *map(str, words)])


def _launcher() -> list[str]:
    """Return the launcher of the script: Python, as it was typed, or torchrun for several processes, or our command."""
    script = ["-m", "small_text_fine_tuning", Path(sys.argv[0]).stem] if INSTALLED else [sys.argv[0]]
    if world_size() > 1:
        return ["torchrun", "..." if spans_machines() else f"--nproc_per_node={world_size()}", *script]
    if INSTALLED:
        return [COMMAND, script[-1]]
    before = len(sys.orig_argv) - len(sys.argv)
    is_ours = before > 0 and sys.orig_argv[before:] == sys.argv  # not set by a program
    return [*(sys.orig_argv[:before] if is_ours else ["python"]), *script]


def _flag_name(word: str) -> str:
    return "--" + word.partition("=")[0].removeprefix("--").replace("-", "_")
