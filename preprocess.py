"""Turn raw files into one processed pickle: read, filter, clean, drop duplicates, encode, split.

python preprocess.py --data_path data/tweets.csv --output_path data/processed.pkl
python preprocess.py --data_path data/samples/tweets_fr.jsonl --lang fr --hashtags unhash --model tiny
python preprocess.py --scrape mastodon-hashtag caturday@INSTANCE --limit 1000 --data_path data/raw/cats.jsonl
"""

import json
import logging
import sys
from dataclasses import asdict, replace
from pathlib import Path

from utils.cleaning import CHOICES, Cleaning
from utils.cli import MODEL_HELP, Parser, day, non_negative_int, positive_int, run, set_up_logging, share
from utils.errors import EXIT_DONE, UsageError
from utils.files import check_writable
from utils.labels import LabelMap, in_order, parse_label_map
from utils.tasks import TASKS
from utils.tasks.base import Task

DEFAULT_TASK = "tweets"
LABELLING = ("label_column", "label_map", "keep_conflicts")
COLLECTING = ("scrape", "scrape_only", "limit", "since", "until", "retries")

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
        help="CSV, TSV, JSON, JSONL, Parquet or text files, or folders; an X archive; a Mastodon outbox.json; "
        "hf://USER/NAME for a data set of the Hub; with --scrape, the .jsonl file to collect into",
    )
    add("--output_path", type=Path, default=Path("data/processed.pkl"), help="default: %(default)s")
    add(
        "--task",
        choices=sorted(TASKS),
        help="; ".join(f"{name}: {task.summary}" for name, task in TASKS.items()) + f" (default: {DEFAULT_TASK})",
    )
    add("--hub_split", default="train", help="the split of a data set of the Hub (default: %(default)s)")
    add(
        "--scrape",
        nargs=2,
        metavar=("SOURCE", "TARGET"),
        help="collect posts first: mastodon-hashtag TAG@INSTANCE, mastodon-user NAME@INSTANCE, telegram-channel NAME, "
        "twitter-search WORDS, … (an unknown SOURCE lists all)",
    )
    add("--scrape_only", action="store_true", help="collect, and leave it at that")
    add("--limit", type=positive_int, help="posts to collect in all (default: 10000)")
    add("--since", type=day, metavar="YYYY-MM-DD", help="collect posts from this day (UTC) on")
    add("--until", type=day, metavar="YYYY-MM-DD", help="collect posts from before this day (UTC)")
    add("--retries", type=non_negative_int, help="times in a row to ask a site again (default: 5)")
    add("--text_column", help="name or number of the column that holds the text (default: recognised by its name)")
    add("--label_column", help="name or number of the column that holds the label (default: recognised by its name)")
    add(
        "--label_map",
        metavar="MAP",
        help='the class of each label: "1-2=negative,4-5=positive" or "neg=0,pos=1"; other labels are dropped',
    )
    add("--keep_conflicts", action="store_true", help="of a text with several labels, keep the one that most rows have")
    add("--no_header", action="store_true", help="the first line is data; the columns are called 0, 1, 2, …")
    add("--model", "--model_name_or_path", help=MODEL_HELP + " (default: smollm2 where installed, else gpt2)")
    for name, choices in CHOICES.items():
        add(f"--{name}", choices=choices, help=f"default: {getattr(Cleaning(), name)}")
    add("--keep_replies", action="store_true", help="keep replies to other posts")
    add("--keep_retweets", action="store_true", help="keep retweets and boosts")
    add("--keep_content_warnings", action="store_true", help="keep posts behind a content warning, with the warning")
    add("--keep_users", action="store_true", help="keep the authors' user names in the processed pickle")
    add("--lang", help="collect and keep one language, by what the site or the file says")
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
    task = TASKS[args.task or DEFAULT_TASK]
    label_map = label_map_from(args, task)
    if not args.scrape_only:
        check_writable(args.output_path)
    if any(getattr(args, name) not in (None, False) for name in COLLECTING):
        collected = collect(args)
        if args.scrape_only:
            print(json.dumps(collected) if args.json else collected["data_path"])
            return EXIT_DONE

    from utils import audit, base_models, encoding, examples, filtering, raw_rows, store

    columns = raw_rows.Columns(args.text_column, args.label_column)
    reading = {"header": not args.no_header, "hub_split": args.hub_split, "suggest_task": args.task is None}
    rows, sources = raw_rows.read_rows(task, args.data_path, columns, label_map, **reading)
    base_name, reason = (args.model, "--model") if args.model else base_models.default_model()
    log.info("base model %s: %s", base_name, reason)
    base = base_models.resolve(base_name)
    cleaning, filters = cleaning_from(args, task), filters_from(args, task)
    filtered = filtering.filter_rows(rows, cleaning, filters, args.seed, args.keep_conflicts)
    sides = examples.split_rows(filtered, task, args.seed)
    tokenizer = base_models.load_tokenizer(base)
    encoded = examples.encode_rows(filtered, task, tokenizer)
    splits = {name: encoded.take(side) for name, side in sides.items()}
    found = audit.audit(len(rows), filtered, splits, tokenizer.unk_token_id)
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
    if task.kind == "classify":
        recipe["labels"] = in_order(filtered.labels)
        recipe |= {"label_map": args.label_map, "keep_conflicts": args.keep_conflicts}
    fingerprint = {"name": base_name, "fingerprint": encoding.fingerprint(tokenizer)}
    processed = store.Processed(recipe, found, [asdict(source) for source in sources], fingerprint, splits)
    store.save(args.output_path, processed)
    print(audit.report(found), file=sys.stderr)
    for warning in filtering.warnings(len(rows), filtered.dropped):
        log.warning("warning: %s", warning)
    result = {**found, "output_path": str(args.output_path)}
    print(json.dumps(result, ensure_ascii=False) if args.json else args.output_path)
    return EXIT_DONE


