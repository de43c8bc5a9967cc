"""A chat with a model that follows instructions: on a terminal, or line by line from another program."""

import contextlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

from utils.cli import print_error
from utils.dialogue import Dialogue, notice
from utils.errors import UserError
from utils.prompts import stripped
from utils.reading import decoding  # noqa: F401 (brings the error handler "cp1252")
from utils.reading.delimited import BOM
from utils.streaming import Interruption

GREETING = "(/help lists the commands; Ctrl-C stops an answer; /quit or Ctrl-D leaves)"
HELP = """\
/reset      forget what was said, and begin anew
/save FILE  write this conversation as JSON Lines, which preprocess.py --task alpaca reads
/quit       leave, as Ctrl-D does
Ctrl-C      stop the answer that is being written
A line that begins with a blank is no command."""


def chat(dialogue: Dialogue, as_json: bool) -> None:
    """Answer every line of stdin until /quit or its end: pieces as they are written, or a JSON object an answer."""
    if sys.stdin is None:
        raise UserError("--chat has nothing to read: stdin is closed", "run it in a terminal, or pipe lines into it")
    terminal = sys.stdin.isatty()
    sys.stdin.reconfigure(errors="surrogateescape")
    if terminal:
        if sys.stdout.isatty():
            with contextlib.suppress(ImportError):  # Windows has none
                import readline  # noqa: F401 (gives input() its line editing)
        notice(GREETING)
        if not dialogue.learnt_turns:
            notice("(this model has learnt single instructions: it may not heed what was said before)")
    while True:
        try:
            line = typed() if terminal else sys.stdin.readline()
            if not line or not respond(dialogue, repaired(line), as_json, terminal):
                return
        except UserError as error:
            print_error(error.problem, error.hint)
        except KeyboardInterrupt:
            if not terminal:
                raise
            notice("\n(/quit or Ctrl-D leaves)")


def typed() -> str:
    """A line from the terminal; "" at Ctrl-D. The prompt never goes to a stdout that is no terminal."""
    try:
        if sys.stdout.isatty():
            return input("> ") + "\n"
        print("> ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline()
    except EOFError:
        notice("")
        return ""


def repaired(line: str) -> str:
    """A line of UTF-8, in which other bytes are read as cp1252."""
    return line.encode(errors="surrogateescape").decode(errors="cp1252").replace("\0", "").removeprefix(BOM)


def respond(dialogue: Dialogue, line: str, as_json: bool, terminal: bool) -> bool:
    """Answer the line or do what it commands; whether the chat goes on."""
    if line.startswith("/"):
        return command(dialogue, *line.split(maxsplit=1))
    if not line.strip():
        return True
    interruption = Interruption()
    with interruption.listening() if terminal else contextlib.nullcontext():
        number = dialogue.answers
        answer = dialogue.answer(line, (lambda piece: None) if as_json else show, interruption)
        if as_json:
            record = {
                "prompt": stripped(line),
                "input": "",
                **asdict(answer),
                "model": dialogue.name,
                "prompt_index": number,
                "sequence_index": 0,
                "seed": dialogue.sampling.seed,
            }
            print(json.dumps(record, ensure_ascii=False), flush=True)
        else:
            print(flush=True)
        if not answer.text.strip():
            notice("(no answer: this turn is forgotten)")
        elif not answer.finished:
            notice("(stopped)" if interruption.happened else f"(cut after {answer.tokens} tokens)")
    return True


def command(dialogue: Dialogue, name: str, argument: str = "") -> bool:
    """Do what a line that begins with / says; whether the chat goes on."""
    argument = argument.strip()
    if name == "/reset":
        dialogue.reset()
        notice("(forgotten)")
    elif name == "/save" and argument:
        dialogue.save(Path(argument))
    elif name == "/save":
        raise UserError("/save needs the name of a file", "write /save chat.jsonl")
    elif name == "/help":
        notice(HELP)
    elif name != "/quit":
        raise UserError(f"there is no command {name}", "/help lists them; a line that begins with a blank is none")
    return name != "/quit"


def show(piece: str) -> None:
    """Write a piece of an answer at once."""
    print(piece, end="", flush=True)
