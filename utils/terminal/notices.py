"""The first and the last lines of a script on stderr: the coming work, its result, and the next command."""

import logging
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from utils.errors import as_typed
from utils.terminal.help_page import command_lines
from utils.terminal.times import duration
from utils.terminal.widths import width_of

log = logging.getLogger(__name__)


def say_what_begins(script: str, what: str, libraries: str = "libraries load for about 5 s") -> None:
    """Write one line on a terminal, where the libraries that are imported next would be seconds of silence.

    Paths lose their folders, and then the line its second half, where it would not fit.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        return
    room = shutil.get_terminal_size().columns
    name = as_typed(f"{script}.py")
    for end in (f"; {libraries} …", " …"):
        line = f"{name}: {_with_short_paths(what, room - width_of(f'{name}: {end}'))}{end}"
        if width_of(line) <= room:
            break
    log.info("%s", line)


def _with_short_paths(text: str, width: int) -> str:
    """Return the text with the longest of its paths shortened to their names where it is wider than `width` columns."""
    words = text.split(" ")
    for place in sorted(range(len(words)), key=lambda place: -width_of(words[place])):
        if width_of(" ".join(words)) <= width:
            break
        folder, slash, name = words[place].rpartition("/")
        if name and len(folder) > 1:
            words[place] = f"…{slash}{name}"
    return " ".join(words)


def say_what_is_done(began: float, done: str, written: Sequence[Path] = (), following: Sequence[str] = ()) -> None:
    """Print the paths `written` since `began` (time.monotonic); on a terminal also the work `done` and what follows."""
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
