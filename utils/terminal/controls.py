"""Texts of strangers on a terminal: characters that could move the cursor, set its title or turn the text are shown."""

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from utils.errors import as_typed
from utils.text.credentials import without_credentials

CONTROLS = [code for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"]
# Controls that turn the direction of a text, so that it reads differently (CVE-2021-42574), and Unicode's line ends.
TURNS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029)
SHOWN = {code: f"\\x{code:02x}" for code in CONTROLS} | {code: f"\\u{code:04x}" for code in TURNS}
BAR = re.compile(r"\r?")  # with which tqdm writes a bar over the one before
BAR_MOVES = re.compile(r"\n*(?:\x1b\[A)*")  # to the line of a bar


class _Changed:
    """A text stream that changes what is written on it; `bars` lets tqdm's cursor movements pass."""

    def __init__(self, stream: TextIO, change: Callable[[str], str], bars: bool):
        self._stream = stream
        self._change = change
        self._bars = bars

    def write(self, text: str) -> int:
        start = 0
        if self._bars:
            start = (BAR_MOVES.fullmatch(text) or BAR.match(text)).end()
        self._stream.write(text[:start] + self._change(text[start:]))
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


class ControlsShown(logging.Formatter):
    """Formats log lines with such characters as `\\x1b`, and with the scripts' names as they are typed."""

    def format(self, record: logging.LogRecord) -> str:
        return as_typed(super().format(record)).translate(SHOWN)


@contextmanager
def controls_shown_on_stdout() -> Iterator[None]:
    """Within the context, show these characters in output to a terminal. In files and pipes they stay."""
    stdout = sys.stdout
    if stdout is None or not stdout.isatty():
        yield
        return
    sys.stdout = _Changed(stdout, _shown, bars=False)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout = stdout


def guard_stderr() -> None:
    """Hide credentials in all that Python writes there from now on: warnings, tables, tracebacks, bars.

    On a terminal, show these characters, too. For good, since Python writes the traceback of a bug when nothing of ours
    is still running.
    """
    if sys.stderr is None or isinstance(sys.stderr, _Changed):
        return
    is_terminal = sys.stderr.isatty()
    if is_terminal:
        os.environ.setdefault("PYTHON_COLORS", "0")  # of tracebacks and help, from Python 3.13 on
    change = (lambda text: _shown(without_credentials(text))) if is_terminal else without_credentials
    sys.stderr = _Changed(sys.stderr, change, bars=is_terminal)


def _shown(text: str) -> str:
    return text.translate(SHOWN)
