"""Words in the names of columns."""

import pytest

from utils.tasks.column_names import is_foreign, name_key, words_of


@pytest.mark.parametrize("name", ["reviewText", "Review_Text", " review text", "REVIEW-TEXT", "reviewtext"])
def test_spellings_of_one_name(name):
    assert name_key(name) == "reviewtext"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Título (2)", ["titulo", "2"]),
        ("snippet.textDisplay", ["snippet", "text", "display"]),
        ("media[].title", ["media", "title"]),
        ("レビュー", ["レヒュー"]),
    ],
)
def test_the_words_of_a_name(name, words):
    assert words_of(name) == words


@pytest.mark.parametrize(
    ("name", "foreign"),
    [
        ("quoted_text", True),
        ("reply.parent.record.text", True),
        ("user.description", True),
        ("replyContent", True),
        ("quote", False),
        ("_source.text", False),
        ("post.record.text", False),
    ],
)
def test_columns_about_somebody_else_are_recognized(name, foreign):
    assert is_foreign(name) == foreign
