"""Label texts with a trained model: those typed, those of a file, or one text a line from another program.

python classify.py --model_path models/fine_tuned_model.pt --text "The battery died after two days"
python classify.py --model_path models/fine_tuned_model.pt --data_path reviews.csv --output_path predictions.csv
"""

import itertools
import json
import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from utils import distributed
from utils.cli import Parser, run
from utils.errors import EXIT_DONE, DataError, UsageError
from utils.files import atomic_write, check_writable
from utils.inference.classifier import PredictionCounts, class_balance_table, log_counts, log_labels
from utils.reading.csv_rows import encode_rows
from utils.reading.encodings import BOM, decode_mixed
from utils.reading.hub_datasets import is_hub_path
from utils.reading.table_stream import TableStream, dialect_of_output
from utils.tasks.columns import ColumnPositions, RequestedColumns, added_columns, open_table_to_classify
from utils.tasks.labels import LabelMap, parse_label_map
from utils.text_tables import one_line

log = logging.getLogger("utils.classify")

ROWS_AT_ONCE = 1024
FOR_FILES = ("output_path", "text_column", "label_column", "no_header")


def build_parser() -> Parser:
    """The command line of classify.py."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add("--model_path", default="models/fine_tuned_model.pt", metavar="MODEL", help="default: %(default)s")
    add("--text", action="append", default=[], help="a text to label (repeatable)")
    add("--data_path", "--data", metavar="FILE", help="CSV or TSV of any size, or what else preprocess.py reads")
    add("--output_path", type=Path, metavar="FILE.csv", help="default: NAME.predictions.csv beside the data")
    add("--text_column", help="name or number (from 0) of the column with the text (default: recognised)")
    add("--label_column", help="of the column with the right labels, for the scores (default: recognised)")
    add("--no_header", action="store_true", help="the first line is data; the columns are called 0, 1, 2, …")
    add("--precision", choices=("auto", "fp32", "bf16"), default="auto", help="auto: bf16 where that is faster")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    add("--json", action="store_true", help="print a JSON object a text, or one about the file, on stdout")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Classify a file into a file, or texts onto stdout."""
    args = build_parser().parse_args(argv)
    if args.text and args.data_path:
        raise UsageError("--text and --data_path are two inputs", "give one of them")
    if args.data_path:
        classify_file(args)
        return EXIT_DONE
    if useless := [name for name in FOR_FILES if getattr(args, name)]:
        raise UsageError(f"--{useless[0]} is for files", "name one with --data_path, or leave it out")
    classify_lines(args, typed(args.text) if args.text else lines_of_stdin())
    return EXIT_DONE


def typed(texts: list[str]) -> Iterator[str]:
    """The texts of the command line."""
    for text in texts:
        if text.encode(errors="replace").decode() != text:
            raise UsageError(f"--text {text!a} is not UTF-8", "put it into a file, and name that as --data_path")
    return iter(texts)


def lines_of_stdin() -> Iterator[str]:
    """The lines that another program writes to us; what is not UTF-8 in them is read as cp1252."""
    distributed.require_single_process("a text a line from another program")
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "there is nothing to classify", 'give --text "…" or --data_path FILE, or pipe in a text a line'
        )
    lines = (decode_mixed(line).removesuffix("\n").removesuffix("\r") for line in sys.stdin.buffer)
    first = next(lines, None)
    if first is None:
        raise DataError("stdin holds no text", 'give --text "…" or --data_path FILE, or pipe in a text a line')
    return itertools.chain([first.removeprefix(BOM)], lines)


def load_classifier(args):
    """The classifier on its device, and whether it computes in bfloat16."""
    from utils.compute.device import choose_device, choose_precision
    from utils.inference.classifier import open_classifier

    device = choose_device(args.device)
    bfloat16 = choose_precision(args.precision, device) == "bf16"
    distributed.initialize(device)
    classifier = open_classifier(args.model_path)
    classifier.model.to(device)
    return classifier, bfloat16


