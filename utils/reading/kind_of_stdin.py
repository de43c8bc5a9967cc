"""Recognize the format of text on stdin, which has no file name to tell it."""

import codecs
import re
from pathlib import Path

from utils.reading.compressed import STDIN, compression, table_in_zip
from utils.reading.delimited.dialects import recognize_form, sample_of_table
from utils.reading.delimited.labeled_lines import recognize_labels
from utils.reading.encodings import BYTE_ORDER_MARKS, SAMPLE_CHARACTERS, Encoding, TextFile, open_bytes

JSON_START = re.compile(r'\s*(?:\{\s*["}]|\[\s*(?:[\[{\]]|"(?:[^"\\\n]|\\.)*"\s*[,\]]))')
QUOTED = re.compile('"(?:[^"]|"")*"\r?')
PARQUET = b"PAR1"
COLUMN_NAME = re.compile(r" ?[A-Za-z_]{2,20}")


def kind_of_stdin() -> str | None:
    """Return the ending that a file with the content of stdin would have: .json, .csv, .tsv, .txt or .parquet."""
    if compression(STDIN) == ".zip":
        return Path((table_in_zip(STDIN) or "").lower()).suffix or None
    with open_bytes(STDIN) as file:
        start = file.read(SAMPLE_CHARACTERS)
    if start.startswith(PARQUET):
        return ".parquet"
    codec = next((codec for mark, codec in BYTE_ORDER_MARKS if start.startswith(mark)), "utf-8-sig")
    text = codecs.getincrementaldecoder(codec)("replace").decode(start)
    if JSON_START.match(text):
        return ".json"
    newline = "\r" if "\r" in text and "\n" not in text else "\n"
    whole_lines = text if len(start) < SAMPLE_CHARACTERS else text[: text.rfind(newline) + 1] or text
    file = TextFile(STDIN, Encoding(codec), newline, whole_lines, len(start) < SAMPLE_CHARACTERS)
    form = recognize_form(file, ".txt")
    if form is not None:
        return ".tsv" if form.dialect.delimiter == "\t" else ".csv"
    rows = sample_of_table(file)
    if rows and all(map(COLUMN_NAME.fullmatch, rows[0])):
        return ".csv"
    if recognize_labels(whole_lines):
        return ".txt"
    first, *others = lines = [line for line in whole_lines.split(newline) if line.strip()] or [""]
    is_name = COLUMN_NAME.fullmatch(first.strip()) and others and sum(" " in line for line in others) > len(others) / 2
    return ".csv" if rows or is_name or all(map(QUOTED.fullmatch, lines)) else ".txt"