def label_map_from(args, task: Task) -> LabelMap | None:
    """The map that --label_map writes; UsageError for it, or another flag of labels, in a task without labels."""
    given = [name for name in LABELLING if getattr(args, name) not in (None, False)]
    if given and task.kind != "classify":
        classifying = [name for name, other in TASKS.items() if other.kind == "classify"]
        raise UsageError(f"--{given[0]} is for labelled texts", f"add --task {' or '.join(classifying)}")
    return None if args.label_map is None else parse_label_map(args.label_map)


def collect(args) -> dict:
    """Collect into the one data path: its name and the number of posts in it."""
    from utils import collecting

    if args.scrape is None:
        given = next(name for name in COLLECTING if getattr(args, name) not in (None, False))
        raise UsageError(f"--{given} is for collecting", "say from where: --scrape SOURCE TARGET")
    if len(args.data_path) != 1 or Path(args.data_path[0]).suffix != ".jsonl":
        raise UsageError(
            f"--data_path is {' '.join(args.data_path)}, expected one .jsonl file to collect into",
            "write: --data_path data/raw/NAME.jsonl",
        )
    source, target = args.scrape
    query = collecting.checked(collecting.Query(source, target, args.since, args.until, args.lang))
    path = Path(args.data_path[0])
    retries = 5 if args.retries is None else args.retries
    posts = collecting.collect(query, path, limit=args.limit or 10_000, retries=retries)
    return {"data_path": str(path), "posts": posts}


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
        keep_content_warnings=args.keep_content_warnings,
        keep_users=args.keep_users,
        language=args.lang,
        min_tokens=task.min_tokens if args.min_tokens is None else args.min_tokens,
        max_tokens=args.max_tokens or task.max_tokens,
        exclude=tuple(args.exclude),
        sample=args.sample,
        max_rows=args.max_rows,
    )


if __name__ == "__main__":
    sys.exit(run(main))
