"""Where a text ends: at stop strings, found as it is written, and never in half a character."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

REPLACEMENT = "\ufffd"  # what bytes that are no whole character decode to
PLAIN = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}


def continuation(tokenizer: "PreTrainedTokenizerBase", prompt: list[int], new: list[int]) -> str:
    """The text of the ids `new`.

    Decoded with the prompt in front: SentencePiece models drop the blank at the start of what they decode.
    """
    return tokenizer.decode(prompt + new, **PLAIN)[len(tokenizer.decode(prompt, **PLAIN)) :]


def before_stop(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """(the text up to the first of the strings, without the bytes of a character that was not written to its end;
    whether there was one)."""
    stops = [text.index(string) for string in stop if string in text]
    return text[: min(stops, default=None)].rstrip(REPLACEMENT), bool(stops)


class StopStrings:
    """Whether the new text of a row has come to one of the strings. One that begins in the prompt doesn't count."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", strings: Sequence[str]):
        self.tokenizer = tokenizer
        self.strings = strings
        self.special = {id_ for id_, token in tokenizer.added_tokens_decoder.items() if token.special}
        # Every other token stands for a byte or more; the first one may lose its blank, as a text's first one does.
        self.tail = max((len(string.encode()) for string in strings), default=0) + 1

    def __call__(self, prompt: list[int], new: list[int]) -> bool:
        """Asked after every token, so it decodes the end of the text alone, and the whole where that holds one."""
        if not self.strings or new[-1] in self.special:
            return False
        tail = [id_ for id_ in (prompt + new)[-4 * self.tail :] if id_ not in self.special][-self.tail :]
        return self._in(self.tokenizer.decode(tail, **PLAIN)) and self._in(continuation(self.tokenizer, prompt, new))

    def _in(self, text: str) -> bool:
        return any(string in text for string in self.strings)
