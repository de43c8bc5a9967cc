"""The end of a generated text: before a stop string, and never inside a character."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

REPLACEMENT = "\ufffd"  # the decoded form of an incomplete character
DECODE_OPTIONS = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}


def decode_continuation(tokenizer: "PreTrainedTokenizerBase", prompt_ids: list[int], new_ids: list[int]) -> str:
    """Return the text of `new_ids`, decoded with the prompt: SentencePiece drops a blank at the start of a text."""
    prompt = tokenizer.decode(prompt_ids, **DECODE_OPTIONS)
    return tokenizer.decode(prompt_ids + new_ids, **DECODE_OPTIONS)[len(prompt) :]


def cut_at_stop(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """Return (the text up to the first stop string, without an incomplete character; whether there was one)."""
    positions = [text.index(string) for string in stop if string in text]
    return text[: min(positions, default=None)].rstrip(REPLACEMENT), bool(positions)


class StopStrings:
    """Tells whether the generated text has reached a stop string. A string that begins in the prompt does not count."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", strings: Sequence[str]):
        self.tokenizer = tokenizer
        self.strings = strings
        self.special_ids = {id_ for id_, token in tokenizer.added_tokens_decoder.items() if token.special}
        # Every other token decodes to at least one byte; one more token for a blank that the first one may lose.
        self.tail_length = max((len(string.encode()) for string in strings), default=0) + 1

    def __call__(self, prompt_ids: list[int], new_ids: list[int]) -> bool:
        """Return whether the last new token completes a stop string; called after every token."""
        if not self.strings or new_ids[-1] in self.special_ids:
            return False
        # Decoding the last tokens is cheap. Only where they hold a string is the whole text decoded.
        tail = [id_ for id_ in (prompt_ids + new_ids)[-4 * self.tail_length :] if id_ not in self.special_ids]
        return self._in(self.tokenizer.decode(tail[-self.tail_length :], **DECODE_OPTIONS)) and self._in(
            decode_continuation(self.tokenizer, prompt_ids, new_ids)
        )

    def _in(self, text: str) -> bool:
        return any(string in text for string in self.strings)
