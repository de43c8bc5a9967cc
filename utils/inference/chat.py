"""An answer as it is written: whole characters only, nothing of a stop string, and an end at Ctrl-C.

MERGED: A conversation with a model: what was said, what of it the model sees, and saving it.

MERGED: A chat with a model that follows instructions: on a terminal, or line by line from another program."""

import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from utils.cli import print_error
from utils.errors import DataError, UserError
from utils.files import atomic_write
from utils.inference.generation import Generated, generate_from_ids
from utils.inference.prompts import instruction_prompt, open_checked_template, strip_text
from utils.inference.sampling import Sampling
from utils.inference.stopping import PLAIN, before_stop
from utils.models.chat_templates import with_length
from utils.models.tokenization import context_length
from utils.reading.encodings import BOM, decode_mixed

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from utils.models.checkpoint import Trained


class Stopped(Exception):  # noqa: N818 (no error: it is how the user ends an answer)
    """Leaves `generate` where the user has seen enough."""


class AnswerInterrupt:
    """Whether Ctrl-C was pressed. The first one is noted, another one interrupts at once."""

    def __init__(self):
        self.happened = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Listen while the block runs."""
        before = signal.signal(signal.SIGINT, self._note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _note(self, *_):
        if self.happened:
            raise KeyboardInterrupt
        self.happened = True


class Streamer:
    """A streamer of transformers' `generate`, for one prompt: hands `show` each new piece of the text.

    `text` is what was shown, to the letter; `ids` are the tokens so far, without `end`. A piece is held back while its
    last character is not whole, or while it may become one of the strings in `stop`, which are never shown.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        end: int,
        stop: tuple[str, ...],
        show: Callable[[str], None],
        interruption: AnswerInterrupt,
    ):
        self.tokenizer = tokenizer
        self.end_id = end
        self.stop = stop
        self.show = show
        self.interruption = interruption
        self.prompt: list[int] = []
        self.prompt_length = 0  # characters
        self.ids: list[int] = []
        self.text = ""

    def put(self, value: "torch.Tensor") -> None:
        """Take the prompt's ids at the first call, then one id a call. Raises Stopped after Ctrl-C."""
        if self.interruption.happened:
            raise Stopped
        new = value.flatten().tolist()
        if not self.prompt:
            self.prompt, self.prompt_length = new, len(self._decode(new))
        elif new != [self.end_id]:
            self.ids += new
            self._show(self._held_back)

    def end(self) -> None:
        """Show what was held back and has become neither a stop string nor half a character."""
        self._show(lambda text: 0)

    def _show(self, held_back: Callable[[str], int]) -> None:
        # Decoded with the prompt in front, as stopping.py does and for its reason.
        text = self._decode(self.prompt + self.ids)[self.prompt_length :]
        text, _ = before_stop(text, self.stop)
        piece = text[len(self.text) : len(text) - held_back(text)]
        if piece:
            self.text += piece
            self.show(piece)

    def _held_back(self, text: str) -> int:
        """The length of the longest end of the text that a stop string begins with."""
        starts = (string[:length] for string in self.stop for length in range(1, len(string)))
        return max((len(start) for start in starts if text.endswith(start)), default=0)

    def _decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, **PLAIN)


