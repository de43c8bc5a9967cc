"""The prompts of generate.py: texts to continue, instructions and conversations, from flags and from files."""

import itertools
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from utils import distributed
from utils.errors import DataError, UsageError
from utils.inference.generation import Generated, TextGenerator, encode_prompts
from utils.inference.sampling import Sampling
from utils.models.checkpoint import Trained
from utils.models.tokenization import apply_template
from utils.reading.encodings import to_utf8
from utils.reading.piped_lines import arriving_lines, is_redirected
from utils.system_errors import read_file
from utils.text.cleaning import clean, from_saved
from utils.text.placeholders import is_placeholder_input

log = logging.getLogger(__name__)
# A text to continue (an instruction, for a model that follows those), or a conversation: a list of messages
# {"role": …, "content": …} that ends with a user's, which may have an "input".
Prompt = str | list[dict]
ROLES = ("system", "user", "assistant")
STDIN = "-"
PROMPT_KEYS = {"prompt", "instruction", "messages"}
JSON_HINT = 'write one object per line: {"prompt": "…"}, {"instruction": "…", "input": "…"} or {"messages": […]}'


def prompts_from_flags(
    instructions: Sequence[str], inputs: Sequence[str], prompts: Sequence[str], path: Path | None
) -> list[Prompt]:
    """Return the instructions of the command line with their inputs, then its prompts, then those of the file.

    The file "-" is stdin, which is also read where there is neither a prompt nor a file and stdin is redirected.
    """
    for flag, texts in (("instruction", instructions), ("input", inputs), ("prompt", prompts)):
        for text in texts:
            check_unicode_argument(flag, text)
    if not all(text.strip() for text in instructions):
        raise UsageError("an --instruction is empty", "write an instruction, or remove it")
    if inputs and len(inputs) != len(instructions):
        raise UsageError(
            f"there are {len(inputs)} --input for {len(instructions)} --instruction",
            'give one for each, in the same order; --input "" for an instruction that needs none',
        )
    pairs = zip(instructions, inputs or [""] * len(instructions), strict=True)
    given = [*(instruction_prompt(*pair) for pair in pairs), *prompts]
    if str(path) == STDIN:
        return [*given, *piped_prompts()]
    if path is not None:
        return [*given, *read_prompts(path)]
    if given or not is_redirected() or distributed.world_size() > 1:
        return given
    return piped_prompts(required=False)


def check_unicode_argument(flag: str, text: str, file_flag: str = "prompts_file") -> None:
    """Raise UsageError where a text of the command line is not valid UTF-8."""
    if not is_unicode(text):
        raise UsageError(f"--{flag} {text!a} is not valid UTF-8", f"put it into a file and use --{file_flag}")


def instruction_prompt(instruction: str, input_text: str = "") -> list[dict]:
    """Return the conversation that begins with an instruction."""
    return [message("user", instruction, input_text)]


def message(role: str, content: str, input_text: str) -> dict:
    """Return a message as in training, where an empty input and one such as "No input" are left out."""
    input_text = strip_text(input_text)
    has_input = input_text and not is_placeholder_input(input_text)
    return {"role": role, "content": strip_text(content)} | ({"input": input_text} if has_input else {})


def strip_text(text: str) -> str:
    """Return the text as in training on conversations: line feeds as line ends, no white space around it."""
    return text.replace("\r\n", "\n").strip()


def read_prompts(path: Path) -> list[Prompt]:
    """Return the prompts in a file: one per line, as text or as a JSON object; blank lines are skipped."""
    try:
        text = to_utf8(read_file(path), str(path))[0].decode()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", "name a text file with --prompts_file") from error
    parse = parse_json_prompt if path.suffix in (".jsonl", ".ndjson", ".json") else lambda line, where: line
    lines = enumerate(text.split("\n"), start=1)
    prompts = [parse(line, f"{path}, line {number}") for number, line in lines if line.strip()]
    if not prompts:
        raise DataError(f"{path} holds no prompts", "write one prompt per line, or remove --prompts_file")
    return prompts


def piped_prompts(required: bool = True) -> list[Prompt]:
    """Return the prompts on stdin: one per line, as text or as a JSON object; blank lines are skipped.

    DataError where there is none, unless none is `required`.
    """
    distributed.require_single_process("reading prompts from stdin")
    if not required:  # nobody asked for it
        log.info("reading prompts from stdin, one per line")
    lines = enumerate(itertools.chain.from_iterable(arriving_lines()), start=1)
    prompts = [
        parse_json_prompt(line, f"stdin, line {number}") if PROMPT_KEYS & (json_object(line) or {}).keys() else line
        for number, line in lines
        if line.strip()
    ]
    if not prompts and required:
        raise DataError("stdin holds no prompts", "pipe in one prompt per line, or name a file with --prompts_file")
    return prompts


