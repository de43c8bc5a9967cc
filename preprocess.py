"""Turn raw files into one processed pickle: read, filter, clean, drop duplicates, split, encode.

python preprocess.py --data_path data/tweets.csv
python preprocess.py --task reviews --data_path reviews.csv --output_path data/reviews.pkl
python preprocess.py --task alpaca --data_path alpaca_data.json --sample 0.1 --output_path data/alpaca.pkl
python preprocess.py --task emoji --data_path builtin --aliases en,fr --output_path data/emoji.pkl
python preprocess.py --scrape mastodon-hashtag caturday@INSTANCE --limit 1000 --data_path data/raw/cats.jsonl
"""

import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from utils import distributed
from utils.argument_types import ADDRESS, iso_date, non_negative_int, output_path, positive_int, seed_number
from utils.cli import MODEL_HELP, MORE_OF_MODEL, Parser
from utils.errors import EXIT_DONE, UsageError
from utils.files import check_writable
from utils.hugging_face_names import accept_hugging_face_names
from utils.interrupts import next_command
from utils.preprocessing.audit import Preprocessed, format_audit
from utils.preprocessing.flags import DEFAULT_TASK, add_preprocess_flags, check_flags_suit_task, task_of
from utils.process import PROCESS_BEGAN, run
from utils.results.data import process_and_save, warn_of_filters
from utils.results.following import after_preprocessing
from utils.tasks.kinds import KINDS
from utils.tasks.tasks import TASKS
from utils.terminal.notices import say_what_begins, say_what_is_done

DEFAULT_OUTPUT = Path("data/processed.pkl")
DEFAULT_LIMIT = 10_000  # posts
DEFAULT_RETRIES = 5
SCRAPE_FLAGS = ("scrape", "scrape_only", "limit", "since", "until", "retries")

log = logging.getLogger(f"{distributed.__package__}.preprocess")  # also where utils has another name


