"""What a task is: how raw rows become examples, and the defaults that travel with them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.cleaning import Cleaning
from utils.errors import DataError
from utils.reading import find_column

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Example:
    """One training text. The loss counts on `completion` alone; one `group` never stands on two sides of a split."""

    prompt: str
    completion: str
    group: str
    label: str | None = None


@dataclass(frozen=True)
class Task:
    """A kind of data and the recipe that suits it.

    `to_rows(frame, text_column)` takes the raw cells (all text, missing ones None or NaN) and returns, in the
    same order, a frame with the columns text, group, language (None where unknown), is_reply, is_retweet, is_private,
    content_warning ("" where there is none), and id, date and user (None where unknown).
    `to_example(text, group, label)` builds the example from a cleaned text; the label is None but in classification.
    `template` is how a user's prompt is written for the model, with {prompt} for what the user gave. Lengths count
    words (`count_words`).

    Where the kind is "instruct", `utils.conversations` takes the place of `to_rows` and `to_example`, which are None as
    is the cleaning; `template` is a name of `utils.templates.TEMPLATES`, and lengths are those of the answers. Where it
    is "emoji", `utils.emoji_tables` does, and lengths are those of the descriptions.
    """

    name: str
    kind: str  # "generate", "classify", "instruct" or "emoji"
    summary: str
    text_columns: tuple[str, ...]  # the names that the text goes by, best first, in lower case
    template: str
    cleaning: Cleaning | None
    split: tuple[float, float, float]  # shares of train, validation and test
    min_tokens: int
    max_tokens: int | None  # None: any length
    to_rows: Callable[["pandas.DataFrame", str], "pandas.DataFrame"] | None
    to_example: Callable[[str, str, str | None], Example] | None
    label_columns: tuple[str, ...] = ()  # the names that the label goes by, best first, in lower case


def apply_template(template: str, prompt: str) -> str:
    """The prompt as the model sees it. Braces in the prompt are text."""
    return template.replace("{prompt}", prompt)


def fill_text_column(task: Task, frame: "pandas.DataFrame", text_column: str) -> None:
    """Fill what the text column lacks from the others that the task knows: files of several sites have several."""
    known = (find_column(list(frame.columns), [name]) for name in task.text_columns)
    for column in known:
        if column not in (None, text_column):
            frame[text_column] = frame[text_column].where(frame[text_column].notna(), frame[column])


def choose_text_column(task: Task, columns: Sequence[str], wanted: str | None, label: str | None = None) -> str:
    """The column that holds the text: the one asked for, the one the task knows, or the only one beside the label."""
    return _choose(columns, wanted, task.text_columns, label, f"the text of {task.name}", "--text_column")


def choose_label_column(task: Task, columns: Sequence[str], wanted: str | None, text: str) -> str:
    """The column that holds the label: the one asked for, the one the task knows, or the only one beside the text."""
    return _choose(columns, wanted, task.label_columns, text, f"the label of {task.name}", "--label_column")


def find_wanted(columns: Sequence[str], wanted: str) -> str | None:
    """The column of that name, or else of that number, counted from 0."""
    numbered = columns[int(wanted)] if wanted.isdecimal() and int(wanted) < len(columns) else None
    return find_column(columns, [wanted]) or numbered


def _choose(
    columns: Sequence[str], wanted: str | None, known: Sequence[str], taken: str | None, what: str, flag: str
) -> str:
    if wanted is not None:
        column = find_wanted(columns, wanted)
        problem = f"there is no column {wanted!r}"
    else:
        others = [column for column in columns if column != taken]
        column = find_column(others, known) or (others[0] if len(others) == 1 else None)
        problem = f"no column looks like {what}"
    if column is None:
        raise DataError(f"{problem}; the columns are: {', '.join(map(repr, columns))}", f"name it with {flag}")
    return column
