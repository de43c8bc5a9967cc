"""Texts of strangers on a terminal: control characters, which could move the cursor or set its title, are shown."""

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SHOWN = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}


class _TerminalStream(io.TextIOWrapper):
    """A text stream that writes control characters as `\\x1b`, but for tabs and line ends."""

    def write(self, text: str) -> int:
        super().write(text.translate(SHOWN))
        return len(text)


class ControlsShown(logging.Formatter):
    """Formats log lines with control characters as `\\x1b`."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).translate(SHOWN)


@contextmanager
def controls_shown_on_stdout() -> Iterator[None]:
    """Within the context, what is printed on a terminal shows its control characters. In files and pipes they stay."""
    stdout = sys.stdout
    if stdout is None or not stdout.isatty():
        yield
        return
    options = {"encoding": stdout.encoding, "errors": stdout.errors, "line_buffering": True}
    sys.stdout = _TerminalStream(stdout.buffer, **options)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout.detach()
        sys.stdout = stdout
