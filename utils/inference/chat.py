"""A chat with a model that follows instructions: on a terminal, or line by line with another program."""

import contextlib
import functools
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import DataError, UserError
from utils.files import atomic_write
from utils.inference.answers import open_checked_template
from utils.inference.generation import Generated, TextGenerator
from utils.inference.prompts import instruction_prompt, strip_text
from utils.inference.sampling import Sampling
from utils.inference.streaming import AnswerInterrupt, AnswerStopped, AnswerStreamer
from utils.models.chat_templates import with_length
from utils.models.checkpoint import Trained
from utils.process import print_error
from utils.reading.encodings import BOM, decode_mixed

if TYPE_CHECKING:
    from utils.inference.ctranslate2.kept import Converted

GREETING = "(/help lists the commands; Ctrl-C stops an answer; /quit or Ctrl-D ends the chat)"
HELP = """\
/reset      forget the conversation and begin a new one
/save FILE  write this conversation as JSON Lines, which preprocess.py --task alpaca reads
/quit       end the chat, as Ctrl-D does
Ctrl-C      stop the answer that is being written
A line that begins with a blank is not a command."""


def chat(dialogue: "Dialogue", as_json: bool) -> None:
    """Answer every line of stdin until /quit or its end: piece by piece, or with a JSON object for each answer."""
    if sys.stdin is None:
        raise UserError("--chat has nothing to read: stdin is closed", "run it in a terminal, or pipe lines into it")
    terminal = sys.stdin.isatty()
    sys.stdin.reconfigure(errors="surrogateescape")
    if terminal:
        if sys.stdout.isatty():
            with contextlib.suppress(ImportError):  # Windows has none
                import readline  # noqa: F401 (gives input() its line editing)
        print_notice(GREETING)
        if not dialogue.multi_turn:
            print_notice("(this model was trained on single instructions: it may ignore the earlier turns)")
    while True:
        try:
            line = read_typed_line() if terminal else sys.stdin.readline()
            if not line or not respond(dialogue, decode_line(line), as_json, terminal):
                return
        except UserError as error:
            print_error(error.problem, error.hint)
        except KeyboardInterrupt:
            if not terminal:
                raise
            print_notice("\n(/quit or Ctrl-D ends the chat)")


def respond(dialogue: "Dialogue", line: str, as_json: bool, terminal: bool) -> bool:
    """Answer the line or run its command. Return whether the chat continues."""
    if line.startswith("/"):
        return run_command(dialogue, *line.split(maxsplit=1))
    if not line.strip():
        return True
    interrupt = AnswerInterrupt()
    with interrupt.listening() if terminal else contextlib.nullcontext():
        number = dialogue.answers
        show = (lambda piece: None) if as_json else functools.partial(print, end="", flush=True)
        answer = dialogue.answer(line, show, interrupt)
        if as_json:
            indices = {"prompt_index": number, "sequence_index": 0, "seed": dialogue.sampling.seed}
            record = {"prompt": strip_text(line), "input": "", **asdict(answer), "model": dialogue.name, **indices}
            print(json.dumps(record, ensure_ascii=False), flush=True)
        else:
            print(flush=True)
        if not answer.text.strip():
            print_notice("(no answer: this turn is forgotten)")
        elif not answer.finished:
            print_notice("(stopped)" if interrupt.happened else f"(cut after {answer.tokens} tokens)")
    return True


def run_command(dialogue: "Dialogue", name: str, argument: str = "") -> bool:
    """Run the command of a line that begins with /. Return whether the chat continues."""
    argument = argument.strip()
    if name == "/reset":
        dialogue.reset()
        print_notice("(forgotten)")
    elif name == "/save" and argument:
        dialogue.save(Path(argument))
    elif name == "/save":
        raise UserError("/save needs a file name", "type /save chat.jsonl")
    elif name == "/help":
        print_notice(HELP)
    elif name != "/quit":
        hint = "/help lists the commands; a line that begins with a blank is not a command"
        raise UserError(f"there is no command {name}", hint)
    return name != "/quit"


