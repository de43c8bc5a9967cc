"""Recognize the form of CSV, TSV and text files: the one that fits most lines of a sample.

Open `recognize_form` first.
"""

import logging
import re
from collections import Counter
from dataclasses import dataclass, replace

from utils.reading.delimited.cells import NO_DELIMITER, CsvDialect, split_rows
from utils.reading.delimited.labeled_lines import PREFIX
from utils.reading.delimited.tab_quotes import quotes_enclose_cells
from utils.reading.encodings import TextFile

log = logging.getLogger(__name__)

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", "^": "caret", "~": "tilde"}
SAMPLE_CHARACTERS = 1 << 17
SEPARATOR_LINE = re.compile(r'"?sep=([^\n"])"?', re.IGNORECASE)  # Excel's
MOST = 0.9


@dataclass(frozen=True)
class Form:
    """The form of a table: its dialect, and where its rows begin and end."""

    dialect: CsvDialect
    skipped: int = 0  # the number of lines above the first row
    has_row_names: bool = False  # whether the first row lacks a name for the first column, as R writes it
    empty_ends: bool = False  # whether empty cells follow most rows


@dataclass(frozen=True)
class _Fit:
    """The rows of a sample as one dialect reads them."""

    dialect: CsvDialect
    rows: list[list[str]]
    irregular: int  # the number of rows with a quote that is neither closed nor doubled

    @property
    def width(self) -> int:
        return len(self.rows[0]) if self.rows else 0

    @property
    def even(self) -> float:
        """The share of the other rows that have as many cells as the first; empty ones at their end don't count."""
        others, width = self.rows[1:], self.width
        return sum(len(row) == width or (len(row) > width and not any(row[width:])) for row in others) / max(
            1, len(others)
        )

    def is_table_below(self) -> bool:
        """Return whether the rows below the first one are a table of several columns."""
        width, count = Counter(map(len, self.rows[1:])).most_common(1)[0] if self.rows[1:] else (0, 0)
        return width > 1 and count >= MOST * len(self.rows[1:])


def recognize_form(file: TextFile, kind: str) -> Form | None:
    """Recognize how a .csv, .tsv or .txt file (`kind`) is written; None for a .txt file that is no table.

    The delimiter is the one that gives most rows as many cells as the first, or that a first line "sep=;" names. A .txt
    file is tab-separated if at least 90% of its lines hold the same number of tabs; another delimiter must give every
    line the same three cells or more. In tab-separated text quotes are text, unless they clearly enclose cells.
    """
    sample = file.sample.replace("\r\n", "\n").replace(file.newline, "\n")
    line_end = "\r\n" if file.sample.partition("\n")[0].endswith("\r") else "\n"
    dialect = CsvDialect("\t", True, line_end, file.encoding.has_mark)
    text = sample.lstrip(" \n")
    first, _, below = text.partition("\n")
    above = sample.count("\n", 0, len(sample) - len(text))
    if named := SEPARATOR_LINE.fullmatch(first):
        return _form(_fit(below, replace(dialect, delimiter=named[1])), above + 1)
    if kind == ".txt" and first.startswith(PREFIX):
        return None  # fastText's labels, also with tabs behind them
    if kind == ".txt":
        tabs = Counter(line.count("\t") for line in sample.split("\n") if line.strip())
        usual, lines = tabs.most_common(1)[0] if tabs else (0, 0)
        if not usual or lines < MOST * tabs.total():
            fit = _best_fit(text, dialect)
            is_table = fit.width > 2 and len(fit.rows) > 2 and fit.even == 1 and not _is_prose(text, fit)
            return _form(fit) if is_table else None
    if kind != ".csv" and "\t" in text:
        return _form(_fit(sample, dialect))
    return _form_of_csv(text, dialect, above, file.path)


def sample_of_table(file: TextFile) -> list[list[str]] | None:
    """Return the first rows of a text that almost evenly divides into columns; None for another text."""
    text = file.sample.replace("\r\n", "\n").replace(file.newline, "\n").lstrip(" \n")
    fit = _best_fit(text, CsvDialect())
    return fit.rows if fit.width > 1 and fit.even >= MOST and not _is_prose(text, fit) else None