def build_parser() -> Parser:
    """Return the command line of preprocess.py."""
    parser = Parser(__doc__)
    add, add_rare = parser.group("data"), parser.group("data", rare=True)
    add(
        "--data_path",
        "--data",
        nargs="+",
        required=True,
        metavar="PATH",
        help="files or folders (CSV, TSV, JSON, JSONL, Parquet, text), or hf://USER/NAME for a dataset on the Hub",
        more="-: stdin; an X archive; a Mastodon outbox.json; builtin for the emoji package's table (--task emoji); "
        "with --scrape, the .jsonl file to write posts to",
    )
    add("--output_path", type=output_path, default=DEFAULT_OUTPUT, help="default: %(default)s")
    add(
        "--task",
        choices=sorted(TASKS),
        metavar="TASK",
        help=", ".join(f"{name} to {KINDS[task.kind].verb_phrase}" for name, task in TASKS.items())
        + f" (default: {DEFAULT_TASK})",
        more="; ".join(f"{name}: {task.summary}" for name, task in TASKS.items()),
    )
    add("--text_column", help="the column with the text (default: recognized)", more="name, number (from 0) or path")
    model = f"{MODEL_HELP} (default: smollm2)"
    add("--model", "--model_name_or_path", help=model, more=f"{MORE_OF_MODEL}; without it, the default is gpt2")
    add_rare("--no_header", action="store_true", help="the first line is data; columns are named 0, 1, 2, …")
    add_rare("--hub_split", default="train", help="split of a dataset on the Hub to read (default: %(default)s)")
    add_rare("--seed", type=seed_number, default=42, help="default: %(default)s")
    add_rare("--json", action="store_true", help="print the audit as JSON on stdout")
    add_preprocess_flags(parser)
    add, add_rare = parser.group("collecting posts"), parser.group("collecting posts", rare=True)
    add(
        "--scrape",
        nargs=2,
        metavar=("SOURCE", "TARGET"),
        help="collect posts first: mastodon-user NAME@INSTANCE",
        more="mastodon-hashtag TAG@INSTANCE, telegram-channel NAME, twitter-search WORDS (an unknown SOURCE lists all "
        "of them)",
    )
    add("--limit", type=positive_int, help=f"posts to collect in total (default: {DEFAULT_LIMIT})")
    add_rare("--scrape_only", action="store_true", help="collect posts and stop")
    add_rare("--since", type=iso_date, metavar="YYYY-MM-DD", help="collect posts from this day (UTC) or later")
    add_rare("--until", type=iso_date, metavar="YYYY-MM-DD", help="collect posts from before this day (UTC)")
    add_rare("--retries", type=non_negative_int, help=f"number of retries in a row (default: {DEFAULT_RETRIES})")
    accept_hugging_face_names(parser, output_file=DEFAULT_OUTPUT.name)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Collect posts if asked to; process the files, save the pickle, and print the audit to stderr."""
    began = PROCESS_BEGAN if argv is None else time.monotonic()
    args = build_parser().parse_args(argv)
    distributed.require_single_process("preprocess.py")
    task = task_of(args)
    check_flags_suit_task(args, task)
    if not args.scrape_only:
        check_writable(args.output_path)
    if asks_for_collecting(args):
        collected = collect(args)
        if args.scrape_only:
            print(json.dumps(collected) if args.json else collected["data_path"])
            path = Path(collected["data_path"])
            say_what_is_done(began, "", [path], [next_command("preprocess", "--data_path", path)])
            return EXIT_DONE

    files = ", ".join(map(str, args.data_path))
    say_what_begins("preprocess", f"{task.name} from {files}", "libraries load for about 2 s")
    result = process_and_save(args, task)
    print(format_audit(result.audit), file=sys.stderr)
    warn_of_filters(result.audit)
    printed = {**result.audit, "output_path": str(result.path)}
    print(json.dumps(printed, ensure_ascii=False) if args.json else result.path, flush=True)
    say_what_is_done(began, "", [result.path], after_preprocessing(result.path))
    return EXIT_DONE


def preprocess(
    data: str | os.PathLike | Sequence[str | os.PathLike], output: str | os.PathLike | None = None, **flags
) -> Preprocessed:
    """Process files into one pickle for fine_tune and evaluate; return where it is and its audit, which it shows.

    `data` and `output` are --data_path and --output_path; `flags` are those of the command line (`task="reviews"`,
    `model="gpt2"`, …). UserError where they or the data are wrong.
    """
    data = [data] if isinstance(data, str | os.PathLike) else list(data)
    options = {"data_path": data, "output_path": output, **flags}
    args = build_parser().parse_options(options, without=("json", "scrape_only"))
    task = task_of(args)
    check_flags_suit_task(args, task)
    check_writable(args.output_path)
    if asks_for_collecting(args):
        collect(args)
    # Processes run the calling program again, which it may not expect: start some only on request.
    args.num_proc = args.num_proc or 1
    result = process_and_save(args, task)
    warn_of_filters(result.audit)
    return result


def asks_for_collecting(args) -> bool:
    """Return whether a flag of --scrape is given."""
    return any(getattr(args, flag) not in (None, False) for flag in SCRAPE_FLAGS)


def collect(args) -> dict:
    """Collect posts into the one data path; return its name and the number of posts in it."""
    from utils.collecting.collect import collect_posts, validate_query
    from utils.collecting.posts import Query

    if args.scrape is None:
        flag = next(flag for flag in SCRAPE_FLAGS if getattr(args, flag) not in (None, False))
        raise UsageError(f"--{flag} needs --scrape", "add a source: --scrape SOURCE TARGET")
    if len(args.data_path) != 1 or Path(args.data_path[0]).suffix != ".jsonl" or ADDRESS.match(args.data_path[0]):
        problem = f"--data_path is {' '.join(args.data_path)}, expected one .jsonl file to collect posts into"
        raise UsageError(problem, "use --data_path data/raw/NAME.jsonl")
    source, target = args.scrape
    query = validate_query(Query(source, target, args.since, args.until, args.lang))
    path = Path(args.data_path[0])
    retries = DEFAULT_RETRIES if args.retries is None else args.retries
    posts = collect_posts(query, path, limit=args.limit or DEFAULT_LIMIT, retries=retries)
    return {"data_path": str(path), "posts": posts}


if __name__ == "__main__":
    sys.exit(run(main, repeats=True))
