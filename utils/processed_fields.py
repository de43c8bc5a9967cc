"""The schema of the processed pickle, checked when it is loaded: the type of every field and of every cell.

The checks raise ValueError with the field's name, its value and the expected type.
"""

import itertools
import math
import re
from collections.abc import Collection, Iterable, Mapping

from utils.tasks.kinds import CLASSIFY, EMOJI, INSTRUCT, KINDS, MULTILABEL, SCORE
from utils.tasks.label_kinds.scores import NAME
from utils.text.cleaning import CHOICES

MAX_DEPTH = 20
# A value that a pickle holds once can be in many places; used there, it takes its memory in each of them.
CHARACTERS_PER_BYTE, CHARACTERS_ALWAYS = 10, 100_000_000
VALUES_OUTSIDE_SPLITS = 1_000_000
SURROGATE = re.compile("[\ud800-\udfff]")

TEXT, OPTIONAL_TEXT, WHOLE_NUMBER = (str,), (str, type(None)), (int,)
SCALAR = (str, int, float, bool, type(None))
FIELDS = {"recipe": (dict,), "audit": (dict,), "sources": (list,), "tokenizer": (dict,), "splits": (dict,)}
RECIPE = {
    "task": TEXT,
    "kind": TEXT,
    "template": TEXT,
    "labels": (list, type(None)),
    "cleaning": (dict, type(None)),
    "base_model": TEXT,
    "seed": WHOLE_NUMBER,
}
RECIPE_OF_KIND = {
    INSTRUCT.name: {"multi_turn": (bool,), "lengths": (dict, type(None))},
    EMOJI.name: {"target": TEXT, "split_by": TEXT, "targets": (list,)},
}
SOURCE = {"path": TEXT, "sha256": TEXT, "rows": WHOLE_NUMBER}
LABEL_OF_KIND = {SCORE.name: (float,), MULTILABEL.name: (tuple,)}
CELLS = {"prompt": TEXT, "completion": TEXT, "label": OPTIONAL_TEXT, "group": TEXT}
METADATA_OF_KIND = {INSTRUCT.name: {"messages": (list,)}, EMOJI.name: {"emoji": TEXT, "group": OPTIONAL_TEXT}}


def check_fields(payload: Mapping, size: int) -> None:
    """Check everything outside the splits; `size` is the file's in bytes."""
    _check_types("", payload, FIELDS)
    recipe = payload["recipe"]
    _check_types("recipe.", recipe, RECIPE)
    kind = recipe["kind"]
    if kind not in KINDS:
        raise ValueError(f"recipe.kind is {_shown(kind)}, expected one of {', '.join(KINDS)}")
    _check_types("recipe.", recipe, RECIPE_OF_KIND.get(kind, {}))
    if kind == SCORE.name and recipe["labels"] != [NAME]:
        raise ValueError(f"recipe.labels is {_shown(recipe['labels'])}, expected the name {NAME!r} alone")
    if kind in (CLASSIFY.name, MULTILABEL.name):
        labels = recipe["labels"] or []
        _check_cells("recipe.labels", labels, TEXT)
        if len(set(labels)) != len(labels) or len(labels) < 2:
            raise ValueError(f"recipe.labels is {_shown(labels)}, expected two or more labels, each once")
    for choice, value in (recipe["cleaning"] or {}).items():
        if choice != "rules" and value not in CHOICES.get(choice, ()):
            raise ValueError(f"recipe.cleaning has {_shown(choice)}: {_shown(value)}")
    for target in recipe.get("targets", []):
        _check_cells("recipe.targets", target, OPTIONAL_TEXT, length=4)
    _check_cells("sources", payload["sources"], (dict,))
    for number, source in enumerate(payload["sources"]):
        _check_types(f"sources[{number}].", source, SOURCE)
    _check_types("tokenizer.", payload["tokenizer"], {"name": TEXT, "fingerprint": TEXT})
    for name in FIELDS.keys() - {"splits"}:
        _check_plain(name, payload[name], VALUES_OUTSIDE_SPLITS, MAX_DEPTH)


