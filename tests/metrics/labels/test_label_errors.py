"""Labels that are probably wrong: cases by hand, and labels that were exchanged."""

import numpy as np

from utils.metrics.labels.label_errors import probable_label_errors

# Mean probability of the given class: 0.7 (texts 0 to 3) and 0.6 (texts 4 and 5).
GIVEN = np.array([0, 0, 0, 0, 1, 1])
FIRST = np.array([0.9, 0.9, 0.7, 0.3, 0.2, 0.6])
MODEL = np.column_stack([FIRST, 1 - FIRST])


def test_a_text_that_all_models_give_to_the_other_class():
    """Text 3 has 0.7 for the second class, whose limit is 0.6; text 5 has 0.6 for the first, whose limit is 0.7."""
    assert probable_label_errors(GIVEN, [MODEL, MODEL]) == ([(3, 1)], 5)  # and 0, 1, 2 and 4 have the right label


def test_one_model_that_is_not_confident_is_enough_to_keep_a_label():
    unsure = MODEL.copy()
    unsure[3] = [0.5, 0.5]
    assert probable_label_errors(GIVEN, [MODEL, unsure]) == probable_label_errors(GIVEN, [unsure, MODEL]) == ([], 3)


def test_a_class_that_is_less_likely_than_not_is_no_error():
    """A rare class that models never find probable has a low mean: 0.3 here."""
    rare = np.array([[0.7, 0.3], [0.65, 0.35], [0.9, 0.1]])
    assert probable_label_errors(np.array([1, 0, 0]), [rare, rare]) == ([], 1)
    poor = np.array([[0.3, 0.4, 0.3], [0.4, 0.3, 0.3], [0.3, 0.3, 0.4]])
    assert probable_label_errors(np.array([0, 1, 2]), [poor, poor]) == ([], 0)


def test_models_that_disagree_about_the_class_accuse_nobody():
    given = np.array([0, 1, 2, 0])
    one = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.05, 0.9, 0.05]])
    other = one.copy()
    other[3] = [0.05, 0.05, 0.9]
    assert probable_label_errors(given, [one, one])[0] == [(3, 1)]
    assert probable_label_errors(given, [one, other])[0] == []


def test_exchanged_labels_are_found_the_surest_first():
    truth = np.arange(200) % 2
    first = np.where(truth == 0, 0.85, 0.15) + np.linspace(-0.1, 0.1, 200)
    first[[7, 30, 101]] = 0.02, 0.9, 0.04
    given = truth.copy()
    given[[7, 30, 101]] = 1 - truth[[7, 30, 101]]
    assert probable_label_errors(given, [np.column_stack([first, 1 - first])] * 2)[0] == [(7, 1), (101, 1), (30, 0)]


def test_a_class_that_no_text_was_given_accuses_nobody():
    assert probable_label_errors(np.array([0, 0]), [np.array([[0.1, 0.1, 0.8], [0.9, 0.05, 0.05]])] * 2)[0] == []
