"""Chat templates: conversations → prompts. They are Jinja templates, saved with the tokenizer for any tool to use."""

import array
import contextlib
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from utils.errors import DataError, UserError
from utils.models.load_errors import open_with
from utils.models.tokenization import start_and_end, token_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# {"role": "system" | "user" | "assistant", "content": …}; a user message may have "input" and "length" (of LENGTHS).
Conversation = Sequence[dict]
# The properties of a conversation that its filled template depends on: the role of each message, and whether it has an
# input and a length.
Shape = tuple[tuple[str, bool, bool], ...]
LENGTHS = ("short", "medium", "long")
SECONDS_TO_RENDER = 5
_START = "{{ bos_token or eos_token }}"
_TURNS = (
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "### Instruction:\n{{ message['content'] }}{{ '\n\n' }}"
    "{% if message['input'] %}### Input:\n{{ message['input'] }}{{ '\n\n' }}{% endif %}### Response:"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] }}{{ eos_token }}"
    "{% if not loop.last %}{{ '\n\n' }}{% endif %}"
    "{% else %}{{ raise_exception('it has no place for the role ' ~ message['role']) }}{% endif %}{% endfor %}"
)
# Stanford Alpaca's prompts (PROMPT_DICT in its train.py), with earlier turns in the same form.
_STANFORD = (
    _START + "Below is an instruction that describes a task"
    "{% if messages[0]['input'] %}, paired with an input that provides further context{% endif %}. "
    "Write a response that appropriately completes the request.\n\n" + _TURNS
)
_PLAIN = _START + _TURNS.replace("### ", "").replace("Response:", "Response:\n")
TEMPLATES: dict[str, str | None] = {"stanford": _STANFORD, "plain": _PLAIN, "chat": None}  # None: the tokenizer's own
# In a filled template, the placeholder of the text with that number; private-use characters, which no template has.
_SLOT = "\ue000{}\ue001"
_SLOTS = re.compile("\ue000([0-9]+)\ue001")


@dataclass(frozen=True)
class ChatTemplate:
    """A tokenizer's chat template, ready to encode conversations.

    `end` is the id of the token that ends an answer. `has_system` and `has_input` say whether the template has a place
    for a system message and for a user's input; without one, the input follows the instruction after a blank line.
    `skeletons` are those that were filled in before (see `skeleton`), which then need neither Jinja nor transformers.
    """

    tokenizer: "PreTrainedTokenizerBase"
    end: int
    has_system: bool
    has_input: bool
    special_tokens: re.Pattern
    skeletons: Mapping[Shape, list[str]] = field(default_factory=dict)

    def encode(self, conversations: Sequence[Conversation]) -> list[list[int]]:
        """Return the ids of each conversation as a prompt for the next answer, from the start token on.

        Only the template makes special tokens; their names in a text are plain text. DataError names the first
        conversation, counted from 1, that the template refuses.
        """
        skeletons = dict(self.skeletons)
        prompts = []
        for number, conversation in enumerate(conversations, start=1):
            shape = _shape(conversation)
            if shape not in skeletons:
                skeletons[shape] = self.skeleton(shape, number)
            prompts.append(_fill(skeletons[shape], conversation))
        encoded = iter(token_ids(self.tokenizer, [piece for prompt in prompts for piece in prompt[::2]]))
        id_of = self.tokenizer.convert_tokens_to_ids
        return [
            [id for place, piece in enumerate(prompt) for id in ([id_of(piece)] if place % 2 else next(encoded))]
            for prompt in prompts
        ]

    def render(self, conversation: Conversation) -> str:
        """Return the prompt as text."""
        return "".join(_fill([self._with_slots(_shape(conversation), 1)], conversation))

    def skeleton(self, shape: Shape, number: int = 1) -> list[str]:
        """Return the template for conversations of one shape, with slots: text, special token, text, …, text.

        DataError, about the conversation with this number, where the template refuses such conversations.
        """
        return self.special_tokens.split(self._with_slots(shape, number))

    def _with_slots(self, shape: Shape, number: int) -> str:
        messages = []
        for place, (role, has_input, has_length) in enumerate(shape):
            content, input_text, length = (_SLOT.format(3 * place + part) for part in range(3))
            message = {"role": role, "content": content}
            if has_input and self.has_input:
                message["input"] = input_text
            elif has_input:
                message["content"] += f"\n\n{input_text}"
            if has_length:
                message["content"] += f"\n\nAnswer length: {length}"
            messages.append(message)
        try:
            return _render(self.tokenizer, messages)
        except _RefusedError as error:
            hint = "remove the conversation, or use another --template"
            raise DataError(f"conversation {number}: the chat template refuses it: {error}", hint) from error


def set_chat_template(tokenizer: "PreTrainedTokenizerBase", name: str) -> None:
    """Set the tokenizer's chat template to one of TEMPLATES; it is saved with the tokenizer."""
    if TEMPLATES[name] is not None:
        tokenizer.chat_template = TEMPLATES[name]
    elif not tokenizer.chat_template:
        choices = " or ".join(f"--template {choice}" for choice, template in TEMPLATES.items() if template)
        raise UserError(f"--template {name}, but {tokenizer.name_or_path} has no chat template", f"use {choices}")