def classify_lines(args, texts: Iterator[str]) -> None:
    """Print the label and the probabilities of each text."""
    classifier, bfloat16 = load_classifier(args)
    from utils.inference.classifier import classify_texts

    tally = PredictionCounts(classifier.labels)
    width = max(map(len, classifier.labels))
    for chunk in in_chunks(texts):
        found = classify_texts(classifier, chunk, bfloat16=bfloat16)
        tally.add(found.labels, truncated=found.truncated)
        for text, label, row in zip(chunk, found.labels, found.probabilities.tolist(), strict=True):
            probabilities = dict(zip(classifier.labels, row, strict=True)) if label is not None else None
            if args.json:
                line = json.dumps({"text": text, "label": label, "probabilities": probabilities}, ensure_ascii=False)
            else:
                shares = "  ".join(f"{name} {share:.3f}" for name, share in (probabilities or {}).items())
                line = f"{label or '–':<{width}}  {shares or 'no text'}  {one_line(text, 80)}".rstrip()
            print(line, flush=True)  # a reader such as head, once gone, is noticed at the next line
    log_counts(tally, classifier.max_length)
    if tally.rows > 1:
        print(class_balance_table(tally, None), file=sys.stderr)


def classify_file(args) -> None:
    """Write the file's rows with what the model says of each, and print how that went."""
    path = output_path_of(args.data_path, args.output_path)
    check_writable(path)
    requested = RequestedColumns(args.text_column, args.label_column)
    table, columns = open_table_to_classify(args.data_path, requested, not args.no_header)
    classifier, bfloat16 = load_classifier(args)
    tally = PredictionCounts(classifier.labels, label_map_of(classifier))
    dialect = dialect_of_output(path, args.data_path, table.dialect)
    header = [*table.columns, *added_columns(table.columns, classifier.labels)]
    with atomic_write(path) as file:
        file.write((BOM if dialect.byte_order_mark else "").encode() + encode_rows([header], dialect))
        for rows in classified_rows(classifier, table, columns, bfloat16, tally):
            file.write(encode_rows(rows, dialect))

    scores = None if columns.label is None else tally.scores(of_few=args.label_column is not None)
    log_counts(tally, classifier.max_length)
    if columns.label is not None:
        log_labels(tally, scores, table.columns[columns.label])
    print(class_balance_table(tally, scores), file=sys.stderr)
    counts = {"rows": tally.rows, "without_text": tally.without_text, "truncated": tally.truncated}
    result = {"output_path": str(path), **counts, "predicted": tally.predicted, "scores": scores}
    print(json.dumps(result, ensure_ascii=False) if args.json else path)


def label_map_of(classifier) -> LabelMap | None:
    """The map with which preprocess.py made classes of the labels that the model was trained on."""
    written = classifier.run.get("label_map")
    return parse_label_map(written) if written else None


def classified_rows(
    classifier, table: TableStream, columns: ColumnPositions, bfloat16: bool, tally: PredictionCounts
) -> Iterator[list[list[str]]]:
    """The table's rows, so many at once, each with its prediction and probabilities; they are counted in `tally`."""
    from tqdm import tqdm

    from utils.inference.classifier import classify_texts

    with tqdm(total=table.count, desc="classifying", unit=" rows", disable=None) as bar:
        for rows in in_chunks(cells for _, cells in table.rows()):
            found = classify_texts(classifier, [cells[columns.text] for cells in rows], bfloat16=bfloat16)
            labels = None if columns.label is None else [cells[columns.label] for cells in rows]
            tally.add(found.labels, labels, found.truncated)
            yield [
                [*cells, label or "", *("" if label is None else f"{share:.6f}" for share in shares)]
                for cells, label, shares in zip(rows, found.labels, found.probabilities.tolist(), strict=True)
            ]
            bar.update(len(rows))


def output_path_of(source: str, wanted: Path | None) -> Path:
    """Where the predictions go. UsageError where that is the input, or no CSV or TSV file."""
    if wanted is None:
        if is_hub_path(source) or Path(source).is_dir():
            raise UsageError(f"{source} is no file to write beside", "say where the predictions go: --output_path")
        return Path(source).with_name(Path(Path(source).name.removesuffix(".gz")).stem + ".predictions.csv")
    if wanted.suffix.lower() not in (".csv", ".tsv"):
        raise UsageError(f"--output_path {wanted} is neither .csv nor .tsv", "give it such a name")
    try:
        if Path(source).samefile(wanted):
            raise UsageError(f"--output_path {wanted} is the input", "name another file; the input was left as it is")
    except OSError:  # one of them does not exist, which is for others to judge
        pass
    return wanted


def in_chunks(items: Iterable) -> Iterator[list]:
    """Lists of the next ROWS_AT_ONCE items."""
    items = iter(items)
    return iter(lambda: list(itertools.islice(items, ROWS_AT_ONCE)), [])


if __name__ == "__main__":
    sys.exit(run(main, uses_model=True))
