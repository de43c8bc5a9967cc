"""The flags of preprocess.py that belong to some kinds of task alone, and what all of them come to."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from utils.cli import Parser, fraction, non_negative_int, positive_int
from utils.errors import UsageError
from utils.models.chat_templates import TEMPLATES
from utils.tasks.base import Task
from utils.tasks.emoji import SPLITS_BY, TARGETS
from utils.tasks.labels import parse_label_map
from utils.tasks.tasks import TASKS
from utils.text.cleaning import CHOICES, Cleaning

if TYPE_CHECKING:
    from utils.preprocessing.filters import Filters

LABEL_FLAGS = ("label_column", "label_map", "keep_conflicts")
INSTRUCTION_FLAGS = ("template", "multi_turn", "length_hints")
EMOJI_FLAGS = ("target", "split_by", "aliases")
EMOJI_TABLE_DEFAULTS = {"aliases": (), "target": TARGETS[0], "split_by": SPLITS_BY[0]}
KEEP_FLAGS = ("keep_replies", "keep_retweets", "keep_content_warnings", "keep_users")
FLAGS_UNSUITED_TO_KIND = {  # kind → flags that say nothing there, and what stays as it is
    "instruct": (("scrape", "text_column", "no_header", "num_proc", *CHOICES, *KEEP_FLAGS), "instructions"),
    "emoji": (("scrape", "no_header", "lang", "num_proc", *CHOICES, *KEEP_FLAGS), "tables of emoji"),
}


def add_preprocess_flags(parser: Parser) -> None:
    """All flags that say what is kept of the rows, and how it is changed."""
    _add_labels(parser)
    _add_instructions(parser)
    _add_emoji(parser)
    _add_cleaning(parser)
    _add_filters(parser)


def _add_labels(parser: Parser) -> None:
    add = parser.add_argument_group(f"labelled texts (--task {_tasks_of('classify')})").add_argument
    add("--label_column", help="name or number of the column that holds the label (default: recognised by its name)")
    add(
        "--label_map",
        metavar="MAP",
        help='the class of each label: "1-2=negative,4-5=positive" or "neg=0,pos=1"; other labels are dropped',
    )
    add("--keep_conflicts", action="store_true", help="of a text with several labels, keep the one that most rows have")


def _add_instructions(parser: Parser) -> None:
    add = parser.add_argument_group(f"instructions (--task {_tasks_of('instruct')})").add_argument
    add(
        "--template",
        choices=list(TEMPLATES),
        help="how prompts are written: stanford (Alpaca's), plain (Instruction:/Input:/Response:) or chat (the chat "
        "template that the base model brings) (default: stanford)",
    )
    add("--multi_turn", action="store_true", help="learn every answer of a chat, not only the first")
    add("--length_hints", action="store_true", help="let half of the prompts say how long their answer is, to learn it")


def _add_emoji(parser: Parser) -> None:
    add = parser.add_argument_group(f"tables of emoji (--task {_tasks_of('emoji')}; --data_path builtin)").add_argument
    add("--target", choices=TARGETS, help="what the model learns to write for a description (default: emoji)")
    add(
        "--split_by",
        choices=SPLITS_BY,
        help="concept: test on emoji not learnt in any skin tone, gender or wording; description: on new wordings of "
        "emoji that were (default: concept)",
    )
    add(
        "--aliases",
        metavar="LANGUAGES",
        help="further descriptions: the emoji package's names and aliases in these languages, e.g. en,fr",
    )


def _add_cleaning(parser: Parser) -> None:
    add = parser.add_argument_group(f"cleaning (not for --task {_tasks_of(*FLAGS_UNSUITED_TO_KIND)})").add_argument
    for name, choices in CHOICES.items():
        add(f"--{name}", choices=choices, help=f"default: {getattr(Cleaning(), name)}")
    add("--num_proc", type=positive_int, metavar="N", help="processes that clean; the result is the same (default: 1)")
    add("--keep_replies", action="store_true", help="keep replies to other posts")
    add("--keep_retweets", action="store_true", help="keep retweets and boosts")
    add("--keep_content_warnings", action="store_true", help="keep posts behind a content warning, with the warning")
    add("--keep_users", action="store_true", help="keep the authors' user names in the processed pickle")


def _add_filters(parser: Parser) -> None:
    add = parser.add_argument_group("which rows are kept").add_argument
    add("--lang", help="collect and keep one language, by what the site or the file says")
    add(
        "--min_tokens",
        type=non_negative_int,
        help="shortest text (or answer, or description) kept, in words (default: the task's)",
    )
    add(
        "--max_tokens",
        type=positive_int,
        help="longest text (or answer, or description) kept, in words (default: the task's)",
    )
    add("--exclude", action="append", default=[], metavar="WORD", help="drop texts with this word (repeatable)")
    add("--sample", type=fraction, help="keep a random share of what is left, e.g. 0.1")
    add("--max_rows", type=positive_int, help="keep at most so many random rows of what is left")


def check_flags_suit_task(args, task: Task) -> None:
    """UsageError for a flag that says nothing in this kind of task, or whose value can't be understood."""
    suited = (
        ("classify", LABEL_FLAGS, "labelled texts"),
        ("instruct", INSTRUCTION_FLAGS, "instructions"),
        ("emoji", EMOJI_FLAGS, "tables of emoji"),
    )
    for kind, flags, purpose in suited:
        given = [name for name in flags if getattr(args, name) not in (None, False)]
        if given and task.kind != kind:
            raise UsageError(f"--{given[0]} is for {purpose}", f"add --task {_tasks_of(kind)}")
    unsuited, what = FLAGS_UNSUITED_TO_KIND.get(task.kind, ((), ""))
    given = [name for name in unsuited if getattr(args, name) not in (None, False)]
    if given:
        others = " or ".join(name for name, other in TASKS.items() if other.kind not in FLAGS_UNSUITED_TO_KIND)
        raise UsageError(
            f"--{given[0]} is not for {what}, which stay as they are",
            f"leave it away, or choose --task {others}",
        )
    aliases_from(args)
    if args.label_map is not None:
        parse_label_map(args.label_map)


