"""The flags of preprocess.py that say which rows are kept and how they are changed, and the values they stand for."""

from dataclasses import replace
from typing import TYPE_CHECKING

from utils.argument_types import fraction, non_negative_int, positive_int
from utils.cli import Parser
from utils.errors import UsageError
from utils.models.chat_templates import TEMPLATES
from utils.tasks.alpaca import KEYS, parse_columns
from utils.tasks.base import Task
from utils.tasks.emoji import SPLITS_BY, TARGETS
from utils.tasks.kinds import KINDS, Kind
from utils.tasks.labels import parse_label_map
from utils.tasks.tasks import TASKS
from utils.text.cleaning import CHOICES, Cleaning

if TYPE_CHECKING:
    from utils.preprocessing.filters import Filters

RECIPES = {"jeudiconfession": {"min_words": 6, "max_words": 30}}  # the limits that a published model was made with
OLD_FLAGS = {"--min_tokens": "--min_words", "--max_tokens": "--max_words", "--target": "--emoji_target"}


def add_preprocess_flags(parser: Parser) -> None:
    """Add the flags of labels, instructions, emoji, cleaning and filters, a group of the help for each."""
    add = _group(parser, "labeled texts", "label_map").add_argument
    add("--label_column", help="name or number of the column that holds the label (default: recognized by name)")
    add(
        "--label_map",
        metavar="MAP",
        help='the class of each label: "1-2=negative,4-5=positive" or "neg=0,pos=1"; other labels are dropped',
    )
    add("--keep_conflicts", action="store_true", help="keep texts with several labels, with their most frequent label")

    add = _group(parser, "instructions", "template").add_argument
    add(
        "--template",
        choices=list(TEMPLATES),
        help="how prompts are written: stanford (Alpaca's), plain (Instruction:/Input:/Response:) or chat (the base "
        f"model's own chat template) (default: {TASKS['alpaca'].template})",
    )
    add("--multi_turn", action="store_true", help="learn every answer of a chat instead of only the first")
    add(
        "--columns",
        metavar="KEY=COLUMN,…",
        help=f"which columns hold what: instruction=QUESTION,output=REPLY; the keys are {', '.join(KEYS)} (default: "
        "recognized by name)",
    )
    add(
        "--length_hints",
        action="store_true",
        help="state the length of the answer in half of the prompts, so that the model learns to follow it",
    )

    add = _group(parser, "tables of emoji", "emoji_target").add_argument
    add(
        "--emoji_target",
        choices=TARGETS,
        help=f"what the model learns to write for a description (default: {TARGETS[0]})",
    )
    add(
        "--split_by",
        choices=SPLITS_BY,
        help="concept: test on emoji that training has in no skin tone, gender or wording; description: test on new "
        f"descriptions of the emoji in training (default: {SPLITS_BY[0]})",
    )
    add(
        "--aliases", metavar="LANGUAGES", help="add the emoji package's names in these languages as descriptions: en,fr"
    )

    add = _group(parser, "cleaning", "num_proc").add_argument
    for name, choices in CHOICES.items():
        defaults = {task.name: getattr(task.cleaning, name) for task in TASKS.values() if task.cleaning}
        add(f"--{name}", choices=choices, help=f"default: {_by_task(defaults)}")
    add("--num_proc", type=positive_int, metavar="N", help="number of processes that clean texts (default: 1)")
    add("--keep_replies", action="store_true", help="keep replies to other posts")
    add("--keep_retweets", action="store_true", help="keep retweets and boosts")
    add("--keep_cut", action="store_true", help="keep tweets that are cut off, with … and a link at the end")
    add("--keep_content_warnings", action="store_true", help="keep posts behind a content warning, with the warning")
    add("--keep_users", action="store_true", help="keep the authors' user names in the processed pickle")

    add = parser.add_argument_group("which rows are kept").add_argument
    add("--lang", help="collect and keep only this language, according to the site or the file")
    for name, type_, extreme in (("min_words", non_negative_int, "shortest"), ("max_words", positive_int, "longest")):
        defaults = _by_task({task.name: getattr(task, name) or "no limit" for task in TASKS.values()})
        words = "text, answer or description to keep, in words"
        add(f"--{name}", type=type_, metavar="N", help=f"{extreme} {words} (default: {defaults})")
    recipes = "; ".join(f"{name}: {each['min_words']} to {each['max_words']} words" for name, each in RECIPES.items())
    add("--recipe", choices=sorted(RECIPES), help=f"the limits of a published model ({recipes})")
    add("--exclude", action="append", default=[], metavar="WORD", help="drop texts with this word (repeatable)")
    add(
        "--near_duplicates",
        type=_similarity,
        metavar="SIMILARITY",
        help="drop rows that are at least so similar to an earlier one, up to 1; off keeps them (default: 0.8)",
    )
    add("--sample", type=fraction, help="keep a random fraction of the remaining rows, e.g. 0.1")
    add("--max_rows", type=positive_int, metavar="N", help="keep at most N random rows of the remaining ones")
    parser.accept_old_names(OLD_FLAGS)


