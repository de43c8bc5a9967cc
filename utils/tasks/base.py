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
    `to_example(text, group)` builds the example from a cleaned text. `template` is how a user's prompt is
    written for the model, with {prompt} for what the user gave. Lengths count words (`count_words`).
    """

    name: str
    kind: str  # "generate" or "classify"
    summary: str
    text_columns: tuple[str, ...]  # the names that the text goes by, best first, in lower case
    template: str
    cleaning: Cleaning
    split: tuple[float, float, float]  # shares of train, validation and test
    min_tokens: int
    max_tokens: int
    to_rows: Callable[["pandas.DataFrame", str], "pandas.DataFrame"]
    to_example: Callable[[str, str], Example]


def apply_template(template: str, prompt: str) -> str:
    """The prompt as the model sees it. Braces in the prompt are text."""
    return template.replace("{prompt}", prompt)


def fill_text_column(task: Task, frame: "pandas.DataFrame", text_column: str) -> None:
    """Fill what the text column lacks from the others that the task knows: files of several sites have several."""
    known = (find_column(list(frame.columns), [name]) for name in task.text_columns)
    for column in known:
        if column not in (None, text_column):
            frame[text_column] = frame[text_column].where(frame[text_column].notna(), frame[column])


def choose_text_column(task: Task, columns: Sequence[str], wanted: str | None) -> str:
    """The column that holds the text: the one asked for, the one the task knows, or the only one there is."""
    if wanted is not None:
        column = find_column(columns, [wanted])
        problem = f"there is no column {wanted!r}"
    else:
        column = find_column(columns, task.text_columns) or (columns[0] if len(columns) == 1 else None)
        problem = f"no column looks like the text of {task.name}"
    if column is None:
        raise DataError(f"{problem}; the columns are: {', '.join(map(repr, columns))}", "name it with --text_column")
    return column
