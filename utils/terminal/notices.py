"""The first and the last lines of a script on stderr: what it is about to do, and what it has done and comes next."""

import logging
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from utils.terminal.help_page import command_lines
from utils.terminal.times import duration

log = logging.getLogger(__name__)


def say_what_begins(script: str, what: str, libraries: str = "libraries load for about 5 s") -> None:
    """Write one line on a terminal, where the libraries that are imported next would be seconds of silence."""
    if sys.stderr is None or not sys.stderr.isatty():
        return
    end = f"; {libraries} …"
    room = shutil.get_terminal_size().columns - len(f"{script}.py: {end}")
    if len(what) > room:  # the end of a path says more than its beginning
        what = f"…{what[-max(1, room - 1) :]}"
    log.info("%s.py: %s%s", script, what, end)


def say_what_is_done(began: float, done: str, written: Sequence[Path] = (), following: Sequence[str] = ()) -> None:
    """Write what was `written` since `began` (time.monotonic); on a terminal also what was `done`, and what follows."""
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    took = f"in {duration(time.monotonic() - began)}"
    sizes = [f"{path} ({size(path)})" for path in written]
    one_line = f"written: {', '.join(sizes)} {took}"
    if not sizes:
        if on_terminal:
            log.info("%s %s", done, took)
    elif len(one_line) <= shutil.get_terminal_size().columns or len(sizes) == 1:
        log.info("%s", one_line)
    else:
        log.info("written %s:", took)
        for line in sizes:
            log.info("  %s", line)
    if on_terminal:
        for command in following:
            log.info("next: %s", command_lines(command, shutil.get_terminal_size().columns - len("next: ")))


def size(path: Path) -> str:
    """Return the size of a file, or of a folder's files: "12 kB", "3.4 MB", "540 MB"."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    number = sum(file.stat().st_size for file in files)
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= 0.9995 * factor:
            return f"{number / factor:.{number < 9.95 * factor:d}f} {unit}"
    return f"{number} bytes"
