"""Which training descriptions look like the one at hand, and their emoji: what a model that writes emoji must beat."""

from collections.abc import Iterator, Sequence

from utils.errors import DataError

PIECES = (2, 5)  # characters, within words
ROWS_AT_ONCE = 512


class Descriptions:
    """Known descriptions with their emoji, as TF-IDF vectors of pieces of words (scikit-learn's char_wb).

    DataError where no description has any piece.
    """

    def __init__(self, known: Sequence[str], emoji: Sequence[str]):
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._emoji = list(emoji)
        self._vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=PIECES)
        try:
            self._vectors = self._vectorizer.fit_transform(known)
        except ValueError as error:  # scikit-learn: "empty vocabulary; perhaps the documents only contain stop words"
            raise DataError("the train split has no descriptions to compare with", "preprocess more rows") from error

    def cosines_by_emoji(self, asked: Sequence[str]) -> Iterator[dict[str, float]]:
        """For each of `asked`, emoji → the cosine of its nearest description, the nearest first.

        Of equals, the earlier comes first. An emoji whose descriptions share no piece is left out.
        """
        import numpy

        for first in range(0, len(asked), ROWS_AT_ONCE):
            pieces = self._vectorizer.transform(asked[first : first + ROWS_AT_ONCE])
            for row in (pieces @ self._vectors.T).toarray():
                found: dict[str, float] = {}
                for place in numpy.argsort(-row, kind="stable")[: numpy.count_nonzero(row > 0)]:
                    found.setdefault(self._emoji[place], float(row[place]))
                yield found


def nearest(known: Sequence[str], emoji: Sequence[str], asked: Sequence[str], depth: int) -> list[list[str]]:
    """The emoji of the `depth` training descriptions nearest to each of `asked`, once each, the nearest first.

    Near is the cosine; see `Descriptions`. An emoji that no training description has is never named.
    """
    return [list(found)[:depth] for found in Descriptions(known, emoji).cosines_by_emoji(asked)]
