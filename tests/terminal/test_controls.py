"""Control characters of strangers' texts: shown on a terminal, kept in files and pipes."""

import os
import pty
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = "a\x1b]0;title\x07b\x9b31mc\x7f\rd\te\nœuf 😀"
SHOWN = r"a\x1b]0;title\x07b\x9b31mc\x7f\x0dd" + "\te\nœuf 😀"
PROGRAM = f"""
import logging, sys
from utils.process import run
from utils.errors import DataError
def main():
    print({TEXT!r}, flush=True)
    logging.getLogger("utils.x").info("%s", {TEXT!r})
    raise DataError({TEXT!r}, "no hint")
sys.exit(run(main))
"""


def run_on(stdout: int) -> bytes | None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 3
    in_one_line = SHOWN.replace(r"\x0d", " ").replace("\t", " ").replace("\n", " ")
    assert done.stderr.decode() == f"{SHOWN}\nerror: {in_one_line}\nhint: no hint\n"
    return done.stdout


def test_they_are_shown_on_a_terminal():
    ours, theirs = pty.openpty()
    try:
        run_on(theirs)
        assert os.read(ours, 1000).decode().replace("\r\n", "\n") == SHOWN + "\n"
    finally:
        os.close(ours)
        os.close(theirs)


def test_they_stay_in_a_pipe():
    assert run_on(subprocess.PIPE).decode() == TEXT + "\n"
