"""Classify texts with a trained model: texts from the command line, from a file, or one per line from stdin.

python classify.py --model_path models/reviews --text "The battery died after two days"
python classify.py --model_path models/reviews --data_path reviews.csv --output_path predictions.csv
"""

import itertools
import json
import operator
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from utils import distributed
from utils.argument_types import output_path
from utils.cli import Parser
from utils.compute.loaded_models import one_at_a_time
from utils.errors import EXIT_DONE, DataError, UsageError
from utils.files import atomic_write, check_apart, check_writable
from utils.hugging_face_names import accept_hugging_face_names
from utils.inference.classifier import classify_texts
from utils.inference.counts.prediction_counts import log_counts
from utils.inference.prompts import check_unicode_argument, json_object
from utils.locks import one_writer
from utils.models import checkpoint
from utils.models.opening.adapter_folder import BASE_HELP
from utils.process import PROCESS_BEGAN, run
from utils.reading.compressed import compression
from utils.reading.csv_rows import encode_rows
from utils.reading.encodings import BOM
from utils.reading.hub_datasets import is_hub_path
from utils.reading.piped_lines import arriving_lines
from utils.reading.read_frame import files_of
from utils.reading.table_stream import dialect_of_output
from utils.results.columns_to_classify import added_columns, open_table_to_classify
from utils.results.following import after_use
from utils.results.labels import (
    columns_to_compare,
    counts_for,
    keep_loaded_on_device,
    load_classifier,
    new_cells,
    new_columns,
    prediction_line,
    prediction_records,
    true_labels,
)
from utils.tasks.columns import RequestedColumns
from utils.tasks.escaped_cells import undo_in_column
from utils.terminal.notices import say_what_begins, say_what_is_done
from utils.text.formulas import ESCAPE_FORMULAS_HELP, without_formula

DEFAULT_MODEL = "models/fine_tuned_model.pt"
ROWS_AT_ONCE = 1024
FILE_FLAGS = ("output_path", "text_column", "label_column", "no_header", "escape_formulas")
NOT_FROM_PYTHON = ("text", "data_path", *FILE_FLAGS, "json")


