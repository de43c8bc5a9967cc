"""Hints name only existing flags: of the script they name, or of one of the scripts."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py"))
ERRORS = ("UserError", "DataError", "UsageError", "warning", "info")
OTHER_PROGRAMS = {"no-deps", "logdir", "use_fsdp", "local-dir"}  # of pip, TensorBoard, accelerate and hf
FLAG = re.compile(r"(?<![\w-])--([a-z][\w-]*)")
COMMAND = re.compile(r"(?:python )?(\w+)\.py((?:(?!\.py|;| or ).)*)")


def text_of(node: ast.expr) -> str:
    """Return the literal parts of a string; what is formatted into it becomes a blank sign."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) if isinstance(part, ast.Constant) else "\0" for part in node.values)
    return ""


def messages() -> list[tuple[str, str]]:
    """Return (file and line, text) of every literal string with a flag in it, but for docstrings."""
    found = []
    for path in [*ROOT.glob("*.py"), *ROOT.glob("utils/**/*.py")]:
        tree = ast.parse(path.read_text("utf-8"))
        parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            text = text_of(node) if isinstance(node, ast.Constant | ast.JoinedStr) else ""
            if " " in text and FLAG.search(text) and id(node) not in parts | statements:
                found.append((f"{path.relative_to(ROOT)}:{node.lineno}", text))
    return found


@pytest.fixture(scope="module")
def parsers():
    return {name: importlib.import_module(name).build_parser() for name in SCRIPTS}


def known(parsers, names, flag: str) -> bool:
    return any(parsers[name].knows(f"--{flag.replace('-', '_')}") for name in names)


def test_hints_are_found():
    assert len(messages()) > 150


def test_every_flag_that_a_message_names_is_one_of_the_script_that_it_names(parsers):
    wrong = []
    for place, text in messages():
        for script, words in COMMAND.findall(text):
            flags = [flag for flag in FLAG.findall(words) if script in parsers]
            wrong += [f"{place}: {script}.py has no --{flag}" for flag in flags if not known(parsers, [script], flag)]
        for flag in FLAG.findall(text):
            if flag not in OTHER_PROGRAMS and not known(parsers, SCRIPTS, flag):
                wrong.append(f"{place}: no script has --{flag}")
    assert wrong == []
