"""Templates: passages that many rows share; and what a text has of its own besides its template.

A passage that stands in place of what most rows have that share the text around it is a mistake of this row: a typo, a
changed or an added word (`mistakes.py`). What fills a template has no such counterpart, and is the text's own.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, starmap

import numpy as np

from utils.text.similar.mistakes import WantedTexts, medians, mistakes
from utils.text.similar.shared_passages import count_passages, shared_by_shingle
from utils.text.similar.shingles import Hashed, in_order


@dataclass(frozen=True)
class Text:
    """The shingles of a text but for numbers. Many rows share those of the template and the variants."""

    template: set[str]  # of more than half of the rows that share the template
    variants: set[str]  # of fewer rows
    own: dict[str, int]  # all others, and their places
    mistakes: set[str]
    times: dict[str, int]  # how often the text has a shingle, if that is more than once


class Templates:
    """The templates of some rows, which are passages of at least so many of them. `wanted` rows can be looked up."""

    def __init__(self, hashed: Hashed, least: int, wanted: np.ndarray):
        passages = count_passages(hashed, least)
        self.shared = shared_by_shingle(*passages, hashed, least)  # rows that share a passage around each shingle
        self._texts = WantedTexts(hashed, self.shared, wanted)
        self._is_mistake = mistakes(self._texts, hashed, self.shared, passages)

    def texts(self, numbers: Sequence[int], rows: Sequence[Sequence[str]]) -> list[list[Text]]:
        """Return the texts of wanted rows, which have these numbers among all rows."""
        shingles = [in_order(form) for forms in rows for form in forms]
        lengths = np.array(list(map(len, shingles)))
        ends = np.cumsum(lengths)
        parts = np.array(list(map(len, rows)))
        first = np.cumsum(parts) - parts
        # from these shingles to their places in the arrays of all wanted rows
        offsets = np.repeat(self._texts.starts_of(numbers) - (ends - lengths)[first], np.add.reduceat(lengths, first))
        where = np.arange(ends[-1]) + offsets
        shared, has_digit = self._texts.shared[where].astype(np.int64), self._texts.has_digit[where]
        is_mistake = self._is_mistake[where]
        counts, is_template = ~is_mistake & ~has_digit, 2 * shared > np.repeat(medians(shared, lengths), lengths)
        kinds = (counts & is_template, counts & ~is_template & (shared > 0), counts & (shared == 0), is_mistake)
        places_of_kinds = [_by_text(kind, ends) for kind in kinds]
        texts = iter(list(starmap(_text, zip(shingles, *places_of_kinds, strict=True))))
        return [list(islice(texts, count)) for count in parts.tolist()]


def _text(shingles: list[str], template: list[int], variants: list[int], own: list[int], mistakes: list[int]) -> Text:
    """Return a text; all but its shingles are places of these."""
    times = Counter(shingles) if len(set(shingles)) < len(shingles) else {}
    return Text(
        template={shingles[place] for place in template},
        variants={shingles[place] for place in variants},
        own={shingles[place]: place for place in own},
        mistakes={shingles[place] for place in mistakes},
        times={shingle: number for shingle, number in times.items() if number > 1},
    )


def _by_text(chosen: np.ndarray, ends: np.ndarray) -> list[list[int]]:
    """Return the chosen places of each text, counted from its start."""
    places = np.flatnonzero(chosen)
    text = np.searchsorted(ends, places, "right")
    starts = np.append(0, ends[:-1])
    bounds = np.searchsorted(text, np.arange(len(ends) + 1)).tolist()
    places = (places - starts[text]).tolist()
    return [places[first:last] for first, last in pairwise(bounds)]
