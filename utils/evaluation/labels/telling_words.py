"""The words that decided a predicted label, found by leaving out one at a time and classifying the rest."""

import re
from bisect import bisect_left
from collections.abc import Sequence

from utils.inference.classifier import Classifier, classify_texts, encode_texts
from utils.terminal.tables import one_line

PIECES = 16  # of a text, at most
SHOWN = 3
LEAST = 0.005  # a drop in probability that is worth naming
WIDTH = 60  # characters


def telling_words(
    classifier: Classifier, texts: Sequence[str], labels: Sequence[int], **options
) -> list[list[dict[str, str | float]]]:
    """Return for each text the words without which the probability of its label falls most: {"words", "start", "drop"}.

    They are as in `one_line` of the text, in which they begin at the character "start".
    `labels` are the numbers of the labels asked about. A text of more words than `PIECES` is divided into so many runs
    of words, one without blanks into runs of characters; what the model does not read, because the text is too long, is
    left aside. A text costs `PIECES` + 1 classifications at most. The options are those of `classify_texts`.
    """
    texts = [_read(classifier, text) for text in texts]
    pieces = [_pieces(text) for text in texts]
    asked = [text[:start] + text[end:] for text, parts in zip(texts, pieces, strict=True) for start, end in parts]
    probabilities = classify_texts(classifier, [*texts, *asked], **options).probabilities
    without, telling = iter(probabilities[len(texts) :]), []
    for text, parts, label, whole in zip(texts, pieces, labels, probabilities, strict=False):
        drops = [(float(whole[label] - next(without)[label]), part) for part in parts]
        # The drop is nan for a text that becomes empty, and nan is not at least `LEAST`.
        drops = sorted((drop for drop in drops if drop[0] >= LEAST), key=lambda drop: -drop[0])
        telling.append([{**_place(text, *part), "drop": drop} for drop, part in drops[:SHOWN]])
    return telling


def _place(text: str, start: int, end: int) -> dict[str, str | int]:
    """A piece as it is in one line, and where it begins there."""
    before = one_line(text[:start], start + 1)
    apart = bool(before) and text[start - 1].isspace()
    return {"words": one_line(text[start:end], WIDTH), "start": len(before) + apart}


def _read(classifier: Classifier, text: str) -> str:
    """Return the part of a text that the model reads, up to the end of a word."""
    if not encode_texts(classifier, [text])[1]:
        return text
    too_long = bisect_left(range(1, len(text)), 1, key=lambda end: encode_texts(classifier, [text[:end]])[1]) + 1
    read = text[: max(1, too_long - 1)]
    return read if text[len(read)].isspace() else re.sub(r"(?<=\S)\s+\S*\Z", "", read)


def _pieces(text: str) -> list[tuple[int, int]]:
    """Return the starts and ends of the pieces, each with the blanks after it; none for a single character."""
    starts = [match.start() for match in re.finditer(r"\S+", text)]
    if len(starts) < 2:
        starts = list(range(len(text)))
    number = min(PIECES, len(starts))
    starts = [starts[index * len(starts) // number] for index in range(number)]
    return list(zip(starts, [*starts[1:], len(text)], strict=True)) if number > 1 else []