def aliases_from(args) -> list[str]:
    """The languages that --aliases names; UsageError for one that the emoji package has not."""
    return [] if args.aliases is None else aliases_in(args.aliases.split(","))


def aliases_in(languages: Sequence[str]) -> list[str]:
    """The codes of these languages; UsageError for one that the emoji package has not."""
    if not languages:
        return []
    from utils.preprocessing.emoji_sources import check_languages

    return check_languages([code.strip().lower() for code in languages])


def emoji_options_from(args) -> dict[str, str]:
    """What a model learns of a table of emoji."""
    return {name: getattr(args, name) or EMOJI_TABLE_DEFAULTS[name] for name in ("target", "split_by")}


def cleaning_from(args, task: Task) -> Cleaning | None:
    """The task's cleaning, with what the flags change."""
    given = {name: getattr(args, name) for name in CHOICES if getattr(args, name) is not None}
    return task.cleaning and replace(task.cleaning, **given)


def take_table_options(options: dict) -> dict:
    """Take out of `options`, and check, what decides about a table of emoji."""
    table = {name: options.pop(name, value) for name, value in EMOJI_TABLE_DEFAULTS.items()}
    for name, choices in (("target", TARGETS), ("split_by", SPLITS_BY)):
        if table[name] not in choices:
            raise UsageError(f"{name} is {table[name]!r}", f"choose {' or '.join(choices)}")
    return table | {"aliases": aliases_in(table["aliases"])}


def default_filters(task: Task) -> "Filters":
    """The task's own filters."""
    from utils.preprocessing.filters import Filters

    off = dict.fromkeys(KEEP_FLAGS, False) | dict.fromkeys(("language", "sample", "max_rows"))
    return Filters(**off, min_tokens=task.min_words, max_tokens=task.max_words, exclude=())


def filters_from(args, task: Task) -> "Filters":
    """The filters that the flags ask for, with the task's lengths."""
    from utils.preprocessing.filters import Filters

    return Filters(
        keep_replies=args.keep_replies,
        keep_retweets=args.keep_retweets,
        keep_content_warnings=args.keep_content_warnings,
        keep_users=args.keep_users,
        language=args.lang,
        min_tokens=task.min_words if args.min_tokens is None else args.min_tokens,
        max_tokens=args.max_tokens or task.max_words,
        exclude=tuple(args.exclude),
        sample=args.sample,
        max_rows=args.max_rows,
    )


def _tasks_of(*kinds: str) -> str:
    return " or ".join(name for name, task in TASKS.items() if task.kind in kinds)
