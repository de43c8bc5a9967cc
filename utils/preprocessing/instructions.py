"""From conversations to the splits of the processed pickle: duplicates, filters, length hints, token ids."""

import logging
import random
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from utils.errors import DataError
from utils.models.chat_templates import (
    LENGTHS,
    ChatTemplate,
    encode_answers,
    open_chat_template,
    set_chat_template,
    with_length,
)
from utils.preprocessing.conversations import Conversation, Conversations
from utils.preprocessing.filters import (
    HINTS,
    Filtered,
    Filters,
    describe_drops,
    in_another_language,
    not_chosen,
    with_excluded_word,
)
from utils.processed import Split
from utils.text.words import count_words

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)
SYSTEM_LEFT_OUT = "system message, left out"


def open_named_template(tokenizer: "PreTrainedTokenizerBase", template: str) -> ChatTemplate:
    """The template of that name, made the tokenizer's own."""
    set_chat_template(tokenizer, template)
    return open_chat_template(tokenizer)


def filter_conversations(found: Conversations, filters: Filters, seed: int, has_system: bool) -> Filtered:
    """One row for each answer that is left; its facts are the messages before it, the id, and where it stands.

    Duplicates are conversations whose instructions, inputs and answers are (almost) the same. Lengths are those of the
    answers. The group is the first instruction without its input. Without `has_system`, system messages are left out.
    """
    from utils.text.duplicates import exact_duplicates, near_duplicates

    dropped, changed = dict(found.dropped), dict(found.changed)

    def drop(reason: str, rows: list, unwanted: Iterable[bool]) -> list:
        left = [row for row, mark in zip(rows, unwanted, strict=True) if not mark]
        if len(left) < len(rows):
            dropped[reason] = len(rows) - len(left)
        return left

    kept = found.kept
    if filters.language is not None:
        kept = drop("other language", kept, in_another_language([row.language for row in kept], filters.language))
    kept = drop("exact duplicate", kept, exact_duplicates([_all_text(row.messages) for row in kept]))
    if kept:
        kept = drop("near duplicate", kept, near_duplicates([_all_text(row.messages) for row in kept]))
    if not has_system and (number := sum(row.messages[0]["role"] == "system" for row in kept)):
        log.info("the template has no place for a system message: %s are left out", f"{number:,}")
        changed[SYSTEM_LEFT_OUT] = number

    rows = [row for conversation in kept for row in _answers(conversation, has_system)]
    words = [count_words(answer) for _, answer, _ in rows]
    rows = drop("too short", rows, [number < filters.min_tokens for number in words])
    if filters.max_tokens is not None:
        words = [count_words(answer) for _, answer, _ in rows]
        rows = drop("too long", rows, [number > filters.max_tokens for number in words])
    if filters.exclude:
        texts = (f"{_all_text(messages)}\n{answer}" for messages, answer, _ in rows)
        rows = drop("excluded word", rows, with_excluded_word(texts, filters.exclude))
    if not rows:
        hint = HINTS.get(max(dropped, key=dropped.get, default=""), "see what the rows hold")
        raise DataError(f"no row is left: {describe_drops(dropped)}", hint)
    rows = drop("not sampled", rows, not_chosen(len(rows), filters, seed))
    return Filtered(
        texts=[answer for _, answer, _ in rows],
        labels=[None] * len(rows),
        groups=_groups([messages for messages, _, _ in rows]),
        metadata={
            "messages": [messages for messages, _, _ in rows],
            "id": [conversation.id for _, _, conversation in rows],
            "where": [conversation.where for _, _, conversation in rows],
        },
        dropped=dropped,
        cleaned=changed,
        samples=[],
    )


def encode_sides(
    filtered: Filtered, sides: dict[str, Sequence[int]], form: ChatTemplate, hints_seed: int | None = None
) -> tuple[dict[str, Split], dict[str, int] | None]:
    """The splits with their prompts as text and their token ids, and the most words of a short and a medium answer.

    With `hints_seed`, half of the training prompts, drawn with it, ask for the length that their answer has: a third of
    the training answers is short, a third medium, and a third long. Without, the second value is None. DataError naming
    file and row where the template refuses a conversation.
    """
    messages, lengths = list(filtered.metadata["messages"]), None
    if hints_seed is not None:
        train = [int(row) for row in sides["train"]]
        lengths = _length_limits([count_words(filtered.texts[row]) for row in train])
        for row in random.Random(hints_seed).sample(train, len(train) // 2):
            messages[row] = with_length(messages[row], _length(filtered.texts[row], lengths))
    try:
        ids, loss_start = encode_answers(form, messages, filtered.texts)
    except DataError as error:
        raise DataError(_located(error.problem, filtered.metadata["where"]), error.hint) from error
    whole = Split(
        prompt=[form.render(conversation) for conversation in messages],
        completion=filtered.texts,
        label=filtered.labels,
        group=filtered.groups,
        ids=ids,
        loss_start=loss_start,
        metadata={"messages": messages, "id": filtered.metadata["id"]},
    )
    return {name: whole.take(side) for name, side in sides.items()}, lengths


def _answers(conversation: Conversation, has_system: bool) -> list[tuple[list[dict], str, Conversation]]:
    """(messages before it, answer, conversation) of every answer."""
    messages = [message for message in conversation.messages if has_system or message["role"] != "system"]
    return [
        (messages[:place], message["content"], conversation)
        for place, message in enumerate(messages)
        if message["role"] == "assistant"
    ]


def _all_text(messages: Sequence[dict]) -> str:
    """What users and assistant say."""
    spoken = (message for message in messages if message["role"] != "system")
    return "\n".join(text for message in spoken for text in (message["content"], message.get("input")) if text)


def _groups(conversations: Sequence[Sequence[dict]]) -> list[str]:
    from utils.text.words import text_key

    numbers: dict[str, int] = {}
    first = (
        next(message["content"] for message in messages if message["role"] == "user") for messages in conversations
    )
    return [f"instruction {numbers.setdefault(text_key(text), len(numbers))}" for text in first]


def _length_limits(words: Sequence[int]) -> dict[str, int]:
    ordered = sorted(words)
    limits = [ordered[-(-len(ordered) * third // 3) - 1] for third in (1, 2)]
    if limits[0] == limits[1] or limits[1] == ordered[-1]:
        log.warning("warning: the answers are of few lengths; not all of %s can be learnt", ", ".join(LENGTHS))
    return dict(zip(LENGTHS, limits, strict=False))


def _length(answer: str, limits: dict[str, int]) -> str:
    words = count_words(answer)
    return next((length for length, most in limits.items() if words <= most), LENGTHS[-1])


def _located(problem: str, where: Sequence[str]) -> str:
    """The problem with file and row for "conversation N", which counts from 1."""
    return re.sub(r"^conversation (\d+)", lambda match: where[int(match[1]) - 1], problem)
