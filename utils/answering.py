"""Answers of models that follow instructions: which models do, and what of the command line they can be asked for."""

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from utils import templates
from utils.errors import UserError

if TYPE_CHECKING:
    from utils.checkpoint import Trained
    from utils.engines import Writer
    from utils.generation import Generated
    from utils.prompts import Prompt
    from utils.sampling import Sampling
    from utils.templates import Format

# An answer's settings where the user does not say; a tweet's are those of Sampling. Small models go round in circles:
# one that may not write four tokens in a row again ends by itself 98 times of 100, and else 92 (docs/results.md).
MAX_NEW_TOKENS = 256
NO_REPEAT_NGRAM_SIZE = 4
FOR_INSTRUCTIONS = ("instruction", "input", "system", "length", "chat")


def follows_instructions(args: argparse.Namespace, trained: "Trained", prompts: Sequence["Prompt"]) -> bool:
    """Whether the model is to answer the prompts rather than to go on with them.

    UserError where it cannot do what it is asked: a base model that brings a chat template can do both.
    """
    flags = [f"--{name}" for name in FOR_INSTRUCTIONS if getattr(args, name)]
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


def open_format(trained: "Trained", conversations: Iterable[Sequence[dict]], name: str = "tuned") -> "Format":
    """The model's chat template; UserError where it has no place for what the conversations hold."""
    form = templates.open_format(trained.tokenizer)
    if not form.has_system and any(conversation[0]["role"] == "system" for conversation in conversations):
        raise UserError(
            f"the chat template of the {name} model has no place for a system message",
            "leave out --system, and say it in the instruction",
        )
    return form


def answers(
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
        conversations = [templates.with_length(conversation, length) for conversation in conversations]
    if "tuned" in models:
        for each in models.values():
            templates.borrow_template(each.tokenizer, models["tuned"].tokenizer)
    forms = {name: open_format(each, conversations, name) for name, each in models.items()}
    prompts = {name: form.encode(conversations) for name, form in forms.items()}
    return {name: write(prompts[name], sampling, end=forms[name].end) for name, write in writers.items()}
