"""The flags of preprocess.py that filter and change rows, and their values."""

from collections.abc import Callable
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

DEFAULT_TASK = "tweets"
RECIPES = {"jeudiconfession": {"min_words": 6, "max_words": 30}}  # the limits that a published model was made with
OLD_FLAGS = {"--min_tokens": "--min_words", "--max_tokens": "--max_words", "--target": "--emoji_target"}


LABELS = {kind.labels: kind.name for kind in KINDS.values() if kind.labels}  # of --labels: kinds of task


def add_preprocess_flags(parser: Parser) -> None:
    """Add the flags of labels, instructions, emoji, cleaning and filters, a group of the help for each."""
    add, add_rare = _group(parser, "labeled texts", "label_map")
    add(
        "--labels",
        choices=list(LABELS),
        metavar="KIND",
        help="class, multi (several per text) or score (default: class)",
        more="multi: as a list, as a;b, or as columns of 0 and 1 (--label_column a,b); score: numbers such as stars",
    )
    column = "the column with the label (default: recognized)"
    add("--label_column", help=column, more="name or number; recognized by its name")
    add(
        "--label_map",
        metavar="MAP",
        help='the class of each label: "1-2=bad,4-5=good"',
        more='or "neg=0,pos=1"; other labels are dropped',
    )
    add_rare(
        "--keep_conflicts", action="store_true", help="keep texts with several labels, with their most frequent label"
    )

    add, add_rare = _group(parser, "instructions", "template")
    add_rare(
        "--template",
        choices=list(TEMPLATES),
        help="form of the prompts: stanford (Alpaca's), plain (Instruction:/Input:/Response:) or chat (the base "
        f"model's own chat template) (default: {TASKS['alpaca'].template})",
    )
    add_rare("--multi_turn", action="store_true", help="learn every answer of a chat instead of only the first")
    add(
        "--columns",
        metavar="KEY=COLUMN,…",
        help="the columns to read (default: recognized)",
        more=f"instruction=QUESTION,output=REPLY; the keys are {', '.join(KEYS)}; recognized by their names",
    )
    add(
        "--length_hints",
        action="store_true",
        help="learn to answer at a given length",
        more="half of the prompts state it",
    )

    add, add_rare = _group(parser, "tables of emoji", "emoji_target")
    add_rare(
        "--emoji_target",
        choices=TARGETS,
        help=f"output to learn for a description (default: {TARGETS[0]})",
    )
    add(
        "--split_by",
        choices=SPLITS_BY,
        help="test on new emoji, or on new descriptions",
        more="concept: on emoji that training has in no skin tone, gender or wording; description: on new descriptions "
        f"of the emoji in training (default: {SPLITS_BY[0]})",
    )
    aliases = "add the emoji package's names: en,fr"
    add("--aliases", metavar="LANGUAGES", help=aliases, more="descriptions in these languages")

    _, add_rare = _group(parser, "cleaning", "num_proc")
    for name, choices in CHOICES.items():
        defaults = {task.name: getattr(task.cleaning, name) for task in TASKS.values() if task.cleaning}
        add_rare(f"--{name}", choices=choices, help=f"default: {_by_task(defaults)}")
    add_rare("--num_proc", type=positive_int, metavar="N", help="processes (default: 1, up to 4 for large files)")
    add_rare("--keep_cut", action="store_true", help="keep tweets that are cut off, with … and a link at the end")
    add_rare(
        "--keep_content_warnings", action="store_true", help="keep posts behind a content warning, with the warning"
    )
    add_rare("--keep_users", action="store_true", help="keep the authors' user names in the processed pickle")

    add, add_rare = parser.group("filters"), parser.group("filters", rare=True)
    add("--keep_replies", action="store_true", help="keep replies to other posts")
    add("--keep_retweets", action="store_true", help="keep retweets and boosts")
    add("--lang", help="collect and keep only this language", more="according to the site or the file")
    for name, type_, extreme in (("min_words", non_negative_int, "shortest"), ("max_words", positive_int, "longest")):
        defaults = _by_task({task.name: getattr(task, name) or "no limit" for task in TASKS.values()})
        words = f"{extreme} text to keep, in words"
        add(
            f"--{name}",
            type=type_,
            metavar="N",
            help=words,
            more=f"(default: {defaults}); the same for answers and descriptions",
        )
    recipes = "; ".join(f"{name}: {each['min_words']} to {each['max_words']} words" for name, each in RECIPES.items())
    add_rare("--recipe", choices=sorted(RECIPES), help=f"the limits of a published model ({recipes})")
    add_rare("--exclude", action="append", default=[], metavar="WORD", help="drop texts with this word (repeatable)")
    add_rare(
        "--near_duplicates",
        type=_similarity,
        metavar="SIMILARITY",
        help="drop rows at least this similar (up to 1) to an earlier one; off keeps them (default: 0.8)",
    )
    add("--sample", type=fraction, metavar="SHARE", help="keep a random share of the rows, e.g. 0.1")
    add_rare("--max_rows", type=positive_int, metavar="N", help="keep at most N random rows of the remaining ones")
    parser.accept_old_names(OLD_FLAGS)


def check_flags_suit_task(args, task: Task) -> None:
    """Raise UsageError for a flag that does nothing for this kind of task, or whose value is invalid."""
    kind, own = KINDS[task.kind], {each.kind for each in TASKS.values()}
    for flag in dict.fromkeys(flag for other in KINDS.values() for flag in other.preprocess_flags):
        if getattr(args, flag) not in (None, False) and flag not in kind.preprocess_flags:
            suited = [other for other in _kinds_with(flag) if other.name in own]
            problem = f"--{flag} is for {' and '.join(other.data for other in suited)}, not for {kind.data}"
            instead = f"choose --task {_tasks_of(*suited)}" if kind.name in own else f"remove --labels {kind.labels}"
            raise UsageError(problem, f"remove it, or {instead}")
    if args.label_map is not None:
        parse_label_map(args.label_map)
    if args.columns is not None:
        parse_columns(args.columns)


def task_of(args) -> Task:
    """Return the task that the flags ask for, of the kind that has such labels."""
    task = TASKS[args.task or DEFAULT_TASK]
    is_labeled = "labels" in KINDS[task.kind].preprocess_flags
    return replace(task, kind=LABELS[args.labels]) if args.labels and is_labeled else task


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


def _group(parser: Parser, title: str, flag: str) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return functions that add common and rare flags to a group of the help, named after the tasks with `flag`."""
    title = f"{title} (--task {_tasks_of(*_kinds_with(flag))})"
    return parser.group(title), parser.group(title, rare=True)


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
