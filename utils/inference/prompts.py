"""What users ask of a model that writes: prompts, instructions and conversations, typed or in a file.

MERGED: Answers of models that follow instructions: which models do, and what of the command line they can be asked for."""

import argparse
import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import DataError, UsageError, UserError
from utils.models.chat_templates import borrow_template, open_chat_template, with_length
from utils.preprocessing.placeholders import is_placeholder_input
from utils.reading.encodings import to_utf8
from utils.text.cleaning import Cleaning, clean

if TYPE_CHECKING:
    from utils.inference.generation import Generated, Writer
    from utils.inference.sampling import Sampling
    from utils.models.chat_templates import ChatTemplate
    from utils.models.checkpoint import Trained

log = logging.getLogger(__name__)
# A text to go on with (and an instruction, for a model that follows those), or a conversation: a list of messages
# {"role": …, "content": …} that ends in a user's, which may have an "input".
Prompt = str | list[dict]
ROLES = ("system", "user", "assistant")
JSON_HINT = 'write one object a line: {"prompt": "…"}, {"instruction": "…", "input": "…"} or {"messages": […]}'


def prompts_from_flags(
    instructions: Sequence[str], inputs: Sequence[str], prompts: Sequence[str], path: Path | None
) -> list[Prompt]:
    """The instructions of the command line with their inputs, then its prompts, then what the file holds."""
    for flag, texts in (("instruction", instructions), ("input", inputs), ("prompt", prompts)):
        for text in texts:
            check_unicode_argument(flag, text)
    if not all(text.strip() for text in instructions):
        raise UsageError("an --instruction is empty", "say what the model is to do, or leave it out")
    if inputs and len(inputs) != len(instructions):
        raise UsageError(
            f"{len(inputs)} --input for {len(instructions)} --instruction",
            'give one for each, in the same order; --input "" for an instruction that needs none',
        )
    pairs = zip(instructions, inputs or [""] * len(instructions), strict=True)
    return [*(instruction_prompt(*pair) for pair in pairs), *prompts, *(read_prompts(path) if path else [])]


def check_unicode_argument(flag: str, text: str) -> None:
    """UsageError where a text of the command line is not Unicode."""
    if not is_unicode(text):
        raise UsageError(f"--{flag} {text!a} is not UTF-8", "put it into a file, and name that as --prompts_file")


def instruction_prompt(instruction: str, input_text: str = "") -> list[dict]:
    """The conversation that an instruction opens."""
    return [message("user", instruction, input_text)]


def message(role: str, content: str, input_text: str) -> dict:
    """A message as training has it: an empty input is none, and so is one that says so ("No input")."""
    given = strip_text(input_text)
    has_input = given and not is_placeholder_input(given)
    return {"role": role, "content": strip_text(content)} | ({"input": given} if has_input else {})


def strip_text(text: str) -> str:
    """The text as texts of conversations are trained on: line feeds alone, nothing around it."""
    return text.replace("\r\n", "\n").strip()


def read_prompts(path: Path) -> list[Prompt]:
    """The prompts in a file: its lines, or what each line's JSON object asks; blank lines don't count."""
    try:
        text = to_utf8(path.read_bytes(), str(path))[0].decode()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", "name a text file as --prompts_file") from error
    read = prompt_of_json if path.suffix in (".jsonl", ".ndjson", ".json") else lambda line, where: line
    lines = enumerate(text.split("\n"), start=1)
    prompts = [read(line, f"{path}, line {number}") for number, line in lines if line.strip()]
    if not prompts:
        raise DataError(f"{path} holds no prompts", "write one prompt a line, or leave out --prompts_file")
    return prompts


def prompt_of_json(line: str, where: str) -> Prompt:
    """What a JSON object asks; DataError, with `where` the line is, for anything else."""
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}, column {error.colno} is not JSON: {error.msg}", JSON_HINT) from error
    value = value if isinstance(value, dict) else {}
    if "messages" in value:
        return conversation_of_json(value["messages"], where)
    if "instruction" in value:
        instruction, input_text = value["instruction"], value.get("input") or ""
        if not is_text(instruction) or not instruction.strip():
            raise DataError(f'{where} has no "instruction" that is a text', JSON_HINT)
        if not is_text(input_text):
            raise DataError(f'{where} has an "input" that is no text', JSON_HINT)
        return instruction_prompt(instruction, input_text)
    if not is_text(value.get("prompt")):
        raise DataError(f'{where} has no "prompt" that is a text', JSON_HINT)
    return value["prompt"]


def conversation_of_json(messages: object, where: str) -> list[dict]:
    """The messages, once they are a conversation that waits for an answer."""
    if not isinstance(messages, list) or not messages:
        raise DataError(f'{where} has no "messages" that are a list', JSON_HINT)
    conversation = []
    for number, entry in enumerate(messages, start=1):
        entry = entry if isinstance(entry, dict) else {}
        if entry.get("role") not in ROLES or not is_text(entry.get("content")):
            raise DataError(
                f"{where}: message {number} has no role of {', '.join(ROLES)} and a content that is a text",
                'write {"role": "user", "content": "…"}',
            )
        input_text = entry.get("input") or ""
        if not is_text(input_text):
            raise DataError(f'{where}: message {number} has an "input" that is no text', JSON_HINT)
        conversation.append(message(entry["role"], entry["content"], input_text))
    turns = conversation[conversation[0]["role"] == "system" :]
    expected = [("user", "assistant")[number % 2] for number in range(len(turns))]
    if [turn["role"] for turn in turns] != expected or len(turns) % 2 == 0:
        roles = ", ".join(entry["role"] for entry in conversation)
        raise DataError(
            f"{where}: the messages' roles are {roles}; user and assistant must alternate, from a user to a user",
            "end it in what is to be answered",
        )
    if not turns[-1]["content"]:
        raise DataError(f"{where}: message {len(conversation)}, the one to answer, is empty", "say what is wanted")
    return conversation


