"""The chat template of a converted model, kept filled in: opening it runs neither Jinja nor transformers."""

import itertools
import re
from typing import TYPE_CHECKING

from utils.errors import DataError, UserError
from utils.models.chat_templates import ChatTemplate, open_chat_template, special_tokens_pattern

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from utils.inference.ctranslate2.kept import PlainTokenizer

TURNS = 16  # of a conversation; transformers fills in the template for longer ones
FIELDS = {"source": str, "special_tokens": dict, "end": int, "has_system": bool, "has_input": bool, "skeletons": list}
# Functions of chat templates whose results change from one call to the next: dates and random choices.
_CHANGES = re.compile("strftime_now|random|lipsum")


def template_to_keep(tokenizer: "PreTrainedTokenizerBase", lengths: bool) -> dict:
    """Return the tokenizer's template as values for JSON, for `open_kept_template`; {} where it has none that works.

    `lengths` says whether the model has learned to answer at a length.
    """
    try:
        template = open_chat_template(tokenizer)
    except UserError:
        return {}
    source = tokenizer.get_chat_template()
    return {
        "source": source,
        "special_tokens": tokenizer.special_tokens_map,
        "end": template.end,
        "has_system": template.has_system,
        "has_input": template.has_input,
        "skeletons": [] if _CHANGES.search(source) else _skeletons(template, lengths),
    }


def open_kept_template(kept: dict, tokenizer: "PlainTokenizer") -> ChatTemplate | None:
    """Return the template that `template_to_keep` described; None where it is damaged, or there was none."""
    if any(type(kept.get(name)) is not expected for name, expected in FIELDS.items()):
        return None
    try:
        skeletons = {
            tuple((str(role), bool(has_input), bool(has_length)) for role, has_input, has_length in shape): [
                str(piece) for piece in skeleton
            ]
            for shape, skeleton in kept["skeletons"]
        }
    except (TypeError, ValueError):
        return None
    pattern = special_tokens_pattern(tokenizer)
    return ChatTemplate(tokenizer, kept["end"], kept["has_system"], kept["has_input"], pattern, skeletons)


def render(source: str, special_tokens: dict, messages: list[dict], *, add_generation_prompt: bool) -> str:
    """Return the messages in a template, as `apply_chat_template` of transformers' tokenizers does it."""
    from transformers.utils.chat_template_utils import render_jinja_template

    options = {"add_generation_prompt": add_generation_prompt, **special_tokens}
    return render_jinja_template([messages], chat_template=source, **options)[0][0]


def _skeletons(template: ChatTemplate, lengths: bool) -> list[tuple]:
    """Return (shape, skeleton) of each conversation of at most TURNS turns that the template does not refuse."""
    systems = [(), (("system", False, False),)] if template.has_system else [()]
    questions = itertools.product((False, True), (False, True) if lengths else (False,))
    skeletons = []
    for system, (has_input, has_length) in itertools.product(systems, list(questions)):
        for turns in range(TURNS):
            earlier = (("user", False, False), ("assistant", False, False)) * turns
            shape = (*system, *earlier, ("user", has_input, has_length))
            try:
                skeletons.append((shape, template.skeleton(shape)))
            except DataError:
                break
    return skeletons