def json_object(line: str) -> dict | None:
    """Return the JSON object that a line is; None for any other text."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value or None  # "{}" is more likely a text


def parse_json_prompt(line: str, where: str) -> Prompt:
    """Return the prompt in a JSON object; DataError for anything else. `where` names the line in errors."""
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}, column {error.colno} is not JSON: {error.msg}", JSON_HINT) from error
    except (ValueError, RecursionError) as error:  # a number of too many digits is a ValueError
        raise DataError(f"{where} is not JSON that can be read: {str(error)[:80]}", JSON_HINT) from error
    return parse_prompt(value, where)


def as_prompts(values: object) -> list[Prompt]:
    """Return the prompts of a call from Python: one, or several, each a text, an object as in a file, or messages.

    DataError for anything else.
    """
    one = isinstance(values, str | Mapping)
    several = [values] if one else list(values)
    if several and all(isinstance(value, Mapping) and "role" in value for value in several):
        several = [several]  # one conversation
    prompts = []
    for number, value in enumerate(several, start=1):
        value = {"messages": value} if isinstance(value, list) else {"prompt": value} if is_text(value) else value
        prompts.append(parse_prompt(value, f"prompt {number}"))
    return prompts


def parse_prompt(value: object, where: str) -> Prompt:
    """Return the prompt in a JSON value; DataError for anything else. `where` names it in errors."""
    value = value if isinstance(value, Mapping) else {}
    if "messages" in value:
        return parse_messages(value["messages"], where)
    if "instruction" in value:
        instruction, input_text = value["instruction"], value.get("input") or ""
        if not is_text(instruction) or not instruction.strip():
            raise DataError(f'{where} has no "instruction" that is a non-empty string', JSON_HINT)
        if not is_text(input_text):
            raise DataError(f'{where} has an "input" that is not a string', JSON_HINT)
        return instruction_prompt(instruction, input_text)
    if not is_text(value.get("prompt")):
        raise DataError(f'{where} has no "prompt" that is a string', JSON_HINT)
    return value["prompt"]


def parse_messages(messages: object, where: str) -> list[dict]:
    """Return the messages; DataError unless they are a conversation that waits for an answer."""
    if not isinstance(messages, list) or not messages:
        raise DataError(f'{where} has no "messages" that are a list', JSON_HINT)
    conversation = []
    for number, entry in enumerate(messages, start=1):
        entry = entry if isinstance(entry, dict) else {}
        if entry.get("role") not in ROLES or not is_text(entry.get("content")):
            raise DataError(
                f"{where}: message {number} needs a role ({', '.join(ROLES)}) and a content that is a string",
                'write {"role": "user", "content": "…"}',
            )
        input_text = entry.get("input") or ""
        if not is_text(input_text):
            raise DataError(f'{where}: message {number} has an "input" that is not a string', JSON_HINT)
        conversation.append(message(entry["role"], entry["content"], input_text))
    turns = conversation[conversation[0]["role"] == "system" :]
    expected = [("user", "assistant")[number % 2] for number in range(len(turns))]
    if [turn["role"] for turn in turns] != expected or len(turns) % 2 == 0:
        roles = ", ".join(entry["role"] for entry in conversation)
        raise DataError(
            f"{where}: the messages' roles are {roles}; user and assistant must alternate, from a user to a user",
            "end with the message to answer",
        )
    if not turns[-1]["content"]:
        problem = f"{where}: message {len(conversation)}, the one to answer, is empty"
        raise DataError(problem, "write the message to answer")
    return conversation


def continue_prompts(
    models: Mapping[str, Trained],
    run: Mapping,
    prompts: Sequence[str],
    sampling: Sampling,
    generators: Mapping[str, TextGenerator],
) -> tuple[list[dict], dict[str, list[list[Generated]]]]:
    """Return ({"prompt"} of each prompt as cleaned, the texts of each model by its name).

    `run` is the run.json of the tuned model, whose cleaning and template apply. Without prompts, there is an empty one.
    """
    prompts = clean_prompts(prompts or [""], run.get("cleaning"))
    templated = [apply_template(run.get("template", "{prompt}"), prompt) for prompt in prompts]
    texts = {
        name: generate(encode_prompts(models[name].tokenizer, templated), sampling)
        for name, generate in generators.items()
    }
    return [{"prompt": prompt} for prompt in prompts], texts


def clean_prompts(prompts: Sequence[str], settings: dict | None) -> list[str]:
    """Return the prompts cleaned like the model's training texts; a base model's are unchanged.

    Cleaning also removes a blank at the end of a prompt: the model generates a blank together with the word after it,
    and has never seen a text that continues after a separate one.
    """
    if settings is None:
        return list(prompts)
    results = [clean(prompt, from_saved(settings)) for prompt in prompts]
    for number, (prompt, result) in enumerate(zip(prompts, results, strict=True), start=1):
        if prompt and not result:
            log.warning("warning: prompt %d (%r) is empty after cleaning: the model starts the text", number, prompt)
    return results


def is_text(value: object) -> bool:
    """Return whether a JSON value is a text."""
    return isinstance(value, str) and is_unicode(value)


def is_unicode(text: str) -> bool:
    """Return whether the text has no lone surrogates, which undecodable arguments and JSON escapes can leave."""
    return text.encode(errors="replace").decode() == text
