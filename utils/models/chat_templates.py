"""How a conversation is written for a model: Jinja chat templates, which travel with the tokenizer to any tool."""

import array
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.errors import DataError, UserError
from utils.models.tokenization import start_and_end, token_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# {"role": "system" | "user" | "assistant", "content": …}; a user's may have an "input", and a "length" of LENGTHS.
Conversation = Sequence[dict]
_START = "{{ bos_token or eos_token }}"
_REFUSED = "{% else %}{{ raise_exception('it has no place for the role ' ~ message['role']) }}{% endif %}{% endfor %}"
# Stanford Alpaca's prompts (PROMPT_DICT in its train.py), with earlier turns in the same form.
_STANFORD = (
    _START + "Below is an instruction that describes a task"
    "{% if messages[0]['input'] %}, paired with an input that provides further context{% endif %}. "
    "Write a response that appropriately completes the request.\n\n"
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "### Instruction:\n{{ message['content'] }}{{ '\n\n' }}"
    "{% if message['input'] %}### Input:\n{{ message['input'] }}{{ '\n\n' }}{% endif %}### Response:"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] }}{{ eos_token }}"
    "{% if not loop.last %}{{ '\n\n' }}{% endif %}" + _REFUSED
)
_PLAIN = (
    _START + "{% for message in messages %}{% if message['role'] == 'user' %}"
    "Instruction:\n{{ message['content'] }}{{ '\n\n' }}"
    "{% if message['input'] %}Input:\n{{ message['input'] }}{{ '\n\n' }}{% endif %}Response:\n"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] }}{{ eos_token }}"
    "{% if not loop.last %}{{ '\n\n' }}{% endif %}" + _REFUSED
)
TEMPLATES: dict[str, str | None] = {"stanford": _STANFORD, "plain": _PLAIN, "chat": None}  # None: the tokenizer's own
LENGTHS = ("short", "medium", "long")
_PLACE = "\ue000{}\ue001"  # stands for a text while a template is filled; private characters, which no template has
_PLACES = re.compile("\ue000([0-9]+)\ue001")


@dataclass(frozen=True)
class ChatTemplate:
    """A tokenizer's chat template in use.

    `end` is the id that ends an answer; `has_system` and `has_input` say whether the template has a place for a system
    message, and for a user's input beside the instruction (else it follows the instruction after a blank line).
    """

    tokenizer: "PreTrainedTokenizerBase"
    end: int
    has_system: bool
    has_input: bool
    special_tokens: re.Pattern

    def encode(self, conversations: Sequence[Conversation]) -> list[list[int]]:
        """The ids of each conversation as a prompt for the answer to it, from the start token on.

        Special tokens are the template's alone: what looks like one in a text is text. DataError names the first
        conversation, counted from 1, that the template refuses.
        """
        skeletons: dict[tuple, list[str]] = {}
        prompts = []
        for number, conversation in enumerate(conversations, start=1):
            shape = _shape(conversation)
            if shape not in skeletons:
                skeletons[shape] = self._skeleton(shape, number)
            prompts.append(self._fill(skeletons[shape], conversation))
        encoded = iter(token_ids(self.tokenizer, [piece for prompt in prompts for piece in prompt[::2]]))
        id_of = self.tokenizer.convert_tokens_to_ids
        return [
            [id for place, piece in enumerate(prompt) for id in ([id_of(piece)] if place % 2 else next(encoded))]
            for prompt in prompts
        ]

    def render(self, conversation: Conversation) -> str:
        """The prompt as text."""
        return "".join(self._fill(self._skeleton(_shape(conversation), 1), conversation))

    def _skeleton(self, shape: Sequence[tuple[str, bool, bool]], number: int) -> list[str]:
        """The filled template of conversations of one shape, a place for each text: text, special token, text, …"""
        messages = []
        for place, (role, has_input, has_length) in enumerate(shape):
            content, after, length = (_PLACE.format(3 * place + part) for part in range(3))
            message = {"role": role, "content": content}
            if has_input and self.has_input:
                message["input"] = after
            elif has_input:
                message["content"] += f"\n\n{after}"
            if has_length:
                message["content"] += f"\n\nAnswer length: {length}"
            messages.append(message)
        try:
            return self.special_tokens.split(_filled(self.tokenizer, messages))
        except _RefusedError as error:
            raise DataError(
                f"conversation {number}: the chat template refuses it: {error}",
                "leave the conversation out, or use another --template",
            ) from error

    def _fill(self, skeleton: list[str], conversation: Conversation) -> list[str]:
        texts = [message.get(key, "") for message in conversation for key in ("content", "input", "length")]
        return [_PLACES.sub(lambda match: texts[int(match[1])], piece) for piece in skeleton]