def keeps_system(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Return whether the tokenizer has a chat template with a place for a system message."""
    system = {"role": "system", "content": _SLOT.format(0)}
    return bool(tokenizer.chat_template) and _has_slot(tokenizer, [system, _user("Hello")])


def borrow_template(base: "PreTrainedTokenizerBase", tuned: "PreTrainedTokenizerBase") -> None:
    """Give a base model's tokenizer without a chat template the one of the model tuned from it."""
    if not base.chat_template:
        base.chat_template = tuned.chat_template


def open_chat_template(tokenizer: "PreTrainedTokenizerBase") -> ChatTemplate:
    """Return the tokenizer's chat template, ready to use. UserError without one, or without end-of-text."""
    end = start_and_end(tokenizer)[1]
    if not tokenizer.chat_template:
        hint = "train it on instructions: python preprocess.py --task alpaca --data_path YOUR_DATA.json"
        raise UserError(f"{tokenizer.name_or_path} has no chat template, so the form of its prompts is unknown", hint)
    special_tokens = special_tokens_pattern(tokenizer)
    try:
        end_of_turn = _end_of_turn(tokenizer, special_tokens, end)
    except _RefusedError as error:
        raise UserError(
            f"the chat template of {tokenizer.name_or_path} refuses a user and an assistant: {error}",
            "use another --template, or another base model",
        ) from error
    has_input = _has_slot(tokenizer, [{**_user("Hello"), "input": _SLOT.format(0)}])
    return ChatTemplate(tokenizer, end_of_turn, keeps_system(tokenizer), has_input, special_tokens)


def special_tokens_pattern(tokenizer: "PreTrainedTokenizerBase") -> re.Pattern:
    """Return the pattern that splits a text at special tokens; tokenizers encode the texts between them one by one.

    Some, such as Phi-3's, take up the white space before or after them, which is in no piece then.
    """
    special = [token for token in tokenizer.added_tokens_decoder.values() if token.special]
    special.sort(key=lambda token: len(token.content), reverse=True)
    tokens = "|".join(re.escape(token.content) for token in special)
    before = "|".join(re.escape(token.content) for token in special if token.lstrip) or "(?!)"
    after = "|".join(f"(?<={re.escape(token.content)})" for token in special if token.rstrip) or "(?!)"
    return re.compile(rf"(?:\s*(?={before}))?({tokens})(?:(?:{after})\s*)?")


def encode_answers(
    template: ChatTemplate, conversations: Sequence[Conversation], answers: Sequence[str]
) -> tuple[list[array.array], list[int]]:
    """Return (ids, loss_start) of answered conversations: prompt, answer, end; prompt and answer encoded separately."""
    prompts = template.encode(conversations)
    answer_ids = token_ids(template.tokenizer, answers)
    ids = [array.array("I", [*prompt, *one, template.end]) for prompt, one in zip(prompts, answer_ids, strict=True)]
    return ids, [len(prompt) for prompt in prompts]


def with_length(conversation: Conversation, length: str) -> list[dict]:
    """Return the conversation with a last message that asks for a short, medium or long answer."""
    *before, last = conversation
    return [*before, {**last, "length": length}]


class _RefusedError(Exception):
    """The reason why a chat template cannot write a conversation."""


class _OutOfTimeError(Exception):
    """A chat template takes too long."""


def _render(tokenizer: "PreTrainedTokenizerBase", messages: Conversation, answered: bool = False) -> str:
    import transformers.utils.chat_template_utils  # noqa: F401 (its import must not count towards the time limit)
    from jinja2 import TemplateError

    render, options = tokenizer.apply_chat_template, {"tokenize": False, "add_generation_prompt": not answered}
    try:
        with _time_limit(SECONDS_TO_RENDER):
            return open_with("it fails", "use another --template", render, messages, **options)
    except UserError as error:  # a template may raise anything
        reason = str(error.__cause__) if isinstance(error.__cause__, TemplateError) else error.problem
        raise _RefusedError(reason) from error
    except _OutOfTimeError as error:
        raise _RefusedError(f"it takes more than {SECONDS_TO_RENDER} seconds") from error
    except RecursionError as error:  # in `watch`, which is ours
        raise _RefusedError("it calls itself endlessly") from error


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise _OutOfTimeError in the functions that are called inside, such as a template with an endless loop."""
    end = time.monotonic() + seconds

    def watch(*_):
        if time.monotonic() > end:
            raise _OutOfTimeError
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        yield
    finally:
        sys.settrace(before)


def _shape(conversation: Conversation) -> Shape:
    return tuple((message["role"], "input" in message, "length" in message) for message in conversation)


def _fill(skeleton: list[str], conversation: Conversation) -> list[str]:
    texts = [message.get(key, "") for message in conversation for key in ("content", "input", "length")]
    return [_SLOTS.sub(lambda slot: texts[int(slot[1])], piece) for piece in skeleton]


def _has_slot(tokenizer: "PreTrainedTokenizerBase", messages: Conversation) -> bool:
    try:
        return _SLOT.format(0) in _render(tokenizer, messages)
    except _RefusedError:
        return False


def _end_of_turn(tokenizer: "PreTrainedTokenizerBase", special_tokens: re.Pattern, end_of_text: int) -> int:
    """Return the id of the special token that the template writes after an answer, or else end-of-text."""
    answered = [_user("Hello"), {"role": "assistant", "content": _SLOT.format(0)}]
    after = _render(tokenizer, answered, answered=True).partition(_SLOT.format(0))[2]
    text, *special = special_tokens.split(after)
    return tokenizer.convert_tokens_to_ids(special[0]) if special and not text.strip() else end_of_text


def _user(text: str) -> dict:
    return {"role": "user", "content": text}
