"""Texts of strangers in a model card (labels, names of files, settings), which Markdown and HTML must not interpret."""

import json
import re
import shlex

from utils.terminal.controls import SHOWN

SHOWN_IN_LINES = SHOWN | dict.fromkeys(map(ord, "\t\n\r"), " ")
MARKUP = {character: "\\" + character for character in "\\`*[]~$#!"}
MARKUP |= {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
PLAIN = str.maketrans(MARKUP)
AT_WORD_ENDS = re.compile(r"(?<![^\W_])_|_(?![^\W_])")  # inside a word, it is no markup
LINKS = re.compile(r":(?=//)|(?<=www)\.|(?<=\w)@(?=\w)")  # texts that become links by themselves
TAG = re.compile(r"<(?=[A-Za-z/!?])")
HIDDEN = re.compile("[" + "".join(map(re.escape, map(chr, SHOWN))) + "\t\n]")


def plain(text: object) -> str:
    """Return the text so that Markdown shows it as it is, in one line; `markdown_table` also escapes its bars."""
    line = str(text).translate(SHOWN_IN_LINES).strip().translate(PLAIN)
    return LINKS.sub(r"\\\g<0>", AT_WORD_ENDS.sub(r"\\_", line))


def code(text: object) -> str:
    """Return the text as code within a line."""
    line = str(text).translate(SHOWN_IN_LINES)
    if not line.strip() or TAG.search(line) or "`" in line:
        return f"<code>{plain(line)}</code>"
    return f"`{line}`"


def fenced(language: str, lines: str) -> str:
    """Return a block of code, with a fence that is in none of the lines."""
    longest = max(map(len, re.findall("`+", lines)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{lines}\n{fence}"


def json_text(value: object) -> str:
    """Return the value as JSON in which no string has a tag or a character that hides others."""
    text = TAG.sub(r"\\u003c", json.dumps(value, indent=2, ensure_ascii=False))
    return re.sub(f"(?!\n){HIDDEN.pattern}", lambda found: f"\\u{ord(found[0]):04x}", text)


def yaml_text(fields: dict) -> str:
    """Return the fields as YAML; where a text has more than one line, a tag or hidden characters, all quoted."""
    import yaml

    options = {"allow_unicode": True, "width": float("inf")}
    text = yaml.safe_dump(fields, **options)
    if HIDDEN.search(text.replace("\n", "")) or TAG.search(text) or "\n\n" in text or "---" in text:
        text = yaml.safe_dump(fields, **options | {"allow_unicode": False, "default_style": '"'})
    return TAG.sub(r"\\x3c", text)


def python_text(text: str) -> str:
    """Return the text as a literal of Python, without a tag; `repr` already shows characters that hide others."""
    return TAG.sub(r"\\x3c", repr(text))


def shell_text(text: str) -> str:
    """Return the text quoted for the shell, on one line and without a tag."""
    if not HIDDEN.search(text) and not TAG.search(text):
        return shlex.quote(text)
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    escaped = HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", TAG.sub(r"\\u003c", quoted))
    return f"$'{escaped}'"  # of bash and zsh