def set_chat_template(tokenizer: "PreTrainedTokenizerBase", name: str) -> None:
    """Make `name` of TEMPLATES the tokenizer's chat template, which is saved with it."""
    if TEMPLATES[name] is not None:
        tokenizer.chat_template = TEMPLATES[name]
    elif not tokenizer.chat_template:
        others = " or ".join(f"--template {other}" for other, template in TEMPLATES.items() if template)
        raise UserError(f"--template {name}, but {tokenizer.name_or_path} brings no chat template", f"use {others}")


def open_chat_template(tokenizer: "PreTrainedTokenizerBase") -> ChatTemplate:
    """The tokenizer's chat template, ready for use. UserError without one, or without end-of-text."""
    end = start_and_end(tokenizer)[1]
    if not tokenizer.chat_template:
        raise UserError(
            f"{tokenizer.name_or_path} brings no chat template, so there is no knowing how it is to be asked",
            "train it on instructions: python preprocess.py --task alpaca --data_path YOUR_DATA.json",
        )
    # Tokenizers too take the texts between special tokens one by one.
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    special_tokens = re.compile("(" + "|".join(map(re.escape, sorted(special, key=len, reverse=True))) + ")")
    try:
        end_of_turn = _end_of_turn(tokenizer, special_tokens, end)
    except _RefusedError as error:
        raise UserError(
            f"the chat template of {tokenizer.name_or_path} refuses a user and an assistant: {error}",
            "use another --template, or another base model",
        ) from error
    return ChatTemplate(
        tokenizer,
        end=end_of_turn,
        has_system=_has_place(tokenizer, [{"role": "system", "content": _PLACE.format(0)}, _user("Hello")]),
        has_input=_has_place(tokenizer, [{**_user("Hello"), "input": _PLACE.format(0)}]),
        special_tokens=special_tokens,
    )


def encode_answers(
    form: ChatTemplate, conversations: Sequence[Conversation], completions: Sequence[str]
) -> tuple[list[array.array], list[int]]:
    """(ids, loss_start) of each answered conversation: prompt, answer, end; prompt and answer encoded apart."""
    prompts = form.encode(conversations)
    answers = token_ids(form.tokenizer, completions)
    ids = [array.array("I", [*prompt, *answer, form.end]) for prompt, answer in zip(prompts, answers, strict=True)]
    return ids, [len(prompt) for prompt in prompts]


def with_length(conversation: Conversation, length: str) -> list[dict]:
    """The conversation, whose last message asks for a short, medium or long answer."""
    *before, last = conversation
    return [*before, {**last, "length": length}]


def borrow_template(base: "PreTrainedTokenizerBase", tuned: "PreTrainedTokenizerBase") -> None:
    """Give a base model's tokenizer that brings no chat template the one of the model tuned from it."""
    base.chat_template = base.chat_template or tuned.chat_template


def _shape(conversation: Conversation) -> tuple[tuple[str, bool, bool], ...]:
    return tuple((message["role"], "input" in message, "length" in message) for message in conversation)


def _user(text: str) -> dict:
    return {"role": "user", "content": text}


class _RefusedError(Exception):
    """A chat template that cannot write a conversation, and why."""


def _filled(tokenizer: "PreTrainedTokenizerBase", messages: Conversation, answered: bool = False) -> str:
    from jinja2 import TemplateError

    try:
        return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=not answered)
    except TemplateError as error:
        raise _RefusedError(str(error)) from error


def _has_place(tokenizer: "PreTrainedTokenizerBase", messages: Conversation) -> bool:
    try:
        return _PLACE.format(0) in _filled(tokenizer, messages)
    except _RefusedError:
        return False


def _end_of_turn(tokenizer: "PreTrainedTokenizerBase", special_tokens: re.Pattern, end_of_text: int) -> int:
    """The special token that the template puts behind an answer, or else end-of-text."""
    answered = [_user("Hello"), {"role": "assistant", "content": _PLACE.format(0)}]
    after = _filled(tokenizer, answered, answered=True).partition(_PLACE.format(0))[2]
    text, *special = special_tokens.split(after)
    return tokenizer.convert_tokens_to_ids(special[0]) if special and not text.strip() else end_of_text