def as_conversations(prompts: Sequence[Prompt], system: str | None) -> list[list[dict]]:
    """The prompts for a model that follows instructions; `system` goes in front where a conversation has none."""
    conversations = [instruction_prompt(prompt) if isinstance(prompt, str) else prompt for prompt in prompts]
    for number, conversation in enumerate(conversations, start=1):
        if not conversation[-1]["content"]:
            raise UserError(f"prompt {number} is empty, and no instruction to follow", "say what the model is to do")
    if not system:
        return conversations
    first = {"role": "system", "content": strip_text(system)}
    return [
        conversation if conversation[0]["role"] == "system" else [first, *conversation]
        for conversation in conversations
    ]


def clean_prompts(prompts: list[str], settings: dict | None) -> list[str]:
    """The prompts cleaned as the model's training texts were; a base model's are left as they are.

    Cleaning takes the blank at a prompt's end too, and rightly: the model writes a blank together with the word
    after it, and has never seen a text that goes on behind a lone one.
    """
    if settings is None:
        return prompts
    results = [clean(prompt, Cleaning(**settings)) for prompt in prompts]
    for number, (prompt, result) in enumerate(zip(prompts, results, strict=True), start=1):
        if prompt and not result:
            log.warning("warning: nothing of prompt %d (%r) is left after cleaning: the model begins", number, prompt)
    return results


def is_text(value: object) -> bool:
    """Whether a value of a JSON file is a text."""
    return isinstance(value, str) and is_unicode(value)


def is_unicode(text: str) -> bool:
    """Whether the text has no half of a surrogate pair: undecodable arguments and JSON escapes may leave one."""
    return text.encode(errors="replace").decode() == text


# An answer's settings where the user does not say; a tweet's are those of Sampling. Small models go round in circles:
# one that may not write four tokens in a row again ends by itself 98 times of 100, and else 92 (docs/results.md).
ANSWER_MAX_NEW_TOKENS = 256
ANSWER_NO_REPEAT_NGRAM_SIZE = 4
INSTRUCTION_FLAGS = ("instruction", "input", "system", "length", "chat")


def follows_instructions(args: argparse.Namespace, trained: "Trained", prompts: Sequence["Prompt"]) -> bool:
    """Whether the model is to answer the prompts rather than to go on with them.

    UserError where it cannot do what it is asked: a base model that brings a chat template can do both.
    """
    flags = [f"--{name}" for name in INSTRUCTION_FLAGS if getattr(args, name)]
    asked = flags or [str(args.prompts_file)] * any(not isinstance(prompt, str) for prompt in prompts)
    if trained.run.get("kind") != "instruct":
        if not asked:
            return False
        if trained.run or not trained.tokenizer.chat_template:
            raise UserError(
                f"{args.model_path} goes on with texts and follows no instructions: {asked[0]} is not for it",
                'give it --prompt "…", or name a model that was trained on instructions (preprocess.py --task alpaca)',
            )
    if not prompts and not args.chat:
        raise UserError(
            f"{args.model_path} follows instructions, and was given none", 'add --instruction "…", or --chat to talk'
        )
    if args.length and not trained.run.get("lengths"):
        raise UserError(
            f"{args.model_path} has not learnt what a {args.length} answer is",
            "leave out --length (--max_new_tokens cuts); preprocess.py --length_hints teaches it",
        )
    return True


def open_checked_template(
    trained: "Trained", conversations: Iterable[Sequence[dict]], name: str = "tuned"
) -> "ChatTemplate":
    """The model's chat template; UserError where it has no place for what the conversations hold."""
    form = open_chat_template(trained.tokenizer)
    if not form.has_system and any(conversation[0]["role"] == "system" for conversation in conversations):
        raise UserError(
            f"the chat template of the {name} model has no place for a system message",
            "leave out --system, and say it in the instruction",
        )
    return form


def answer_conversations(
    models: dict[str, "Trained"],
    conversations: Sequence[Sequence[dict]],
    length: str | None,
    sampling: "Sampling",
    writers: dict[str, "Writer"],
) -> dict[str, list[list["Generated"]]]:
    """What each model, by its name, answers to each conversation; `writers` write for them.

    A base model is prompted with its own chat template, and without one with that of the model tuned from it.
    """
    if length:
        conversations = [with_length(conversation, length) for conversation in conversations]
    if "tuned" in models:
        for each in models.values():
            borrow_template(each.tokenizer, models["tuned"].tokenizer)
    forms = {name: open_checked_template(each, conversations, name) for name, each in models.items()}
    prompts = {name: form.encode(conversations) for name, form in forms.items()}
    return {name: write(prompts[name], sampling, end=forms[name].end) for name, write in writers.items()}
