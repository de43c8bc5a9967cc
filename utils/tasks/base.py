"""What a task is: how raw rows become examples, and the defaults that travel with them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.text.cleaning import Cleaning

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

    Where the kind is "instruct", `utils.preprocessing.conversations` takes the place of `to_rows` and `to_example`, which are None as
    is the cleaning; `template` is a name of `utils.models.chat_templates.TEMPLATES`, and lengths are those of the answers. Where it
    is "emoji", `utils.emoji_tables` does, and lengths are those of the descriptions.
    """

    name: str
    kind: str  # "generate", "classify", "instruct" or "emoji"
    summary: str
    text_columns: tuple[str, ...]  # the names that the text goes by, best first, in lower case
    template: str
    cleaning: Cleaning | None
    split: tuple[float, float, float]  # shares of train, validation and test
    min_words: int
    max_words: int | None  # None: any length
    to_rows: Callable[["pandas.DataFrame", str], "pandas.DataFrame"] | None
    to_example: Callable[[str, str, str | None], Example] | None
    label_columns: tuple[str, ...] = ()  # the names that the label goes by, best first, in lower case
