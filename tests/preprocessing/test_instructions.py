"""From conversations to rows and splits: filters, groups, and where a refused conversation is."""

from dataclasses import replace

import pytest
from small_models import tiny_tokenizer

from utils.errors import DataError
from utils.models.chat_templates import open_chat_template, set_chat_template
from utils.preprocessing.conversations import Conversation
from utils.preprocessing.filters import Filters
from utils.preprocessing.instructions import encode_conversations, filter_conversations
from utils.preprocessing.usable_rows import UsableRows


def conversation(number, *texts, system=None, language=None):
    """A conversation of these texts, whose first is the user's."""
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": ("user", "assistant")[turn % 2], "content": text} for turn, text in enumerate(texts)]
    return Conversation(messages, f"a.jsonl, row {number}", str(number), language)


CHAT = conversation(1, "Name a fruit.", "An apple.", "Another fruit!", "A banana, ripe and yellow.", system="Be brief.")
TWIN = conversation(2, "name a fruit", "The quince is a fruit that few people eat.")


def filtered(*conversations, has_system=True, dropped=None, **filters):
    return filter_conversations(UsableRows(list(conversations), dropped or {}, {}), Filters(**filters), 0, has_system)


def test_every_answer_is_a_row_in_the_group_of_its_first_instruction():
    rows = filtered(CHAT, TWIN, conversation(3, "Name a town.", "Riga lies on the Baltic Sea."))
    assert rows.texts[:2] == ["An apple.", "A banana, ripe and yellow."]
    assert rows.groups == ["instruction 0", "instruction 0", "instruction 0", "instruction 1"]
    assert rows.parts == ["nameafruitanotherfruit", "nameafruitanotherfruit", "nameafruit", "nameatown"]
    assert rows.metadata["messages"][1] == CHAT.messages[:4]
    assert rows.metadata["id"] == ["1", "1", "2", "3"]
    assert rows.dropped == rows.cleaned == {}


def test_earlier_turns_of_a_row_are_learned_once():
    question, answer = CHAT.messages[1:3]
    later = replace(CHAT, own=4)
    short = Conversation([*CHAT.messages[:1], question, answer], "a.jsonl, row 9", "9", None)
    context = replace(CHAT, unlearned=frozenset({2}), own=4)
    assert filtered(later, short).texts == ["A banana, ripe and yellow.", "An apple."]
    assert filtered(later, short).dropped == {"earlier turn that another row has": 1}
    rows = filtered(context)
    assert (rows.texts, rows.metadata["messages"]) == (["A banana, ripe and yellow."], [CHAT.messages[:4]])


def test_lengths_are_those_of_answers_and_words_are_excluded_everywhere():
    rows = filtered(CHAT, TWIN, min_words=3, exclude=("ripe", "brief", "BE"))
    assert rows.texts == [TWIN.messages[-1]["content"]]
    assert rows.dropped == {"too short": 1, "excluded word": 1}
    assert filtered(CHAT, max_words=2).texts == ["An apple."]


def test_system_messages_are_left_out_where_the_template_has_no_place():
    rows = filtered(CHAT, TWIN, has_system=False)
    assert rows.cleaned == {"system message, left out": 1}
    assert [message["role"] for messages in rows.metadata["messages"] for message in messages].count("system") == 0


def test_one_language_and_nothing_left():
    french = conversation(4, "Nomme un fruit.", "Une pomme.", language="fr-ca")
    rows = filtered(replace(CHAT, language="en"), french, language="fr", dropped={"no answer": 2})
    assert (rows.texts, rows.dropped) == (["Une pomme."], {"no answer": 2, "other language": 1})
    for conversations in ([], [CHAT]):
        with pytest.raises(DataError, match="rows were dropped: 3 no answer"):
            filtered(*conversations, dropped={"no answer": 3}, min_words=9)


def test_a_conversation_that_the_template_refuses_is_named_by_its_row():
    tokenizer = tiny_tokenizer()
    set_chat_template(tokenizer, "plain")
    rows = filtered(TWIN, CHAT)
    with pytest.raises(DataError) as caught:
        encode_conversations(rows, open_chat_template(tokenizer))
    assert caught.value.problem.startswith("a.jsonl, row 1: the chat template refuses it")
