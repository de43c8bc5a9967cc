"""Recognize a column's content by its cells alone: running text, classes, numbers, dates, links, ids or objects."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from utils.reading.nested import parse_nested
from utils.tasks.labels import MISSING, look_like_labels

NUMBER = re.compile(r"[-+]?[$€£]?\s?[-+]?\d[\d.,\s/:]*(?:[eE][-+]?\d+)?\s?[%€$£KMB]?")
MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|janv|févr|mars|avr|mai|juin|juil|août|mär|okt|dez)[a-zé]*"
DAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?"
CLOCK = r"(?:[\d:.,+\-\s()/]|T|Z|(?-i:[A-Z]{2,4})|[ap]\.?m\.?)*"
DATE = re.compile(
    rf"{DAY}(?:\d{{4}}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{{2,4}}|\d\d?\.?\s+{MONTH}\.?,?\s+\d{{4}}"
    rf"|{MONTH}\.?\s+\d\d?){CLOCK}",
    re.IGNORECASE,
)
LINK = re.compile(r"(?:[a-z][a-z\d+.-]*://|www\.|urn:|did:|mailto:)\S+|[^\s@]+@[^\s@]+\.[a-z]+", re.IGNORECASE)
ID = re.compile(r"(?=\S*\d)(?=\S*[a-z])[\w:.=+/-]{7,}|[\da-f]{8}-[\da-f-]{27}", re.IGNORECASE | re.ASCII)
IN_A_TEXT = re.compile(r"https?://\S+|[@#]\w+")
WITHOUT_BLANKS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")  # about two letters are a word
MOSTLY = 0.8


@dataclass(frozen=True)
class Cells:
    """A sample of a column's cells: `kind` is "text" or the kind of most filled ones."""

    kind: str
    filled: float  # share of the cells
    words: float  # per filled cell
    letters: float  # share of the characters that are not blank, a link, a mention or a hashtag
    values: int  # different ones
    are_classes: bool  # few values that recur

    @property
    def are_texts(self) -> bool:
        """Whether these are texts of different rows, rather than names, classes or values of another kind."""
        few = self.are_classes and self.words < 4
        return self.kind == "text" and self.words >= 1.5 and self.letters >= 0.5 and self.values > 1 and not few


def judge(cells: Sequence[str | None]) -> Cells:
    """Return the kind of a column's cells, or of a sample of them."""
    stripped = [cell.strip() if isinstance(cell, str) else "" for cell in cells]
    filled = [cell for cell in stripped if cell and cell.casefold() not in MISSING]
    if not filled:
        return Cells("nothing", 0.0, 0.0, 0.0, 0, False)
    kinds = Counter(map(kind_of, filled))
    kind = next((kind for kind, count in kinds.items() if count >= MOSTLY * len(filled)), None)
    if kind is None:
        kind = "text" if kinds["text"] > (1 - MOSTLY) * len(filled) else kinds.most_common(1)[0][0]
    plain = [IN_A_TEXT.sub(" ", cell) for cell in filled]
    letters = sum(character.isalpha() for cell in plain for character in cell)
    characters = sum(len("".join(cell.split())) for cell in plain)
    return Cells(
        kind,
        len(filled) / len(stripped),
        sum(map(count_words, filled)) / len(filled),
        letters / max(1, characters),
        len(set(filled)),
        kind != "objects" and look_like_labels(filled),
    )


def kind_of(cell: str) -> str:
    """Return "text", or "numbers", "dates", "links", "objects" or "ids" if a filled cell is one of these."""
    if cell[0] in "{[" and parse_nested(cell) is not None:
        return "objects"
    if len(cell) > 300 or cell.isalpha():
        return "text"
    for kind, pattern in (("numbers", NUMBER), ("dates", DATE), ("links", LINK), ("ids", ID)):
        if pattern.fullmatch(cell):
            return kind
    return "text"


def count_words(cell: str) -> float:
    """Return the number of words; of a script without blanks, about two letters are one."""
    return len(cell.split()) + len(WITHOUT_BLANKS.findall(cell)) / 2