class Dialogue:
    """The state of a chat. `messages` is everything said since the last reset.

    The model sees the messages from number `first` on, as many as fit into its context. Answer n (from 0) is drawn with
    the seed + n, whether or not there was a reset in between.
    """

    def __init__(
        self,
        trained: "Trained | Converted",
        generate: TextGenerator,
        sampling: Sampling,
        system: str | None = None,
        length: str | None = None,
    ):
        """UserError where the model's chat template has no place for the system message."""
        self.system = [{"role": "system", "content": strip_text(system)}] if system else []
        self.generate = generate
        self.context = trained.context
        self.name = "tuned" if trained.run else "base"
        self.multi_turn = trained.run.get("multi_turn", True)
        self.template = open_checked_template(trained, [self.system] if system else [])
        self.sampling = sampling
        self.length = length
        self.answers = 0
        self.said_context_is_full = False
        self.reset()

    def reset(self) -> None:
        """Begin a new conversation."""
        self.messages: list[dict] = []
        self.first = 0
        self.saved: dict[Path, bytes] = {}  # the saved lines of this conversation, by file

    def answer(self, instruction: str, show: Callable[[str], None], interrupt: AnswerInterrupt) -> Generated:
        """Return the answer, passing each piece to `show` at once; Ctrl-C ends it with what was shown.

        An answer joins the conversation as in training, without white space around it, and a turn without one does not
        join it. DataError where the context is too short.
        """
        messages = [*self.messages, *instruction_prompt(instruction)]
        first, prompt_ids = self._encode(messages)
        sampling = replace(self.sampling, seed=self.sampling.seed + self.answers)
        streamer = AnswerStreamer(self.template.tokenizer, self.template.end, sampling.stop, show, interrupt)
        try:
            [[generated]] = self.generate([prompt_ids], sampling, end=self.template.end, streamer=streamer)
            finished = generated.finished
        except (AnswerStopped, KeyboardInterrupt):
            if not interrupt.happened:
                raise
            finished = False
        self.answers += 1
        if streamer.text.strip():
            self.messages = [*messages, {"role": "assistant", "content": strip_text(streamer.text)}]
            self.first = first
        return Generated(streamer.text, len(streamer.ids), finished)

    def save(self, path: Path) -> None:
        """Write the conversation. UserError where the file holds anything but an earlier save of it."""
        if not self.messages:
            raise UserError("there is nothing to save yet", "talk first")
        with contextlib.suppress(RuntimeError):  # "~nobody" is an ordinary name where there is no such user
            path = path.expanduser()
        try:
            free = not path.exists() or (path in self.saved and path.read_bytes() == self.saved[path])
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}", "choose another file") from error
        if not free:
            raise UserError(
                f"{path} exists and is not an earlier save of this conversation",
                "choose another file; this one was not changed",
            )
        line = json.dumps({"messages": [*self.system, *self.messages]}, ensure_ascii=False) + "\n"
        with atomic_write(path) as file:
            file.write(line.encode())
        self.saved[path] = line.encode()
        print_notice(f"(saved to {path})")

    def _encode(self, messages: list[dict]) -> tuple[int, list[int]]:
        """Return (the number of the first message, the ids) of the most messages that leave room for an answer."""
        context, room = self.context, self.sampling.max_new_tokens
        for first in range(self.first, len(messages), 2):
            conversation = [*self.system, *messages[first:]]
            if self.length:
                conversation = with_length(conversation, self.length)
            [ids] = self.template.encode([conversation])
            if len(ids) + room <= context:
                break
        if len(ids) >= context:
            raise DataError(
                f"this has {len(ids):,} tokens in its template, but the context of {context:,} must hold an answer too",
                "shorten it; the chat continues without it",
            )
        if first > self.first and not self.said_context_is_full:
            self.said_context_is_full = True
            print_notice("(the context is full: the model no longer sees the oldest turns; /save still writes them)")
        return first, ids


def read_typed_line() -> str:
    """Return a line from the terminal, "" at Ctrl-D. The prompt is never written to a stdout that is not a terminal."""
    try:
        if sys.stdout.isatty():
            return input("> ") + "\n"
        print("> ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline()
    except EOFError:
        print_notice("")
        return ""


def decode_line(line: str) -> str:
    """Return a line of UTF-8; other bytes are read as cp1252."""
    return decode_mixed(line.encode(errors="surrogateescape")).replace("\0", "").removeprefix(BOM)


def print_notice(text: str) -> None:
    """Print something that is not an answer, on stderr."""
    print(text, file=sys.stderr, flush=True)