def _form(fit: _Fit, skipped: int = 0) -> Form:
    others, width = fit.rows[1:], fit.width
    numbered = (len(row) == width + 1 and row[0] == str(number) for number, row in enumerate(others, 1))
    has_row_names = len(others) > 1 and all(numbered) and any(row[-1] for row in others)
    with_ends = sum(len(row) > width and not any(row[width:]) for row in others)
    return Form(fit.dialect, skipped, has_row_names, empty_ends=with_ends > len(others) / 2)


def _form_of_csv(text: str, dialect: CsvDialect, above: int, path: str) -> Form:
    fit = _best_fit(text, dialect)
    form = _form(fit)
    if form.has_row_names:
        return form
    if text.startswith("#") and fit.even < 0.5:
        comments = re.match(r"(?:#.*\n)+", text)
        below = _best_fit(text[comments.end() :], dialect) if comments else fit
        if below.width > 1 and below.even >= MOST and not _is_prose(text, below):
            skipped = above + comments[0].count("\n")
            log.info("%s: the first %d lines are comments", path, skipped)
            return _form(below, skipped)
    if fit.width > 1:
        lengths = set(map(len, fit.rows))
        has_one_column = 1 in lengths and (max(lengths) > fit.width or fit.even < 0.5) and _is_prose(text, fit)
    else:
        others = [_fit(text, replace(dialect, delimiter=delimiter)) for delimiter in DELIMITERS if delimiter in text]
        tables = [other for other in others if other.is_table_below() and not _is_prose(text, other, 0.5)]
        if tables:
            return _form(tables[0])  # the first line is a title, say: its rows are too long, which is an error
        has_one_column = any(len(row) > 1 for row in fit.rows)
    if has_one_column:
        log.info("%s: no delimiter divides its lines evenly, so every line is one text", path)
        return Form(replace(fit.dialect, delimiter=NO_DELIMITER))
    return form


def _best_fit(text: str, dialect: CsvDialect) -> _Fit:
    """Read the sample with the delimiter that suits it best: the one most likely from its first line in doubt."""
    first = re.sub(r'"[^"]*"', "", text.partition("\n")[0])
    likely = "\t" if "\t" in first else ";" if first.count(";") > first.count(",") else ","
    fits = {
        delimiter: _fit(text, replace(dialect, delimiter=delimiter))
        for delimiter in DELIMITERS
        if delimiter in first or delimiter == likely
    }
    best = max(fits.values(), key=lambda fit: fit.even if fit.width > 1 else 0)
    is_better = best.even > fits[likely].even + 0.1 or (best.even >= MOST and fits[likely].width == 1)
    return best if is_better and (best.even >= MOST or best.dialect.delimiter in ",;\t") else fits[likely]


def _fit(text: str, dialect: CsvDialect) -> _Fit:
    """Read the sample with the delimiter of `dialect`, and recognize the quotes."""
    delimiter = dialect.delimiter
    if delimiter == "\t":
        dialect = replace(dialect, quoting=quotes_enclose_cells(text))
    sample = text[:SAMPLE_CHARACTERS]
    is_whole = len(sample) == len(text)
    fit = _read(sample, dialect, is_whole)
    if dialect.quoting and '\\"' in sample:
        fit = min(fit, _read(sample, replace(dialect, backslash=True), is_whole), key=lambda fit: fit.irregular)
    if dialect.quoting and re.search(f'{re.escape(delimiter)} +"', sample):
        other = _read(sample, replace(fit.dialect, blanks=True), is_whole)
        fit = max(fit, other, key=lambda fit: (fit.even, -fit.irregular))
    return fit


def _read(sample: str, dialect: CsvDialect, is_whole: bool) -> _Fit:
    irregular: list[int] = []
    rows = [cells for _, cells in split_rows(enumerate(sample.split("\n"), 1), dialect, "", "\n", None, irregular)]
    return _Fit(dialect, rows if is_whole else rows[:-1], len(irregular))


def _is_prose(text: str, fit: _Fit, share: float = MOST) -> bool:
    """Return whether the delimiters outside of quotes look like punctuation: blanks and line ends follow them."""
    delimiter = fit.dialect.delimiter
    unquoted = re.sub(r'"[^"\n]*"', "", text[:SAMPLE_CHARACTERS])
    return delimiter in ",;" and len(re.findall(f"{delimiter}(?=[ \n])", unquoted)) >= share * unquoted.count(delimiter)
