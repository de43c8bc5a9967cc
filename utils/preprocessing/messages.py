"""Turn the turns of a chat into the messages of a conversation, and mark the answers to learn."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from utils.preprocessing.turns import TOOL_CALL, UNKNOWN_ROLE, Turn
from utils.preprocessing.usable_rows import UnusableRowError
from utils.text.placeholders import is_placeholder_answer

# Why turns are unusable.
NO_INSTRUCTION = "no instruction"
NO_ANSWER = "no answer"
PLACEHOLDER_ANSWER = "placeholder for an answer"
ONLY_ANSWERS = "only the assistant speaks"
OUT_OF_ORDER = "turns out of order"
WEIGHT_0 = "every answer has the weight 0"
# Kinds of changes in a chat.
LEADING_ANSWER = "answers before the first instruction, left out"
JOINED = "turns of one role in a row, joined"
NOT_LEARNED = "answers of weight 0, not learned"
LATER_TURNS = "later turns, left out"


def messages_of_turns(
    turns: Sequence[Turn], *, own: int = 0, multi_turn: bool = False
) -> tuple[list[dict], frozenset[int], list[str]]:
    """Return the messages up to the answer to learn, which of their numbers are not learned, and the kinds of change.

    That answer is the first from turn number `own` on; with `multi_turn` every answer is learned, up to the last.
    Later turns are ignored. UnusableRowError if a turn that is needed cannot be used; with `multi_turn`, a chat ends
    before such a turn.
    """
    roles = [turn.role for turn in turns]
    end = len(roles) - roles[::-1].index("assistant") if "assistant" in roles else len(roles)
    _check_roles(roles, end)
    messages, unlearned, changes, learned = [], set(), {}, 0
    place = 0
    for role, group in groupby(turns[:end], key=attrgetter("role")):
        members = list(group)
        place += len(members)
        if role == "assistant" and (not messages or messages[-1]["role"] == "system"):
            changes[LEADING_ANSWER] = True
            continue
        try:
            message = _message(role, members)
            if role == "system" and messages and messages[-1]["role"] != "system":
                raise UnusableRowError(OUT_OF_ORDER)
        except UnusableRowError as reason:
            if not (multi_turn and learned) or own:
                raise
            changes[f"{LATER_TURNS}: {reason}"] = True
            break
        if not message["content"]:
            continue  # an empty system message
        if messages and messages[-1]["role"] == role:  # two system messages around a leading answer
            message["content"] = f"{messages.pop()['content']}\n\n{message['content']}"
        if len(members) > 1 and sum(bool(member.text) for member in members) > 1:
            changes[JOINED] = True
        messages.append(message)
        if role != "assistant":
            continue
        counts = all(member.learn for member in members)
        if not counts:
            changes[NOT_LEARNED] = True
        if counts and (multi_turn or place > own):
            learned = len(messages)
            if not multi_turn:
                break
        else:
            unlearned.add(len(messages) - 1)
    if not learned:
        raise UnusableRowError(WEIGHT_0)
    return messages[:learned], frozenset(number for number in unlearned if number < learned), list(changes)


def _check_roles(roles: Sequence[str | None], end: int) -> None:
    """Raise UnusableRowError unless there are an instruction and an answer, or something to refuse by name."""
    if "assistant" not in roles:
        if "tool" in roles:
            raise UnusableRowError(TOOL_CALL)
        if None in roles:
            raise UnusableRowError(UNKNOWN_ROLE)
        raise UnusableRowError(NO_ANSWER if "user" in roles else NO_INSTRUCTION)
    if "user" not in roles[:end]:
        if None in roles[:end]:
            raise UnusableRowError(UNKNOWN_ROLE)
        raise UnusableRowError(NO_ANSWER if "user" in roles else ONLY_ANSWERS)


def _message(role: str | None, members: Sequence[Turn]) -> dict:
    """Return the message of turns of one role, or raise UnusableRowError."""
    if len(members) == 1:  # as nearly always: quickly
        [(_, text, problem, _, given)] = members
    else:
        problem = next((member.problem for member in members if member.problem), None)
        text = "\n\n".join(member.text for member in members if member.text)
        given = "\n\n".join(member.input for member in members if member.input)
    if problem is None and role is None:
        problem = UNKNOWN_ROLE
    if problem is None and role == "user" and not text:
        problem = NO_INSTRUCTION
    elif problem is None and role == "assistant":
        problem = NO_ANSWER if not text else PLACEHOLDER_ANSWER if is_placeholder_answer(text) else None
    if problem is not None:
        raise UnusableRowError(problem)
    message = {"role": role, "content": text}
    if given:
        message["input"] = given
    return message
