"""Answers to instructions: the check that a model follows instructions, its options, and the answers."""

import argparse
from collections.abc import Iterable, Mapping, Sequence

from utils.errors import UserError
from utils.inference.generation import Generated, TextGenerator
from utils.inference.prompts import Prompt, instruction_prompt, strip_text
from utils.inference.sampling import Sampling
from utils.models.chat_templates import ChatTemplate, borrow_template, with_length
from utils.models.checkpoint import Trained
from utils.tasks.kinds import INSTRUCT

INSTRUCTION_FLAGS = ("instruction", "input", "system", "length", "chat")


def what_needs_answers(args: argparse.Namespace, prompts: Sequence[Prompt]) -> list[str]:
    """Return the flags, and the file of prompts, that only a model that answers can do."""
    needs = [f"--{name}" for name in INSTRUCTION_FLAGS if getattr(args, name)]
    return needs + [str(args.prompts_file)] * any(not isinstance(prompt, str) for prompt in prompts)


def follows_instructions(args: argparse.Namespace, trained: Trained, prompts: Sequence[Prompt]) -> bool:
    """Return whether the model should answer the prompts rather than continue them.

    A base model that has a chat template can do both. UserError where the model cannot do what the command line asks.
    """
    needs = what_needs_answers(args, prompts)
    if trained.run.get("kind") != INSTRUCT.name:
        if not needs:
            return False
        if trained.run or not trained.tokenizer.chat_template:
            raise UserError(
                f"{args.model_path} continues texts and does not follow instructions, which {needs[0]} needs",
                'give it --prompt "…", or use a model that was trained on instructions (preprocess.py --task alpaca)',
            )
    if not prompts and not args.chat:
        hint = 'add --instruction "…", or --chat to talk'
        raise UserError(f"{args.model_path} follows instructions, but there is none", hint)
    if args.length and not trained.run.get("lengths"):
        raise UserError(
            f"{args.model_path} has not learned what a {args.length} answer is",
            "remove --length (--max_new_tokens limits the length); preprocess.py --length_hints teaches it",
        )
    return True


def as_conversations(prompts: Sequence[Prompt], system: str | None) -> list[list[dict]]:
    """Return the prompts as conversations; `system` comes first where a conversation has no system message."""
    conversations = [instruction_prompt(prompt) if isinstance(prompt, str) else prompt for prompt in prompts]
    for number, conversation in enumerate(conversations, start=1):
        if not conversation[-1]["content"]:
            raise UserError(f"prompt {number} is empty, expected an instruction", "write an instruction")
    first = [{"role": "system", "content": strip_text(system)}] if system else []
    return [one if one[0]["role"] == "system" else [*first, *one] for one in conversations]


def open_checked_template(
    trained: Trained, conversations: Iterable[Sequence[dict]], name: str = "tuned"
) -> ChatTemplate:
    """Return the model's chat template; UserError where it cannot express the conversations."""
    template = trained.chat_template
    if not template.has_system and any(conversation[0]["role"] == "system" for conversation in conversations):
        raise UserError(
            f"the chat template of the {name} model has no place for a system message",
            "remove --system, and put it into the instruction",
        )
    return template


def answer_conversations(
    models: Mapping[str, Trained],
    conversations: Sequence[Sequence[dict]],
    length: str | None,
    sampling: Sampling,
    generators: Mapping[str, TextGenerator],
) -> dict[str, list[list[Generated]]]:
    """Return the answers of each model, by its name, to each conversation.

    A base model is prompted with its own chat template, or else with that of the model tuned from it.
    """
    if length:
        conversations = [with_length(conversation, length) for conversation in conversations]
    if "tuned" in models:
        for trained in models.values():
            borrow_template(trained.tokenizer, models["tuned"].tokenizer)
    templates = {name: open_checked_template(trained, conversations, name) for name, trained in models.items()}
    return {
        name: generate(templates[name].encode(conversations), sampling, end=templates[name].end)
        for name, generate in generators.items()
    }
