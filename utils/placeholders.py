"""Texts that stand where there is no input or no answer: "No input", "<noinput>", "N/A", "<nooutput>", …"""

import re

# What people and models write where there is no input, letters alone.
NO_INPUT = {f"noinput{end}" for end in ("", "s", "e", "required", "isrequired", "needed", "isneeded", "necessary")}
NO_INPUT |= {"noinputprovided", "noinputgiven", "noinputavailable", "noput", "ninput"}
NOTHING = {"none", "null", "nan", "notapplicable"}
NO_OUTPUT = {"nooutput", "nooutputrequired", "nooutputneeded", "nooutputnecessary"}
NOT_APPLICABLE = re.compile(r"\W*(?:N/A|n/a|NA|N\.A\.?|n\.a\.)\W*")  # and not Na, which is sodium
# A tag says that there is no answer, whatever else follows.
NO_OUTPUT_TAG = re.compile(r"\W*<\s*no[\s_-]?(?:out|in)put\b", re.IGNORECASE)
LONGEST_PLACEHOLDER = 40  # characters


def is_placeholder_input(text: str) -> bool:
    """Whether the text only says that there is no input: "No input", "<noinput>", "N/A", "none", …"""
    return len(text) <= LONGEST_PLACEHOLDER and (
        _letters(text) in NO_INPUT | NOTHING or NOT_APPLICABLE.fullmatch(text) is not None
    )


def is_placeholder_answer(text: str) -> bool:
    """Whether the text says that there is no answer. "None" and "null" can be one."""
    if NO_OUTPUT_TAG.match(text):
        return True
    return len(text) <= LONGEST_PLACEHOLDER and (
        _letters(text) in NO_INPUT | NO_OUTPUT or NOT_APPLICABLE.fullmatch(text) is not None
    )


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())
