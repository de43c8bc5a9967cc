"""Turn raw files into one processed pickle: read, filter, clean, drop duplicates, encode, split.

python preprocess.py --data_path data/tweets.csv --output_path data/processed.pkl
python preprocess.py --data_path data/samples/tweets_fr.jsonl --lang fr --hashtags unhash --model tiny
python preprocess.py --task alpaca --data_path alpaca_data.json --sample 0.1 --output_path data/alpaca.pkl
python preprocess.py --task emoji --data_path builtin --aliases en,fr --output_path data/emoji.pkl
python preprocess.py --scrape mastodon-hashtag caturday@INSTANCE --limit 1000 --data_path data/raw/cats.jsonl
"""

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from utils import distributed
from utils.cli import MODEL_HELP, Parser, iso_date, non_negative_int, positive_int, run
from utils.errors import EXIT_DONE, UsageError
from utils.files import check_writable
from utils.preprocessing.flags import (
    add_preprocess_flags,
    aliases_from,
    check_flags_suit_task,
    cleaning_from,
    emoji_options_from,
    filters_from,
)
from utils.tasks.tasks import TASKS

if TYPE_CHECKING:
    from utils.preprocessing.pipeline import PipelineSettings
    from utils.processed import Processed

DEFAULT_TASK = "tweets"
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
        "hf://USER/NAME for a data set of the Hub; builtin for the emoji package's table (--task emoji); with "
        "--scrape, the .jsonl file to collect into",
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
    add("--since", type=iso_date, metavar="YYYY-MM-DD", help="collect posts from this day (UTC) on")
    add("--until", type=iso_date, metavar="YYYY-MM-DD", help="collect posts from before this day (UTC)")
    add("--retries", type=non_negative_int, help="times in a row to ask a site again (default: 5)")
    add("--text_column", help="name or number of the column that holds the text (default: recognised by its name)")
    add("--no_header", action="store_true", help="the first line is data; the columns are called 0, 1, 2, …")
    add("--model", "--model_name_or_path", help=MODEL_HELP + " (default: smollm2 where installed, else gpt2)")
    add("--seed", type=non_negative_int, default=42, help="default: %(default)s")
    add("--json", action="store_true", help="print the audit as JSON on stdout")
    add_preprocess_flags(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Read, filter, encode, split, save; the audit goes to stderr."""
    args = build_parser().parse_args(argv)
    distributed.require_single_process("preprocess.py")
    task = TASKS[args.task or DEFAULT_TASK]
    check_flags_suit_task(args, task)
    if not args.scrape_only:
        check_writable(args.output_path)
    if any(getattr(args, name) not in (None, False) for name in COLLECTING):
        collected = collect(args)
        if args.scrape_only:
            print(json.dumps(collected) if args.json else collected["data_path"])
            return EXIT_DONE

    from utils.models.base_models import default_model
    from utils.preprocessing.audit import format_audit
    from utils.preprocessing.emoji_pairs import format_emoji_counts
    from utils.preprocessing.filters import filter_warnings
    from utils.preprocessing.pipeline import PipelineSettings, without_cyclic_gc
    from utils.processed import save_processed

    base_model, reason = (args.model, "--model") if args.model else default_model()
    filters = filters_from(args, task)
    shared = PipelineSettings(task, base_model, reason, filters, args.seed)
    with without_cyclic_gc():
        processed = PROCESS[task.kind](args, shared)
        save_processed(args.output_path, processed)
    found = processed.audit
    print(format_audit(found), file=sys.stderr)
    if task.kind == "emoji":
        print(format_emoji_counts(found["emoji"]), file=sys.stderr)
    for warning in filter_warnings(found["rows_read"], found["dropped"]):
        log.warning("warning: %s", warning)
    result = {**found, "output_path": str(args.output_path)}
    print(json.dumps(result, ensure_ascii=False) if args.json else args.output_path)
    return EXIT_DONE


def process_texts(args, shared: "PipelineSettings") -> "Processed":
    """Tweets, or labelled texts."""
    from utils.preprocessing.pipeline import process_texts

    names = ("text_column", "label_column", "label_map", "keep_conflicts", "hub_split")
    own = {name: getattr(args, name) for name in names} | {"header": not args.no_header}
    own["processes"] = args.num_proc or 1
    cleaning = cleaning_from(args, shared.task)
    return process_texts(shared, args.data_path, cleaning, suggest_task=args.task is None, **own)


def process_instructions(args, shared: "PipelineSettings") -> "Processed":
    """Instructions with their answers."""
    from utils.preprocessing.pipeline import process_instructions

    own = {name: getattr(args, name) for name in ("multi_turn", "length_hints", "hub_split")}
    return process_instructions(shared, args.data_path, args.template or shared.task.template, **own)


def process_emoji(args, shared: "PipelineSettings") -> "Processed":
    """Descriptions of emoji."""
    from utils.preprocessing.pipeline import process_emoji

    own = {name: getattr(args, name) for name in ("text_column", "hub_split")} | emoji_options_from(args)
    return process_emoji(shared, args.data_path, aliases_from(args), **own)


PROCESS = {  # by the kind of task
    "generate": process_texts,
    "classify": process_texts,
    "instruct": process_instructions,
    "emoji": process_emoji,
}


def collect(args) -> dict:
    """Collect into the one data path: its name and the number of posts in it."""
    from utils.collecting.collect import collect_posts, validate_query
    from utils.collecting.posts import Query

    if args.scrape is None:
        given = next(name for name in COLLECTING if getattr(args, name) not in (None, False))
        raise UsageError(f"--{given} is for collecting", "say from where: --scrape SOURCE TARGET")
    if len(args.data_path) != 1 or Path(args.data_path[0]).suffix != ".jsonl":
        raise UsageError(
            f"--data_path is {' '.join(args.data_path)}, expected one .jsonl file to collect into",
            "write: --data_path data/raw/NAME.jsonl",
        )
    source, target = args.scrape
    query = validate_query(Query(source, target, args.since, args.until, args.lang))
    path = Path(args.data_path[0])
    retries = 5 if args.retries is None else args.retries
    posts = collect_posts(query, path, limit=args.limit or 10_000, retries=retries)
    return {"data_path": str(path), "posts": posts}


if __name__ == "__main__":
    sys.exit(run(main))
