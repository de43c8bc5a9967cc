"""Plain text files whose lines are a text and its label: text@label, text;label, __label__2 text, DESC:manner text."""

import re
from collections import Counter
from dataclasses import dataclass

from utils.errors import DataError

SAMPLE_LINES = 5000
MOST = 0.95  # the share of lines with a label from which a file is labeled
FEWEST = 4  # labeled lines
WORD = r"[^\W_](?:[\w +/&-]{0,28}\w)?"
# A label touches its delimiter, as punctuation and mentions in a text don't. Only numbers and codes stand in front of a
# text with no more than a blank behind them, since other words often start a sentence.
FASTTEXT = re.compile(r"(?P<label>(?:__label__\S+,?\s+)+),?\s*(?P<text>.*)")
PATTERNS = (
    FASTTEXT,
    *(re.compile(rf"(?P<text>.*\S){mark}(?P<label>-?{WORD}|[+-])") for mark in ("@", ";", r"\|", ",")),
    *(re.compile(rf"(?P<label>-?{WORD}|[+-]){mark}(?P<text>\S.*)") for mark in (";", r"\|", ",")),
    re.compile(r"(?P<label>[A-Z]{2,6}:[a-z]\w*|[+-]?\d) (?P<text>.*)"),
)
PREFIX = "__label__"
NAME = re.compile(r"[A-Za-z_]{1,20}")


@dataclass(frozen=True)
class LabeledLines:
    """The place of the labels in a text file."""

    pattern: re.Pattern
    header: bool  # whether the first line only names the two

    def split(self, line: str, where: str) -> list[str]:
        """Return the text and the label of a line, "" if it has none; DataError, `where`, for several labels."""
        match = self.pattern.fullmatch(line)
        if match is None:
            return [line, ""]
        text, labels = match["text"], re.findall(PREFIX + r"\S+", match["label"])
        if len(labels) > 1:
            raise DataError(f"{where} has {len(labels)} labels: {', '.join(labels)}", "keep one label per line")
        if len(text) > 1 and text[0] == text[-1] == '"' and '"' not in text[1:-1].replace('""', ""):
            text = text[1:-1].replace('""', '"')
        return [text, match["label"].strip(" \t,").removeprefix(PREFIX)]


def recognize_labels(sample: str) -> LabeledLines | None:
    """Return where at least 95% of the lines have one of a few short labels; None for other texts.

    Where both ends of the lines would do, the labels are at the end that has fewer or, if as many, shorter ones.
    """
    lines = [line.removesuffix("\r") for line in sample.split("\n", SAMPLE_LINES)[:SAMPLE_LINES] if line.strip()]
    found = []
    for pattern in PATTERNS:
        matches = [pattern.fullmatch(line) for line in lines]
        first = matches[0] if matches else None
        labels = Counter(match["label"] for match in matches if match)
        header = bool(first) and all(map(NAME.fullmatch, first.groupdict().values())) and labels[first["label"]] == 1
        if header:
            del labels[first["label"]]
        if pattern is FASTTEXT and labels.total() >= MOST * max(1, len(lines)):
            return LabeledLines(pattern, header=False)
        if _are_labels(labels, len(lines) - header):
            found.append((len(labels), sum(map(len, labels)), LabeledLines(pattern, header)))
    return min(found, key=lambda labeled: labeled[:2])[2] if found else None


def _are_labels(labels: Counter, lines: int) -> bool:
    """Return whether almost every line has one of a few labels."""
    recurring = [label for label, count in labels.items() if count > 1]
    found = sum(labels[label] for label in recurring)
    return lines >= FEWEST and found >= MOST * lines and 2 <= len(recurring) <= max(4, lines / 4)
