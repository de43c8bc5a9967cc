"""The definition of a task: a kind of data, and its defaults."""

from dataclasses import dataclass

from utils.text.cleaning import Cleaning


@dataclass(frozen=True)
class Task:
    """A kind of data and the recipe that suits it; the lengths are those of the text, the answer or the description."""

    name: str
    kind: str  # one of `utils.tasks.kinds.KINDS`
    summary: str
    text_columns: tuple[str, ...]  # possible names of the column with the text, best first, in lower case
    template: str  # how a prompt is written, with {prompt} for the user's text; of "instruct", a name in TEMPLATES
    split: tuple[float, float, float]  # fractions of train, validation and test
    min_words: int = 1  # as `count_words` counts
    max_words: int | None = None  # None: any length
    cleaning: Cleaning | None = None  # None: instructions and emoji are not cleaned
    label_columns: tuple[str, ...] = ()  # possible names of the column with the label, best first, in lower case
