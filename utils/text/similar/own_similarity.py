"""The similarity of two texts without the templates that they share."""

from utils.text.similar.shingles import SHINGLE
from utils.text.similar.templates import Text

_ADDED = 4  # pieces, of a short word, that a copy can have more than a text that is all template
_TYPO = 2  # letters in a row, which count as one piece if they differ


def own_similarity(one: Text, other: Text, sets: tuple[frozenset[str], frozenset[str]]) -> float:
    """Return how similar two texts are without the templates that they share; `sets` are all of their shingles.

    What stands in place of a piece of the other's template is a mistake and makes no difference, unless many rows have
    it, such as one of a few answers.
    """
    if one.template.isdisjoint(other.template):
        return 1.0
    common = len(one.own.keys() & other.own.keys())
    different = _difference(one, other, *sets), _difference(other, one, *reversed(sets))
    if common == min(different) == 0 and max(different) <= _ADDED:
        return 1.0
    return common / (common + sum(different))


def _difference(one: Text, other: Text, its: frozenset[str], others: frozenset[str]) -> int:
    """Return how many shingles a text has that neither the other has nor are a mistake of one of them."""
    own = _count(_new(one, other, others), len(its)) - len(other.template - its)
    variants = len(one.variants - others) - len((other.own.keys() | other.mistakes) - its)
    return max(0, own) + max(0, variants)


def _new(one: Text, other: Text, others: frozenset[str]) -> list[int]:
    """Return the places of a text's own shingles that another does not have, or not as often."""
    new = one.own.keys() - others
    new |= {each for each, times in one.times.items() if each in one.own and times > other.times.get(each, 1)}
    return sorted(one.own[shingle] for shingle in new)


def _count(places: list[int], shingles: int) -> int:
    """Return the number of places, counting as one those that a wrong letter or two change."""
    count = 0
    while places:
        # Shingles between these may be somewhere else in the other text.
        length = next((i for i in range(1, len(places)) if places[i] - places[i - 1] > SHINGLE), len(places))
        start, end = places[0], places[length - 1] + 1
        letters = end - start - (SHINGLE - 1) * (start > 0 and end < shingles)
        count += 1 if letters <= _TYPO else length
        places = places[length:]
    return count
