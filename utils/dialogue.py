"""A conversation with a model: what was said, what of it the model sees, and saving it."""

import contextlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from utils.answering import open_format
from utils.encoding import context_length
from utils.errors import DataError, UserError
from utils.files import atomic_write
from utils.generation import Generated, generate_from_ids
from utils.prompts import asked, stripped
from utils.sampling import Sampling
from utils.streaming import Interruption, Stopped, Streamer
from utils.templates import with_length

if TYPE_CHECKING:
    from utils.checkpoint import Trained


class Dialogue:
    """A chat's state. `messages` is all that was said since the last reset.

    The model sees what its context has room for, from message `first` on. Answer n (from 0) draws as it would with
    the seed + n, whatever was reset between.
    """

    def __init__(self, trained: "Trained", sampling: Sampling, system: str | None = None, length: str | None = None):
        """UserError where the model's chat template has no place for the system message."""
        self.system = [{"role": "system", "content": stripped(system)}] if system else []
        self.model = trained.model
        self.name = "tuned" if trained.run else "base"
        self.learnt_turns = trained.run.get("multi_turn", True)
        self.form = open_format(trained, [self.system] if system else [])
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

    def answer(self, instruction: str, show: Callable[[str], None], interruption: Interruption) -> Generated:
        """The answer, of which `show` gets each piece at once; Ctrl-C ends it with what was shown.

        A turn without an answer is no part of the conversation. DataError where the context is too short.
        """
        said = [*self.messages, *asked(instruction)]
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
            notice("(the context is full: the model no longer sees the oldest turns; /save writes all)")
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
        notice(f"(saved to {path})")


def notice(text: str) -> None:
    """Say something beside the answers."""
    print(text, file=sys.stderr, flush=True)