def build_parser() -> Parser:
    """Return the command line of classify.py."""
    parser = Parser(__doc__)
    add, add_rare = parser.group("model and texts"), parser.group("model and texts", rare=True)
    add("--model_path", default=DEFAULT_MODEL, metavar="MODEL", help="default: %(default)s")
    add_rare("--base_model", metavar="MODEL", help=BASE_HELP)
    add("--text", action="append", default=[], metavar="TEXT", help="a text to classify (repeatable)")
    add(
        "--data_path",
        "--data",
        metavar="FILE",
        help="a CSV or TSV file, or another one that preprocess.py reads; - is stdin",
    )
    add("--output_path", type=output_path, metavar="FILE.csv", help="default: NAME.predictions.csv beside the data")
    add(
        "--text_column", metavar="COLUMN", help="name, number or path of the column with the text (default: recognized)"
    )
    label = "the column with the true labels, for the scores (default: recognized)"
    add("--label_column", metavar="COLUMN", help=label, more="a,b,c: columns of 0 and 1, for several labels per text")
    add_rare("--no_header", action="store_true", help="the first line is data; the columns are named 0, 1, 2, …")
    add_rare("--escape_formulas", action="store_true", help=ESCAPE_FORMULAS_HELP)
    add = parser.group("running")
    add("--precision", choices=("auto", "fp32", "bf16"), default="auto", help="auto: bf16 where that is faster")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    add("--json", action="store_true", help="print one JSON object per text, or one for the file, on stdout")
    accept_hugging_face_names(parser, output_file="predictions.csv")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Classify a file and write another one, or print the labels of texts."""
    began = PROCESS_BEGAN if argv is None else time.monotonic()
    args = build_parser().parse_args(argv)
    if args.text and args.data_path:
        raise UsageError("--text and --data_path are both given", "remove one of them")
    if args.data_path:
        say_what_begins("classify", f"{args.data_path} with {args.model_path}")
        path, run = classify_file(args)
        say_what_is_done(began, "", [path], after_use(args.model_path, run))
        return EXIT_DONE
    for name in FILE_FLAGS:
        if getattr(args, name):
            raise UsageError(f"--{name} is for files", f"add --data_path FILE, or remove --{name}")
    for text in args.text:
        check_unicode_argument("text", text, file_flag="data_path")
    say_what_begins("classify", f"texts with {args.model_path}")
    texts, run = classify_lines(args, in_chunks(args.text) if args.text else piped_texts())
    say_what_is_done(began, f"{texts:,} {'text' if texts == 1 else 'texts'}", (), after_use(args.model_path, run))
    return EXIT_DONE


def classify(texts: str | Iterable[str | None], model_path: str | os.PathLike = DEFAULT_MODEL, **flags) -> list[dict]:
    """Return {"text", "label", "probabilities"} for each text, like the JSON objects that the script prints.

    A text that is None, or empty after cleaning, has no label. `flags` are precision and device, as on the command
    line. Only the first call loads the model. UserError where it is no classifier.
    """
    args = build_parser().parse_options({"model_path": model_path, **flags}, without=NOT_FROM_PYTHON)
    texts = [texts] if isinstance(texts, str) else [None if text != text else text for text in texts]  # nan: no text
    for number, text in enumerate(texts, start=1):
        if not isinstance(text, str | None):
            raise DataError(f"text {number} is {text!r}, expected a text", "give a list of texts")
    with one_at_a_time:
        classifier, bfloat16 = load_classifier(args, keep_loaded_on_device)
        return prediction_records(classifier, texts, classify_texts(classifier, texts, bfloat16=bfloat16))


def piped_texts() -> Iterator[list[str]]:
    """Return the texts that another program writes to stdin, as many at once as have arrived."""
    distributed.require_single_process("reading texts from stdin")
    hint = 'add --text "…" or --data_path FILE, or pipe in one text per line'
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("there is nothing to classify", hint)
    chunks = arriving_lines()
    first = next(chunks, None)
    if first is None:
        raise DataError("stdin holds no text", hint)
    numbers = itertools.count(1)
    return ([text_of_line(line, next(numbers)) for line in chunk] for chunk in itertools.chain([first], chunks))


def text_of_line(line: str, number: int) -> str:
    """Return the text in a line of stdin: the line itself, or of a JSON object its "full_text" or "text"."""
    record = json_object(line)
    if record is None:
        return line
    text = next((record[key] for key in ("full_text", "text") if isinstance(record.get(key), str)), None)
    if text is None:
        problem = f'stdin, line {number}: a JSON object without a "text"; its keys are {", ".join(map(repr, record))}'
        raise DataError(problem, 'write {"text": "…"}, or one plain text per line')
    return text


def classify_lines(args, chunks: Iterator[list[str]]) -> tuple[int, dict]:
    """Print the label and the probabilities of each text, chunk by chunk; return how many there are, and run.json."""
    classifier, bfloat16 = load_classifier(args)
    counts = counts_for(classifier)
    width = max(map(len, classifier.labels))
    for chunk in chunks:
        predictions = classify_texts(classifier, chunk, bfloat16=bfloat16)
        counts.add(predictions.labels, truncated=predictions.truncated)
        for record in prediction_records(classifier, chunk, predictions):
            line = json.dumps(record, ensure_ascii=False) if args.json else prediction_line(record, width)
            print(line, flush=True)  # so that a reader that has gone (head) is noticed at the next line
    log_counts(counts, classifier.max_length)
    if counts.rows > 1 and (table := counts.table(None)):
        print(table, file=sys.stderr)
    return counts.rows, classifier.run


def classify_file(args) -> tuple[Path, dict]:
    """Write the file's rows with the label and the probabilities of each, and print a summary.

    Return the path of the output, and the model's run.json.
    """
    path = predictions_path(args.data_path, args.output_path)
    inputs = [] if is_hub_path(args.data_path) else files_of(args.data_path)  # before the output's folder is made
    with one_writer(path):
        return path, _classify_into(path, inputs, args)


def _classify_into(path: Path, inputs: list[str], args) -> dict:
    check_apart(path, [args.data_path, *inputs, args.config, *checkpoint.files_of_model(args.model_path)])
    check_writable(path)
    if args.data_path == "-":
        distributed.require_single_process("reading a table from stdin")
    requested = RequestedColumns(args.text_column, args.label_column)
    table, found = open_table_to_classify(args.data_path, requested, not args.no_header)
    classifier, bfloat16 = load_classifier(args)
    columns = columns_to_compare(classifier, found, table.columns)
    texts = (cells[columns.text] for _, cells in table.rows())  # older models learned escapes as text
    undo = undo_in_column(texts, table.columns[columns.text]) if classifier.cleaning.rules > 1 else str
    counts = counts_for(classifier)
    dialect, escaped = dialect_of_output(path, args.data_path, table.dialect), str
    if args.escape_formulas:  # with quotes, since a spreadsheet also splits cells at a line end without them
        dialect, escaped = replace(dialect, quoting=True), without_formula
    header = [*table.columns, *added_columns(table.columns, new_columns(classifier))]
    with (
        atomic_write(path) as file,
        tqdm(total=table.count, desc="classifying", unit=" rows", leave=False, disable=None) as bar,
    ):
        file.write(
            (BOM if dialect.byte_order_mark else "").encode() + encode_rows([list(map(escaped, header))], dialect)
        )
        for rows in in_chunks(cells for _, cells in table.rows()):
            predictions = classify_texts(classifier, [undo(cells[columns.text]) for cells in rows], bfloat16=bfloat16)
            counts.add(predictions.labels, true_labels(columns, rows, counts.rows + 1), predictions.truncated)
            added = new_cells(classifier, predictions, escaped)
            rows = [list(map(escaped, cells)) for cells in rows] if args.escape_formulas else rows
            file.write(encode_rows(map(operator.add, rows, added), dialect))
            bar.update(len(rows))

    scores = None if columns.label is None else counts.scores(mostly_unknown=args.label_column is not None)
    log_counts(counts, classifier.max_length)
    if columns.label is not None:
        counts.log_labels(scores, args.label_column if columns.labels else table.columns[columns.label])
    if shown := counts.table(scores):
        print(shown, file=sys.stderr)
    result = {"output_path": str(path), **counts.summary(), "scores": scores}
    print(json.dumps(result, ensure_ascii=False) if args.json else path, flush=True)
    return classifier.run


def predictions_path(data_path: str, output_path: Path | None) -> Path:
    """Return the path of the predictions. UsageError where that is not a CSV or TSV file."""
    if output_path is None:
        if is_hub_path(data_path) or Path(data_path).is_dir():
            raise UsageError(f"{data_path} is not a file, so there is no default output", "add --output_path FILE.csv")
        if data_path == "-":
            raise UsageError("stdin has no name, so there is no default output", "add --output_path FILE.csv")
        name = Path(data_path).name.removesuffix(compression(data_path))
        return Path(data_path).with_name(Path(name).stem + ".predictions.csv")
    if output_path.suffix.lower() not in (".csv", ".tsv"):
        raise UsageError(f"--output_path {output_path} is neither .csv nor .tsv", "choose a name with one of these")
    return output_path


def in_chunks(items: Iterable) -> Iterator[list]:
    """Yield lists of the next ROWS_AT_ONCE items."""
    items = iter(items)
    return iter(lambda: list(itertools.islice(items, ROWS_AT_ONCE)), [])


if __name__ == "__main__":
    sys.exit(run(main, uses_model=True, repeats=True))
