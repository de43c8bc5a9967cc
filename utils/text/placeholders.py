"""Texts that only say that an input or an answer is missing: "No input", "<noinput>", "N/A", "<nooutput>", …"""

import re

# Texts that people and models write in place of no input, letters alone.
_NO_INPUT = {f"noinput{end}" for end in ("", "s", "e", "required", "isrequired", "needed", "isneeded", "necessary")}
_NO_INPUT |= {"noinputprovided", "noinputgiven", "noinputavailable", "noput", "ninput"}
_NOTHING = {"none", "null", "nan", "notapplicable"}
_NO_OUTPUT = {"nooutput", "nooutputrequired", "nooutputneeded", "nooutputnecessary"}
_NOT_APPLICABLE = re.compile(r"\W*(?:N/A|n/a|NA|N\.A\.?|n\.a\.)\W*")  # but not Na, which is sodium
# A tag marks a missing answer, regardless of the rest.
_NO_OUTPUT_TAG = re.compile(r"\W*<\s*no[\s_-]?(?:out|in)put\b", re.IGNORECASE)
_MAX_CHARACTERS = 40


def is_placeholder_input(text: str) -> bool:
    """Return whether the text only says that there is no input: "No input", "<noinput>", "N/A", "none", …"""
    return _is_placeholder(text, _NO_INPUT | _NOTHING)


def is_placeholder_answer(text: str) -> bool:
    """Return whether the text only says that there is no answer; "None" and "null" can be answers."""
    return _NO_OUTPUT_TAG.match(text) is not None or _is_placeholder(text, _NO_INPUT | _NO_OUTPUT)


def _is_placeholder(text: str, placeholders: set[str]) -> bool:
    if len(text) > _MAX_CHARACTERS:
        return False
    letters = re.sub(r"[\W_]+", "", text.casefold())
    return letters in placeholders or _NOT_APPLICABLE.fullmatch(text) is not None
