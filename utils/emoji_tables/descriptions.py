"""What an emoji's description looks like in training, and so in use."""

import re

from utils.cleaning import repair_mojibake

_ALIAS = re.compile(r":([^\s:]+):")


def as_description(text: str) -> str:
    """A description as training has it: without mojibake and blanks around it, an alias (":man_farmer:") as words."""
    text = repair_mojibake(text).strip()
    alias = _ALIAS.fullmatch(text)
    return alias[1].replace("_", " ").strip() if alias else text
