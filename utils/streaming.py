"""An answer as it is written: whole characters only, nothing of a stop string, and an end at Ctrl-C."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from utils.stopping import PLAIN, before_stop

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase


class Stopped(Exception):  # noqa: N818 (no error: it is how the user ends an answer)
    """Leaves `generate` where the user has seen enough."""


class Interruption:
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
        interruption: Interruption,
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