class Dialogue:
    """A chat's state. `messages` is all that was said since the last reset.

    The model sees what its context has room for, from message `first` on. Answer n (from 0) draws as it would with
    the seed + n, whatever was reset between.
    """

    def __init__(self, trained: "Trained", sampling: Sampling, system: str | None = None, length: str | None = None):
        """UserError where the model's chat template has no place for the system message."""
        self.system = [{"role": "system", "content": strip_text(system)}] if system else []
        self.model = trained.model
        self.name = "tuned" if trained.run else "base"
        self.learnt_turns = trained.run.get("multi_turn", True)
        self.form = open_checked_template(trained, [self.system] if system else [])
        self.sampling = sampling
        self.length = length
        self.answers = 0
        self.knows_context_is_full = False
        self.reset()

    def reset(self) -> None:
        """Begin a new conversation."""
        self.messages: list[dict] = []
        self.first = 0
        self.saved: dict[Path, bytes] = {}  # what this conversation wrote, and where

    def answer(self, instruction: str, show: Callable[[str], None], interruption: AnswerInterrupt) -> Generated:
        """The answer, of which `show` gets each piece at once; Ctrl-C ends it with what was shown.

        A turn without an answer is no part of the conversation. DataError where the context is too short.
        """
        said = [*self.messages, *instruction_prompt(instruction)]
        first, ids = self._prompt(said)
        sampling = replace(self.sampling, seed=self.sampling.seed + self.answers)
        streamer = Streamer(self.form.tokenizer, self.form.end, sampling.stop, show, interruption)
        options = {"end": self.form.end, "streamer": streamer}
        try:
            [[generated]] = generate_from_ids(self.model, self.form.tokenizer, [ids], sampling, **options)
            finished = generated.finished
        except (Stopped, KeyboardInterrupt):
            if not interruption.happened:
                raise
            finished = False
        self.answers += 1
        if streamer.text.strip():
            self.messages = [*said, {"role": "assistant", "content": streamer.text}]
            self.first = first
        return Generated(streamer.text, len(streamer.ids), finished)

    def _prompt(self, said: list[dict]) -> tuple[int, list[int]]:
        """(the first message, the ids) of the longest end of what was said that leaves room for an answer."""
        context, room = context_length(self.model), self.sampling.max_new_tokens
        for first in range(self.first, len(said), 2):
            conversation = [*self.system, *said[first:]]
            if self.length:
                conversation = with_length(conversation, self.length)
            [ids] = self.form.encode([conversation])
            if len(ids) + room <= context:
                break
        if len(ids) >= context:
            raise DataError(
                f"this has {len(ids):,} tokens in its template, and the context of {context:,} must hold an answer too",
                "shorten it; the chat goes on as if it had not been said",
            )
        if first > self.first and not self.knows_context_is_full:
            self.knows_context_is_full = True
            print_notice("(the context is full: the model no longer sees the oldest turns; /save writes all)")
        return first, ids

    def save(self, path: Path) -> None:
        """Write the conversation. UserError where the file holds anything but an earlier save of it."""
        if not self.messages:
            raise UserError("nothing was said yet", "talk first")
        with contextlib.suppress(RuntimeError):  # ~ of a user who does not exist is a name like any other
            path = path.expanduser()
        try:
            free = not path.exists() or (path in self.saved and path.read_bytes() == self.saved[path])
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}", "name another file") from error
        if not free:
            raise UserError(
                f"{path} exists, and is no save of this conversation", "name another file; it was left as it is"
            )
        line = json.dumps({"messages": [*self.system, *self.messages]}, ensure_ascii=False) + "\n"
        with atomic_write(path) as file:
            file.write(line.encode())
        self.saved[path] = line.encode()
        print_notice(f"(saved to {path})")


def print_notice(text: str) -> None:
    """Say something beside the answers."""
    print(text, file=sys.stderr, flush=True)


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
        print_notice(GREETING)
        if not dialogue.learnt_turns:
            print_notice("(this model has learnt single instructions: it may not heed what was said before)")
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
            print_notice("\n(/quit or Ctrl-D leaves)")


def read_typed_line() -> str:
    """A line from the terminal; "" at Ctrl-D. The prompt never goes to a stdout that is no terminal."""
    try:
        if sys.stdout.isatty():
            return input("> ") + "\n"
        print("> ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline()
    except EOFError:
        print_notice("")
        return ""


def decode_line(line: str) -> str:
    """A line of UTF-8, in which other bytes are read as cp1252."""
    return decode_mixed(line.encode(errors="surrogateescape")).replace("\0", "").removeprefix(BOM)


def respond(dialogue: Dialogue, line: str, as_json: bool, terminal: bool) -> bool:
    """Answer the line or do what it commands; whether the chat goes on."""
    if line.startswith("/"):
        return run_command(dialogue, *line.split(maxsplit=1))
    if not line.strip():
        return True
    interruption = AnswerInterrupt()
    with interruption.listening() if terminal else contextlib.nullcontext():
        number = dialogue.answers
        answer = dialogue.answer(line, (lambda piece: None) if as_json else print_piece, interruption)
        if as_json:
            record = {
                "prompt": strip_text(line),
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
            print_notice("(no answer: this turn is forgotten)")
        elif not answer.finished:
            print_notice("(stopped)" if interruption.happened else f"(cut after {answer.tokens} tokens)")
    return True


def run_command(dialogue: Dialogue, name: str, argument: str = "") -> bool:
    """Do what a line that begins with / says; whether the chat goes on."""
    argument = argument.strip()
    if name == "/reset":
        dialogue.reset()
        print_notice("(forgotten)")
    elif name == "/save" and argument:
        dialogue.save(Path(argument))
    elif name == "/save":
        raise UserError("/save needs the name of a file", "write /save chat.jsonl")
    elif name == "/help":
        print_notice(HELP)
    elif name != "/quit":
        raise UserError(f"there is no command {name}", "/help lists them; a line that begins with a blank is none")
    return name != "/quit"


def print_piece(piece: str) -> None:
    """Write a piece of an answer at once."""
    print(piece, end="", flush=True)
