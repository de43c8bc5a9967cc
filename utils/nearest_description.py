"""What a model that writes emoji must beat: the emoji whose training description looks most like the one at hand."""

from collections.abc import Sequence

from utils.errors import DataError

PIECES = (2, 5)  # characters, within words
ROWS_AT_ONCE = 512


def nearest(known: Sequence[str], emoji: Sequence[str], asked: Sequence[str], depth: int) -> list[list[str]]:
    """The emoji of the `depth` training descriptions nearest to each of `asked`, once each, the nearest first.

    Near is the cosine of TF-IDF vectors of pieces of words (scikit-learn's char_wb); of equals, the earlier one comes
    first. An emoji that no training description has is never named, and one that shares no piece is not, either.
    DataError where the training descriptions have no piece at all.
    """
    import numpy
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=PIECES)
    try:
        vectors = vectorizer.fit_transform(known)
    except ValueError as error:  # scikit-learn: "empty vocabulary; perhaps the documents only contain stop words"
        raise DataError("the train split has no descriptions to compare with", "preprocess more rows") from error
    results = []
    for first in range(0, len(asked), ROWS_AT_ONCE):
        cosines = (vectorizer.transform(asked[first : first + ROWS_AT_ONCE]) @ vectors.T).toarray()
        for row in cosines:
            order = numpy.argsort(-row, kind="stable")
            similar = (emoji[place] for place in order if row[place] > 0)
            results.append(_first(similar, depth))
    return results


def _first(names, depth: int) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        found.setdefault(name)
        if len(found) == depth:
            break
    return list(found)