def check_columns(split: str, columns: Mapping, recipe: Mapping, size: int) -> None:
    """Check a split as it is in the file: columns of one length, ids that fit `lengths`, and cells of their types."""
    _check_types(f"{split}.", columns, dict.fromkeys((*CELLS, "loss_start", "lengths"), (list,)))
    _check_types(f"{split}.", columns, {"ids": (bytes,), "facts": (dict,)})
    lengths, metadata = columns["lengths"], columns["facts"]
    rows = len(lengths)
    _check_cells(f"{split}.lengths", lengths, WHOLE_NUMBER)
    if min(lengths, default=0) < 0 or 4 * sum(lengths) != len(columns["ids"]):
        raise ValueError(f"{split}.ids has {len(columns['ids'])} bytes, expected 4 for each of {sum(lengths)} tokens")
    cells = CELLS | {"label": LABEL_OF_KIND.get(recipe["kind"], OPTIONAL_TEXT)}
    for name, types in cells.items():
        _check_cells(f"{split}.{name}", columns[name], types, rows)
    _check_cells(f"{split}.loss_start", columns["loss_start"], WHOLE_NUMBER, rows)
    for start, length in zip(columns["loss_start"], lengths, strict=True):
        if not 0 <= start <= length:
            raise ValueError(f"{split}.loss_start has {start} in a row of {length} tokens")
        if start == 0 and recipe["kind"] == INSTRUCT.name:  # an answer is written after at least one token
            raise ValueError(f"{split}.loss_start has 0, expected an instruction before the answer")
    texts = [columns[name] for name, types in cells.items() if types not in LABEL_OF_KIND.values()]
    if recipe["kind"] == SCORE.name and not all(map(math.isfinite, columns["label"])):
        raise ValueError(f"{split}.label has a score that is not a finite number")
    for name, types in METADATA_OF_KIND.get(recipe["kind"], {}).items():
        _check_types(f"{split}.facts.", metadata, {name: (list,)})
        _check_cells(f"{split}.facts.{name}", metadata[name], types, rows)
    for name, values in metadata.items():
        if name == "messages":
            texts.append(_texts_of(f"{split}.facts.messages", values, rows))
        else:
            _check_cells(f"{split}.facts.{_shown(name)}", values, SCALAR, rows)
    for column in (*texts, *metadata.values()):
        _check_texts(split, column)
    if recipe["kind"] == MULTILABEL.name:
        _check_cells(f"{split}.label", list(itertools.chain.from_iterable(columns["label"])), TEXT)
        for labels in set(columns["label"]):
            if len(set(labels)) != len(labels) or not set(labels) <= set(recipe["labels"]):
                raise ValueError(f"{split}.label has {_shown(labels)}, expected labels of recipe.labels, each once")
    if recipe["kind"] == CLASSIFY.name and (unknown := set(columns["label"]) - set(recipe["labels"])):
        raise ValueError(f"{split}.label has {_shown(unknown.pop())}, which is not in recipe.labels")
    if sum(len(text or "") for column in texts for text in column) > CHARACTERS_ALWAYS + CHARACTERS_PER_BYTE * size:
        raise ValueError(f"the texts of {split} are longer than the file's size explains")


def _texts_of(name: str, conversations: object, rows: int) -> list[str]:
    """Return all texts of conversations, which are lists of messages {"role", "content", …}."""
    _check_cells(name, conversations, (list,), rows)
    messages = list(itertools.chain.from_iterable(conversations))
    _check_cells(name, messages, (dict,))
    if not all(conversations) or not all({"role", "content"} <= message.keys() for message in messages):
        raise ValueError(f"{name} has a conversation without messages, or a message without role or content")
    texts = [text for message in messages for text in message.values()]
    _check_cells(name, texts, TEXT)
    return texts


def _check_types(prefix: str, fields: Mapping, expected: Mapping[str, tuple[type, ...]]) -> None:
    if not isinstance(fields, dict):
        raise ValueError(f"{prefix.rstrip('.')} is {_shown(fields)}, expected a dict")
    for name, types in expected.items():
        if name not in fields:
            raise ValueError(f"{prefix}{name} is missing")
        if type(fields[name]) not in types:
            raise ValueError(f"{prefix}{name} is {_shown(fields[name])}, expected {_names(types)}")


def _check_cells(name: str, cells: object, types: Collection[type], length: int | None = None) -> None:
    if type(cells) not in (list, tuple):
        raise ValueError(f"{name} is {_shown(cells)}, expected a list")
    if length is not None and len(cells) != length:
        raise ValueError(f"{name} has {len(cells)} values, expected {length}")
    if wrong := set(map(type, cells)).difference(types):
        raise ValueError(f"{name} has a value of type {wrong.pop().__name__}, expected {_names(types)}")


def _check_texts(name: str, values: Iterable) -> None:
    """Check that texts can be written to a file: they have no half of a character."""
    for value in values:
        if isinstance(value, str) and not value.isascii() and SURROGATE.search(value):
            raise ValueError(f"{name} has a text that is not Unicode, {_shown(ascii(value))}")


def _check_plain(name: str, value: object, budget: int, depth: int) -> int:
    """Return the rest of `budget`, a number of values, after this one and all values in it."""
    if not isinstance(value, dict | list | tuple):
        _check_texts(name, [value])
        return budget - 1
    if depth == 0:
        raise ValueError(f"{name} is nested too deeply")
    if isinstance(value, dict):
        _check_cells(f"the keys of {name}", list(value), TEXT)
        _check_texts(f"the keys of {name}", value)
        value = value.values()
    for part in value:
        budget = _check_plain(name, part, budget, depth - 1)
        if budget < 0:
            raise ValueError(f"{name} has too many values")
    return budget - 1


def _shown(value: object) -> str:
    if isinstance(value, dict | list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{str(value)[:40]!r}"


def _names(types: Collection[type]) -> str:
    return " or ".join("None" if one is type(None) else one.__name__ for one in types)
