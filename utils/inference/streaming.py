"""An answer shown while it is generated: only whole characters, no part of a stop string, and stopped by Ctrl-C."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from utils.inference.stopping import cut_at_stop, decode_continuation

if TYPE_CHECKING:
    import numpy
    import torch
    from transformers import PreTrainedTokenizerBase


class AnswerStopped(Exception):  # noqa: N818 (not an error: the user has ended the answer)
    """Leaves the generation of an answer that the user has ended."""


class AnswerInterrupt:
    """A note of Ctrl-C: the first one is noted, and the second one raises KeyboardInterrupt."""

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


class AnswerStreamer:
    """A streamer as transformers' `generate` takes it, for one prompt, that gives each new piece of the text to `show`.

    `text` is exactly what was shown; `ids` are the tokens so far, without `end`. A piece is held back while its last
    character is incomplete, or while it may become one of the strings in `stop`, which are never shown.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        end: int,
        stop: tuple[str, ...],
        show: Callable[[str], None],
        interrupt: AnswerInterrupt,
    ):
        self.tokenizer = tokenizer
        self.end_id = end
        self.stop = stop
        self.show = show
        self.interrupt = interrupt
        self.prompt_ids: list[int] = []
        self.ids: list[int] = []
        self.text = ""

    def put(self, value: "torch.Tensor | numpy.ndarray") -> None:
        """Take the prompt's ids in the first call, and one id in each later call. AnswerStopped after Ctrl-C."""
        if self.interrupt.happened:
            raise AnswerStopped
        new_ids = value.flatten().tolist()
        if not self.prompt_ids:
            self.prompt_ids = new_ids
        elif new_ids != [self.end_id]:
            self.ids += new_ids
            self._show(self._held_back)

    def end(self) -> None:
        """Show the text held back that did not become a stop string or half a character."""
        self._show(lambda text: 0)

    def _show(self, held_back: Callable[[str], int]) -> None:
        text, _ = cut_at_stop(decode_continuation(self.tokenizer, self.prompt_ids, self.ids), self.stop)
        piece = text[len(self.text) : len(text) - held_back(text)]
        if piece:
            self.text += piece
            self.show(piece)

    def _held_back(self, text: str) -> int:
        """Return the length of the longest end of the text that a stop string begins with."""
        starts = (string[:length] for string in self.stop for length in range(1, len(string)))
        return max((len(start) for start in starts if text.endswith(start)), default=0)
