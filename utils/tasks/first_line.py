"""Decide whether the first line of a table is data or the names of its columns."""

from collections.abc import Sequence

from utils.tasks.cell_kinds import count_words, judge, kind_of
from utils.tasks.column_names import LABEL_WORDS, TEXT_WORDS, TITLE_WORDS, name_key, words_of
from utils.tasks.labels import MISSING

SENTENCE = 4  # words
SURE = 0.95  # of the cells below are of one kind


def first_line_is_data(first: Sequence[str], columns: Sequence[Sequence[str]], known: Sequence[str]) -> bool:
    """Return whether the cells of the first line are like those below it, in `columns`: numbers over numbers, say.

    A line with one of the `known` names, or with a cell that cannot be among those below it, holds names.
    """
    keys = {name_key(name) for name in known if not name.isdecimal()}
    if any(name_key(cell) in keys for cell in first) or _is_count(first):
        return False
    if len(first) == 1:
        return _is_data_alone(first[0].strip(), columns[0])
    likeness = [_likeness(cell.strip(), cells) for cell, cells in zip(first, columns, strict=True)]
    return max(likeness, default=0) > 0 and min(likeness) >= 0


def _is_count(first: Sequence[str]) -> bool:
    """Return whether pandas numbered the columns: 0, 1, 2, …."""
    numbers = [cell for cell in first if not _is_blank(cell)]
    return numbers == [str(number) for number in range(len(numbers))] and len(numbers) > 1


def _is_blank(cell: str) -> bool:
    return not cell.strip() or cell.startswith("Unnamed: ") or cell.strip().casefold() in MISSING


def _likeness(cell: str, below: Sequence[str]) -> int:
    """Return 1 if the cell looks like those below it, -1 if it cannot be one of them, and 0 if it may be one."""
    filled = [other.strip() for other in below if isinstance(other, str) and not _is_blank(other)]
    if not filled or _is_blank(cell):
        return 0
    if cell in filled:
        return 1
    kinds = list(map(kind_of, filled))
    kind = max(set(kinds), key=kinds.count)
    if kind != "text" and kinds.count(kind) >= SURE * len(kinds):
        if kind_of(cell) == kind:
            return 1
        return 0 if kind == "ids" else -1
    if cell.endswith(("?", ":")) and not any(other.endswith(cell[-1]) for other in filled):
        return -1
    is_sentence = count_words(cell) >= SENTENCE and kind_of(cell) == "text"
    return int(is_sentence and judge(filled).words >= SENTENCE)


def _is_data_alone(cell: str, below: Sequence[str]) -> bool:
    """Return whether the first line of a one-column file is data: a sentence, or as short as the cells below it."""
    likeness = _likeness(cell, below)
    words = words_of(cell)
    if likeness or (len(words) <= 3 and not {*TEXT_WORDS, *TITLE_WORDS, *LABEL_WORDS}.isdisjoint(words)):
        return likeness > 0
    length, others = count_words(cell), judge(below)
    if others.kind != "text" or _is_blank(cell):
        return False
    is_name = cell.replace("_", "").isalnum() or (length <= 3 and others.words >= max(SENTENCE, 2 * length))
    return not is_name
