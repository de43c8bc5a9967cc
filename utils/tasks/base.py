"""What a task is: how raw rows become examples, and the defaults that travel with them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.text.cleaning import Cleaning

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Example:
    """One training text. Only `completion` counts in the loss; the examples of a `group` stay in one split."""

    prompt: str
    completion: str
    group: str
    label: str | None = None


@dataclass(frozen=True)
class Task:
    """A kind of data and the recipe that suits it.

    `to_rows(frame, text_column)` takes the raw cells (all of them text; None or NaN if missing) and returns, in the
    same order, a frame with the columns text, group, language (None if unknown), is_reply, is_retweet, is_private,
    content_warning ("" if there is none), and id, date and user (None if unknown). `to_example(text, group, label)`
    builds an example from a cleaned text; the label is None except in classification.

    Tasks of the kinds "instruct" and "emoji" are read by `utils.preprocessing.conversations` and
    `utils.preprocessing.emoji_table` instead: `to_rows`, `to_example` and `cleaning` are None, and the lengths are
    those of the answers and of the descriptions.
    """

    name: str
    kind: str  # one of `utils.tasks.kinds.KINDS`
    summary: str
    text_columns: tuple[str, ...]  # possible names of the column with the text, best first, in lower case
    template: str  # how a prompt is written, with {prompt} for the user's text; of "instruct", a name in TEMPLATES
    cleaning: Cleaning | None
    split: tuple[float, float, float]  # fractions of train, validation and test
    min_words: int  # as `count_words` counts
    max_words: int | None  # None: any length
    to_rows: Callable[["pandas.DataFrame", str], "pandas.DataFrame"] | None
    to_example: Callable[[str, str, str | None], Example] | None
    label_columns: tuple[str, ...] = ()  # possible names of the column with the label, best first, in lower case
