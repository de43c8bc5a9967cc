"""Class weights, oversampling and augmentation."""

import random
from collections import Counter

import numpy
import pytest

from utils.errors import UsageError
from utils.training.rows import oversample_and_augment, parse_class_weights, vary_text

NAMES = ["bad", "good"]
LABELS = ["good"] * 6 + ["bad"] * 2
TEXTS = [f"text number {number} of this small data set" for number in range(8)]


def test_no_weights():
    assert parse_class_weights("none", LABELS, NAMES) is None


def test_balanced_weights_are_scikit_learns():
    from sklearn.utils.class_weight import compute_class_weight

    expected = compute_class_weight("balanced", classes=numpy.array(NAMES), y=LABELS)
    assert parse_class_weights("balanced", LABELS, NAMES) == pytest.approx(list(expected)) == [2.0, 8 / 12]


def test_given_weights_keep_the_scale_of_the_loss():
    weights = parse_class_weights("3, 1", LABELS, NAMES)
    assert weights[0] / weights[1] == pytest.approx(3)
    assert sum(weights[NAMES.index(label)] for label in LABELS) == pytest.approx(len(LABELS))


@pytest.mark.parametrize("wanted", ["1", "1,2,3", "a,b", "1,0", "1,-1", "1,inf", "1,nan", "", "balance"])
def test_invalid_weights_are_refused(wanted):
    with pytest.raises(UsageError, match="expected balanced, none, or 2 numbers above 0") as caught:
        parse_class_weights(wanted, LABELS, NAMES)
    assert "bad, good" in caught.value.hint


def test_texts_are_unchanged_by_default():
    assert oversample_and_augment(TEXTS, LABELS, oversample=False, augment=False, seed=0) == (
        TEXTS,
        LABELS,
        [*range(len(TEXTS))],
    )


def test_oversampling_makes_the_classes_equal():
    texts, labels, sources = oversample_and_augment(TEXTS, LABELS, oversample=True, augment=False, seed=0)
    assert Counter(labels) == {"good": 6, "bad": 6}
    assert texts[:8] == TEXTS
    assert Counter(texts[8:]) == {TEXTS[6]: 2, TEXTS[7]: 2}
    assert texts == [TEXTS[source] for source in sources]
    uneven = oversample_and_augment(TEXTS[:8], ["good"] * 5 + ["bad"] * 3, oversample=True, augment=False, seed=1)[0]
    assert len(set(uneven[8:])) == 2  # no text is repeated more often than it must be


def test_augmenting_adds_a_varied_copy_of_each_text():
    texts, labels, sources = oversample_and_augment(TEXTS, LABELS, oversample=False, augment=True, seed=0)
    assert (texts[:8], labels) == (TEXTS, LABELS * 2)
    assert sources == [*range(8)] * 2
    for text, copy in zip(TEXTS, texts[8:], strict=True):
        assert copy != text
        assert Counter(copy.split()) <= Counter(text.split())
        assert len(copy.split()) == 7  # of 8 words
    assert oversample_and_augment(TEXTS, LABELS, oversample=False, augment=True, seed=0)[0] == texts
    assert oversample_and_augment(TEXTS, LABELS, oversample=False, augment=True, seed=1)[0] != texts


@pytest.mark.parametrize("text", ["word", "", "two words", "😡 no"])
def test_short_texts_keep_a_word(text):
    for seed in range(5):
        copy = vary_text(text, random.Random(seed))
        assert set(copy.split()) <= set(text.split())
        assert bool(copy) == bool(text)
