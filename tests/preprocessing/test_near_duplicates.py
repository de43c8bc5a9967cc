"""Which rows are near duplicates, by what kind of row they are, and the warning about many."""

import pytest

from utils.preprocessing.filters import Filters, KeptRows
from utils.preprocessing.near_duplicates import NEAR_DUPLICATE, conversation_parts, drop_near_duplicates

THINGS = ["mill", "oak", "barn", "well", "gate", "shed", "church", "inn"]
PLACES = ["road", "pond", "field", "wall", "lane", "hill", "square", "bridge"]
CONTEXT = " ".join(f"The {thing} stands by the {place}." for thing, place in zip(THINGS, PLACES, strict=True))
TASK = "Decide whether the customer who wrote this review of a product recommends it to others. Answer with one word."
REVIEWS = ["Broke on day two", "Lovely lamp", "Smells of glue", "Worth every penny", "Came cracked", "Warm and soft"]
LONG_ANSWER = "The mill was built by the miller's family beside the old road, long before the bridge stood there"


def kept_rows(rows, **filters):
    """The numbers of the rows (question, input, answer, …) that are kept."""
    messages = []
    for question, input_, answer, *more in rows:
        turns = [{"role": "user", "content": question, "input": input_}, {"role": "assistant", "content": answer}]
        turns += [{"role": ("user", "assistant")[turn % 2], "content": text} for turn, text in enumerate(more)]
        messages.append(conversation_parts(turns))
    kept = KeptRows(len(rows))
    drop_near_duplicates(kept, [each[0] for each in messages], Filters(**filters), apart=[each[1] for each in messages])
    return kept.numbers.tolist()


ALL = list(range(8))


def test_eight_questions_about_one_context():
    facts = list(zip(THINGS, PLACES, strict=True))
    assert kept_rows([(f"Where does the {thing} stand?", CONTEXT, f"By the {place}.") for thing, place in facts]) == ALL
    assert kept_rows([(f"{CONTEXT}\nWhere does the {thing} stand?", "", f"By the {p}.") for thing, p in facts]) == ALL
    assert kept_rows([(f"Does the {thing} stand by the {place}?", CONTEXT, "Yes") for thing, place in facts]) == ALL
    assert kept_rows([(f"{CONTEXT} Does the {thing} stand by the {p}?", "", "Yes") for thing, p in facts]) == ALL
    assert kept_rows([(f"Does the {thing} stand by the {p}? {CONTEXT}", None, "Yes") for thing, p in facts]) == ALL


def test_reviews_under_one_instruction():
    assert kept_rows([(TASK, review, "good") for review in REVIEWS]) == ALL[:6]
    assert kept_rows([(f"{TASK} {review}", "", "good") for review in REVIEWS]) == ALL[:6]
    assert kept_rows([(f"{review}\n{TASK}", "", "good") for review in REVIEWS]) == ALL[:6]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Yes, it stands by the road.", "No, it stands by the road."),
        ("good", "bad"),
        ("42", "43"),
        ("-5", "5"),
        ("2*x", "2/x"),
        (LONG_ANSWER, LONG_ANSWER.replace("before the bridge stood", "after the bridge was gone for good")),
        (f"{LONG_ANSWER} in 1820.", f"{LONG_ANSWER} in 1821."),
    ],
)
def test_different_answers_to_one_question_are_kept(one, other):
    assert kept_rows(
        [("Is it true that the mill stands by the road?", CONTEXT, answer) for answer in (one, other)]
    ) == [0, 1]


def test_numbers_and_signs_of_a_question_count():
    for one, other in (
        ("Is 7 a prime number, or is it not?", "Is 3 a prime number, or is it not?"),
        ("x<3 is so", "x>3 is so"),
    ):
        assert kept_rows([(one, "", "Yes"), (other, "", "Yes")]) == [0, 1]


def test_the_same_with_a_typo_is_dropped():
    question = "Who built the mill that stands beside the old road to the sea?"
    rows = [(question, CONTEXT, LONG_ANSWER), (question.upper(), CONTEXT + "!", LONG_ANSWER.replace("built", "bulit"))]
    assert kept_rows(rows) == [0]
    assert kept_rows(rows, near_duplicates=None) == [0, 1]
    assert kept_rows(rows, near_duplicates=0.97) == [0, 1]


def test_every_turn_counts():
    chat = (TASK, "", "All right, send me the review.")
    assert kept_rows([(*chat, review, "good") for review in REVIEWS]) == ALL[:6]
    assert kept_rows([(*chat, REVIEWS[0], "bad"), (*chat, REVIEWS[0], "good"), chat]) == [0, 1, 2]


def drop(texts, caplog, **filters):
    kept = KeptRows(len(texts))
    drop_near_duplicates(kept, texts, Filters(**filters))
    return kept, caplog.text


def test_many_near_duplicates_are_a_warning_with_two_examples(caplog):
    base = "@ann says that the harbor is open again after the storm and all of the ferries leave on time"
    others = [f"{letter * 7} {letter.upper() * 9} {letter * 11}" for letter in "abcdefghijklmnopq"]
    kept, said = drop([base, *others, base + " ok", base + " yes"], caplog)
    assert kept.dropped == {NEAR_DUPLICATE: 2}
    assert said == ""
    kept, said = drop([base, base + " no", *others[:8], base + " ok", base + " yes"], caplog)
    assert kept.dropped == {NEAR_DUPLICATE: 3}
    assert "3 of 12 rows nearly repeat another one and were dropped, such as '@user says" in said
    assert said.count(" and '") == 2
    assert "(--near_duplicates off keeps them)" in said
    assert "@ann" not in said
    caplog.clear()
    assert "@ann" in drop([base, base + " no"], caplog, keep_users=True)[1]


def test_examples_are_shown_from_where_they_differ(caplog):
    _, said = drop([CONTEXT, CONTEXT.replace("shed", "shet")], caplog)
    assert "'…" in said
    assert "shed" in said
    assert "shet" in said
    assert "mill" not in said