def check_flags_suit_task(args, task: Task) -> None:
    """Raise UsageError for a flag that does nothing for this kind of task, or whose value is invalid."""
    kind = KINDS[task.kind]
    for flag in dict.fromkeys(flag for other in KINDS.values() for flag in other.preprocess_flags):
        if getattr(args, flag) not in (None, False) and flag not in kind.preprocess_flags:
            suited = _kinds_with(flag)
            problem = f"--{flag} is for {' and '.join(other.data for other in suited)}, not for {kind.data}"
            raise UsageError(problem, f"remove it, or choose --task {_tasks_of(*suited)}")
    if args.label_map is not None:
        parse_label_map(args.label_map)
    if args.columns is not None:
        parse_columns(args.columns)


def cleaning_from(args, task: Task) -> Cleaning:
    """Return the task's cleaning, with the changes that the flags ask for."""
    return replace(task.cleaning, **{name: value for name in CHOICES if (value := getattr(args, name)) is not None})


def filters_from(args, task: Task) -> "Filters":
    """Return the filters that the flags ask for, with the task's lengths where they don't say."""
    from utils.preprocessing.filters import Filters

    names = ("keep_replies", "keep_retweets", "keep_cut", "keep_content_warnings", "keep_users", "sample", "max_rows")
    flags = {name: getattr(args, name) for name in names}
    flags |= RECIPES.get(args.recipe, {})
    flags |= {name: value for name in ("min_words", "max_words") if (value := getattr(args, name)) is not None}
    if args.near_duplicates is not None:
        flags["near_duplicates"] = None if args.near_duplicates == "off" else args.near_duplicates
    return Filters.for_task(task, language=args.lang, exclude=tuple(args.exclude), **flags)


def _similarity(value: str) -> float | str:
    """Argument type: a number above 0 and at most 1, or "off" (which YAML reads as false)."""
    return "off" if value.lower() in ("off", "false") else fraction(value)


def _group(parser: Parser, title: str, flag: str):
    """Add a group of the help, whose title names the tasks that have `flag`."""
    return parser.add_argument_group(f"{title} (--task {_tasks_of(*_kinds_with(flag))})")


def _kinds_with(flag: str) -> list[Kind]:
    return [kind for kind in KINDS.values() if flag in kind.preprocess_flags]


def _by_task(defaults: dict[str, object]) -> str:
    """Return a default for the help: one value if all tasks share it, otherwise that of every task."""
    values = list(dict.fromkeys(defaults.values()))
    if len(values) == 1:
        return str(values[0])
    return "; ".join(f"{value} for {' and '.join(n for n in defaults if defaults[n] == value)}" for value in values)


def _tasks_of(*kinds: Kind) -> str:
    return " or ".join(name for name, task in TASKS.items() if task.kind in {kind.name for kind in kinds})
