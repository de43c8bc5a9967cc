"""Drop near duplicates, and warn with examples if there are many."""

import logging
import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from utils.compute.workers import Workers
from utils.text.duplicates import near_duplicates
from utils.text.links import remove_urls
from utils.text.tweet_entities import replace_mentions
from utils.text.words import text_key

if TYPE_CHECKING:
    from utils.preprocessing.filters import Filters, KeptRows

log = logging.getLogger(__name__)
NEAR_DUPLICATE = "near duplicate"
MANY = 0.1  # of the rows that are compared
EXAMPLES = 2
SHOWN_CHARACTERS = 120
SHORT_ANSWER = 40  # characters, as in "No, the mill stands by the lane"
# Signs that make a difference in a question or an answer: numbers, also negative ones, and those of formulas and code.
_SIGNS = re.compile(
    r"(?<![\w)])-?\d+|\d+|[#$%&+/<=>\\^|~{}€£¥°±×÷≠≤≥]|(?<=[\d)])\s?-\s?(?=[\d(])|(?<=[\w)])\*(?=[\w(])"
)


def drop_near_duplicates(
    kept: "KeptRows",
    texts: Sequence[str | Sequence[str]],
    filters: "Filters",
    *,
    words: Sequence[str] | None = None,
    apart: Sequence[Hashable] | None = None,
    workers: Workers | None = None,
    meanwhile: Callable[[Sequence[str]], object] | None = None,
) -> None:
    """Drop the rows that nearly repeat an earlier one, unless `filters` keep them; see `near_duplicates`.

    All lists have one entry per row. `workers` help with it, and are free for `meanwhile`, which is called with the
    compared texts, before this process is done. If more than a tenth of the rows are dropped, a warning shows two.
    """
    if filters.near_duplicates is None:
        return
    texts = kept.take(texts)
    words, apart = (None if values is None else kept.take(values) for values in (words, apart))

    def each(function: Callable, chunks: Sequence) -> Iterator:
        results = (workers or Workers()).map(function, chunks, "comparing")
        if meanwhile is not None:
            meanwhile(texts)
        return results

    original = near_duplicates(texts, filters.near_duplicates, words, apart, each)
    dropped = np.flatnonzero(original >= 0)
    kept.drop(NEAR_DUPLICATE, original >= 0)
    if len(dropped) > MANY * len(texts):
        pairs = [(texts[original[row]], texts[row]) for row in dropped[:: max(1, len(dropped) // EXAMPLES)][:EXAMPLES]]
        examples = "; ".join(" and ".join(_shown(pair, filters.keep_users)) for pair in pairs)
        many = f"{len(dropped):,} of {len(texts):,} rows nearly repeat another one and were dropped, such as {examples}"
        log.warning("warning: %s (--near_duplicates off keeps them)", many)


def conversation_parts(messages: Sequence[dict]) -> tuple[tuple[str, ...], Hashable]:
    """Return the parts of a conversation that must all be similar, and a key that near duplicates must share.

    That is everything where a single letter matters: short answers, numbers, and the signs of formulas and code.
    """
    parts, answers = [], []
    for message in messages:
        if message["role"] != "system":
            parts += [message["content"], message.get("input") or ""]
        if message["role"] == "assistant" and len(message["content"]) <= SHORT_ANSWER:
            answers.append(text_key(message["content"]))
    signs = "\n".join(sign for part in parts for sign in _SIGNS.findall(remove_urls(part)))
    return tuple(parts), (len(parts), *answers, signs)


def _shown(pair: Sequence[str | Sequence[str]], with_names: bool) -> list[str]:
    """Return two texts on a line each, from shortly before they differ, without the names of users."""
    texts = [" ".join((text if isinstance(text, str) else " ".join(text)).split()) for text in pair]
    texts = texts if with_names else list(map(replace_mentions, texts))
    same = next((place for place, both in enumerate(zip(*texts, strict=False)) if both[0] != both[1]), 0)
    start = max(0, same - SHOWN_CHARACTERS // 2) if max(map(len, texts)) > SHOWN_CHARACTERS else 0
    return [repr(_cut(text, start)) for text in texts]


def _cut(text: str, start: int) -> str:
    end = start + SHOWN_CHARACTERS
    return f"{'…' if start else ''}{text[start:end]}{'…' if len(text) > end else ''}"
