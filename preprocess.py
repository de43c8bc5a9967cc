"""Turn raw files into one processed pickle: read, filter, clean, drop duplicates, encode, split.

python preprocess.py --data_path data/tweets.csv --output_path data/processed.pkl
python preprocess.py --data_path data/samples/tweets_fr.jsonl --lang fr --hashtags unhash --model tiny
"""

import json
import logging
import sys
from dataclasses import asdict, replace
from pathlib import Path

from utils import store
from utils.cleaning import CHOICES, Cleaning
from utils.cli import MODEL_HELP, Parser, non_negative_int, positive_int, run, set_up_logging, share
from utils.errors import EXIT_DONE, DataError
from utils.files import check_writable
from utils.tasks import TASKS
from utils.tasks.base import Task, choose_text_column

log = logging.getLogger("utils.preprocess")


def build_parser() -> Parser:
    """The command line of preprocess.py."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add(
        "--data_path",
        "--data",
        nargs="+",
        required=True,
        metavar="PATH",
        help="CSV, TSV, JSON, JSONL, Parquet or text files, or folders",
    )
    add("--output_path", type=Path, default=Path("data/processed.pkl"), help="default: %(default)s")
    add(
        "--task",
        choices=sorted(TASKS),
        default="tweets",
        help="; ".join(f"{name}: {task.summary}" for name, task in TASKS.items()),
    )
    add("--text_column", help="the column that holds the text (default: recognised by its name)")
    add("--no_header", action="store_true", help="the first line is data; the columns are called 0, 1, 2, …")
    add("--model", "--model_name_or_path", help=MODEL_HELP + " (default: smollm2 where installed, else gpt2)")
    for name, choices in CHOICES.items():
        add(f"--{name}", choices=choices, help=f"default: {getattr(Cleaning(), name)}")
    add("--keep_replies", action="store_true", help="keep replies to other posts")
    add("--keep_retweets", action="store_true", help="keep retweets")
    add("--lang", help="keep one language, by the file's language column")
    add("--min_tokens", type=non_negative_int, help="shortest text kept, in words (default: the task's)")
    add("--max_tokens", type=positive_int, help="longest text kept, in words (default: the task's)")
    add("--exclude", action="append", default=[], metavar="WORD", help="drop texts with this word (repeatable)")
    add("--sample", type=share, help="keep a random share of what is left, e.g. 0.1")
    add("--max_rows", type=positive_int, help="keep at most so many random rows of what is left")
    add("--seed", type=non_negative_int, default=42, help="default: %(default)s")
    add("--json", action="store_true", help="print the audit as JSON on stdout")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Read, filter, encode, split, save; the audit goes to stderr."""
    args = build_parser().parse_args(argv)
    set_up_logging()
    check_writable(args.output_path)
    task = TASKS[args.task]

    from utils import audit, base_models, encoding, filtering, reading, splitting

    frame, sources = reading.read_frame(args.data_path, header=not args.no_header)
    text_column = choose_text_column(task, list(frame.columns), args.text_column)
    log.info("read %s rows; the text is in column %r", f"{len(frame):,}", text_column)
    base_name, reason = (args.model, "--model") if args.model else base_models.default_model()
    log.info("base model %s: %s", base_name, reason)
    base = base_models.resolve(base_name)
    cleaning, filters = cleaning_from(args, task), filters_from(args, task)
    filtered = filtering.filter_rows(task.to_rows(frame, text_column), cleaning, filters, args.seed)
    sides = splitting.split_by_group(filtered.groups, task.split, args.seed)
    if any(len(side) == 0 for side in sides):
        raise DataError(
            f"{len(filtered.texts)} rows in {len(set(filtered.groups))} groups are left, too few for three splits",
            f"bring more rows, or filter less (dropped: {filtering.describe(filtered.dropped) or 'nothing'})",
        )
    tokenizer = base_models.load_tokenizer(base)
    examples = [task.to_example(*pair) for pair in zip(filtered.texts, filtered.groups, strict=True)]
    encoded = encoding.encode_examples(tokenizer, examples)
    splits = {name: encoded.take(rows) for name, rows in zip(store.SPLITS, sides, strict=True)}
    found = audit.audit(len(frame), filtered, splits, tokenizer.unk_token_id)
    recipe = {
        "task": task.name,
        "kind": task.kind,
        "labels": None,
        "template": task.template,
        "cleaning": asdict(cleaning),
        "filters": asdict(filters),
        "base_model": base_name,
        "seed": args.seed,
    }
    fingerprint = {"name": base_name, "fingerprint": encoding.fingerprint(tokenizer)}
    processed = store.Processed(recipe, found, [asdict(source) for source in sources], fingerprint, splits)
    store.save(args.output_path, processed)
    print(audit.report(found), file=sys.stderr)
    for warning in filtering.warnings(len(frame), filtered.dropped):
        log.warning("warning: %s", warning)
    result = {**found, "output_path": str(args.output_path)}
    print(json.dumps(result, ensure_ascii=False) if args.json else args.output_path)
    return EXIT_DONE


def cleaning_from(args, task: Task) -> Cleaning:
    """The task's cleaning, with what the flags change."""
    given = {name: getattr(args, name) for name in CHOICES if getattr(args, name) is not None}
    return replace(task.cleaning, **given)


def filters_from(args, task: Task):
    """The filters that the flags ask for, with the task's lengths."""
    from utils.filtering import Filters

    return Filters(
        keep_replies=args.keep_replies,
        keep_retweets=args.keep_retweets,
        language=args.lang,
        min_tokens=task.min_tokens if args.min_tokens is None else args.min_tokens,
        max_tokens=args.max_tokens or task.max_tokens,
        exclude=tuple(args.exclude),
        sample=args.sample,
        max_rows=args.max_rows,
    )


if __name__ == "__main__":
    sys.exit(run(main))
