"""Turn conversations into the rows of each split: duplicates, filters, length hints, token ids."""

import logging
import random
import re
from collections.abc import Sequence
from typing import NamedTuple

from utils.errors import DataError
from utils.models.chat_templates import LENGTHS, ChatTemplate, encode_answers, with_length
from utils.preprocessing.conversations import Conversation
from utils.preprocessing.filters import FilteredRows, Filters, KeptRows, in_other_language
from utils.preprocessing.near_duplicates import conversation_parts, drop_near_duplicates
from utils.preprocessing.usable_rows import UsableRows
from utils.processed import Split
from utils.text.duplicates import duplicated
from utils.text.words import count_words, text_key

log = logging.getLogger(__name__)
SYSTEM_LEFT_OUT = "system message, left out"


class Answer(NamedTuple):
    """An answer to learn, the messages before it, and the conversation that both are from."""

    text: str
    messages: list[dict]
    conversation: Conversation
    is_own: bool  # rather than an earlier turn, which other rows may hold as well


def filter_conversations(conversations: UsableRows, filters: Filters, seed: int, has_system: bool) -> FilteredRows:
    """Return a row for every answer that passes the filters; its metadata are the messages before it, id and location.

    Duplicates have (almost) the same instructions, inputs and answers, each compared on its own. Lengths are those of
    the answers. The group of a row is its first instruction; its part in that, its input or, without one, all questions
    of the chat. `has_system` says whether the template has a place for system messages, which are otherwise left out.
    """
    changed = dict(conversations.changed)
    kept = KeptRows(len(conversations.kept), conversations.dropped)
    if filters.language is not None:
        languages = [conversation.language for conversation in conversations.kept]
        kept.drop("other language", in_other_language(languages, filters.language))
    compared = [conversation_parts(each.messages) for each in conversations.kept]
    parts, apart = [each[0] for each in compared], [each[1] for each in compared]
    keys = [(text_key("".join(texts)), what) for texts, what in zip(parts, apart, strict=True)]
    kept.drop("exact duplicate", duplicated(kept.take(keys)))
    drop_near_duplicates(kept, parts, filters, apart=apart)
    distinct = kept.take(conversations.kept)
    if not has_system and (number := sum(each.messages[0]["role"] == "system" for each in distinct)):
        changed[SYSTEM_LEFT_OUT] = number

    answers = [answer for conversation in distinct for answer in _answers(conversation, has_system)]
    texts = [f"{_all_text(answer.messages)}\n{answer.text}" for answer in answers]
    kept = KeptRows(len(answers), kept.dropped)
    kept.drop("earlier turn that another row has", _repeated(answers, texts))
    kept.drop_by_words([count_words(answer.text) for answer in answers], texts, filters)
    kept.sample(filters, seed)
    answers = kept.take(answers)
    return FilteredRows(
        texts=[answer.text for answer in answers],
        labels=[None] * len(answers),
        groups=_groups(answers),
        parts=[_divided_by(answer) for answer in answers],
        metadata={
            "messages": [answer.messages for answer in answers],
            "id": [answer.conversation.id for answer in answers],
            "location": [answer.conversation.location for answer in answers],
        },
        dropped=kept.dropped,
        cleaned=changed,
        samples=[],
    )


def add_length_hints(filtered: FilteredRows, train_rows: Sequence[int], seed: int) -> dict[str, int]:
    """Make half of the training prompts, drawn with `seed`, ask for the length of their answer.

    A third of the training answers is short, a third medium, and a third long. Return the maximum words of a short and
    of a medium answer.
    """
    messages, answers = filtered.metadata["messages"], filtered.texts
    rows = [int(row) for row in train_rows]
    max_words = _max_words([count_words(answers[row]) for row in rows])
    for row in random.Random(seed).sample(rows, len(rows) // 2):
        words = count_words(answers[row])
        length = next((length for length, most in max_words.items() if words <= most), LENGTHS[-1])
        messages[row] = with_length(messages[row], length)
    return max_words


def encode_conversations(filtered: FilteredRows, template: ChatTemplate) -> Split:
    """Return the columns of all rows with their prompts and token ids; DataError if the template refuses one."""
    messages, locations = filtered.metadata["messages"], filtered.metadata["location"]
    try:
        ids, loss_start = encode_answers(template, messages, filtered.texts)
    except DataError as error:  # of "conversation N", which counts from 1
        problem = re.sub(r"^conversation (\d+)", lambda match: locations[int(match[1]) - 1], error.problem)
        raise DataError(problem, error.hint) from error
    prompts = [template.render(conversation) for conversation in messages]
    metadata = {"messages": messages, "id": filtered.metadata["id"]}
    return Split(prompts, filtered.texts, filtered.labels, filtered.groups, ids, loss_start, metadata)


def _answers(conversation: Conversation, has_system: bool) -> list[Answer]:
    before, answers = [], []
    for place, message in enumerate(conversation.messages):
        if message["role"] == "assistant" and place not in conversation.unlearned:
            answers.append(Answer(message["content"], list(before), conversation, place >= conversation.own))
        if has_system or message["role"] != "system":
            before.append(message)
    return answers


def _repeated(answers: Sequence[Answer], texts: Sequence[str]) -> list[bool]:
    """Return True for every answer of an earlier turn that another row has, too, after the same messages.

    `texts` are those of the messages and the answer.
    """
    if all(answer.is_own for answer in answers):
        return [False] * len(answers)
    keys = list(map(text_key, texts))
    learned = {key for key, answer in zip(keys, answers, strict=True) if answer.is_own}
    repeated = []
    for key, answer in zip(keys, answers, strict=True):
        repeated.append(not answer.is_own and key in learned)
        learned.add(key)
    return repeated


def _all_text(messages: Sequence[dict]) -> str:
    """Return the texts of users and assistant."""
    spoken = (message for message in messages if message["role"] != "system")
    return "\n".join(text for message in spoken for text in (message["content"], message.get("input")) if text)


def _groups(answers: Sequence[Answer]) -> list[str]:
    """Return a group name for every answer; the same first instruction has the same group."""
    numbers: dict[str, int] = {}
    spoken = ([message["content"] for message in answer.messages if message["role"] == "user"] for answer in answers)
    return [f"instruction {numbers.setdefault(text_key(first), len(numbers))}" for first, *_ in spoken]


def _divided_by(answer: Answer) -> str:
    """Return a key that is equal for answers to the same first input or, without one, to the same questions."""
    questions = [message for message in answer.conversation.messages if message["role"] == "user"]
    return text_key(questions[0].get("input") or "\n".join(question["content"] for question in questions))


def _max_words(word_counts: Sequence[int]) -> dict[str, int]:
    """Return the most words of a short and of a medium answer, which split the answers into thirds."""
    ordered = sorted(word_counts)
    limits = [ordered[-(-len(ordered) * third // 3) - 1] for third in (1, 2)]
    if limits[0] == limits[1] or limits[1] == ordered[-1]:
        log.warning("warning: the answers have too few lengths to learn all of %s", ", ".join(LENGTHS))
    return dict(zip(LENGTHS, limits, strict=False))
