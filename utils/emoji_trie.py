"""All that a model may write, token by token: the emoji of its table as a tree."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from utils.encoding import start_and_end, token_ids
from utils.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Trie:
    """The token sequences of all targets, each with its end-of-text, as a tree: token → the tree of what follows.

    Behind a target's end-of-text stands its number. UserError where two targets have the same tokens.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]):
        self.end = start_and_end(tokenizer)[1]
        self.longest = 0  # tokens of a target with its end
        self.root = {}
        for number, (text, ids) in enumerate(zip(texts, token_ids(tokenizer, texts), strict=True)):
            node = self.root
            for token in ids:
                node = node.setdefault(token, {})
            if self.end in node:
                raise UserError(
                    f"the tokenizer of {tokenizer.name_or_path} writes {texts[node[self.end]]!r} and {text!r} alike",
                    "choose a base model whose tokenizer knows every byte (smollm2, gpt2)",
                )
            node[self.end] = number
            self.longest = max(self.longest, len(ids) + 1)

    def allowed(self, written: Sequence[int]) -> list[int]:
        """The tokens that may follow; end-of-text behind what no target begins with, for beams that come to nothing."""
        node = self._at(written)
        return list(node) if isinstance(node, dict) else [self.end]

    def number(self, written: Sequence[int]) -> int:
        """The number of the target that was written, end-of-text included, and whatever pads behind that."""
        return self._at(written[: written.index(self.end) + 1])

    def _at(self, written: Sequence[int]) -> dict | int | None:
        node = self.root
        for token in written:
            node = node.get(token) if isinstance(node, dict) else None
        return node
