"""Recognizing a first line that is data: one-column files, several columns, and no false alarm with real names."""

import pytest

from utils.tasks.first_line import first_line_is_data
from utils.tasks.tweets import TWEETS

SENTENCES = [
    "A small dog stole my lunch",
    "Rain all week means soup",
    "The tram was late again today!",
    "Is there a bridge over the wide river?",
]
SHORT = ["Awful", "Loved it", "so so", "Not again!"]
DATES = ["2020-01-02 10:00", "2020-01-03 11:00", "2020-02-01 09:30", "2021-01-01 00:00"]
IDS = ["1212", "1213", "1218", "1230"]
LINKS = [f"https://a.example/{number}" for number in range(4)]
MOODS = ["good", "bad", "good", "bad"]


@pytest.mark.parametrize(
    ("first", "columns"),
    [
        (["We walked home along the river"], [SENTENCES]),
        (["Nous sommes rentrés à pied"], [SENTENCES]),
        (["What a lovely evening in town!"], [SENTENCES]),
        (["Where have all the good books gone?"], [SENTENCES]),
        (["We walked home, Ann said"], [SENTENCES]),
        (["Great film!"], [SHORT]),
        (["It is fine"], [SHORT]),
        (["so so"], [SHORT]),
        (["https://a.example/x"], [LINKS]),
        (["1211", "We walked home along the river"], [IDS, SENTENCES]),
        (["1211", "Hello!"], [IDS, SENTENCES]),
        (["We walked home along the river", "2020-01-01 08:00"], [SENTENCES, DATES]),
        (["ann", "We walked home along the river"], [["bob", "ann", "cy", "ann"], SENTENCES]),
        (["bad", "We walked home"], [MOODS, SENTENCES]),
        (["We walked home along the river", ""], [SENTENCES, ["1", "", "2", "3"]]),
        (
            ["1211", "2020-01-01", "NO_QUERY", "_ann_", "@bob hello"],
            [IDS, DATES, ["NO_QUERY"] * 4, list("abcd"), SENTENCES],
        ),
    ],
)
def test_a_line_like_those_below_it_is_data(first, columns):
    assert first_line_is_data(first, columns, TWEETS.text_columns)


@pytest.mark.parametrize(
    ("first", "columns"),
    [
        (["text"], [SENTENCES]),
        (["headline"], [SENTENCES]),
        (["message_body"], [SENTENCES]),
        (["Your tweet text"], [SENTENCES]),
        (["Customer Feedback"], [SENTENCES]),
        (["Short joke"], [SENTENCES]),
        (["What did you like about us?"], [SENTENCES[:3]]),
        (["Please describe your stay with us:"], [SENTENCES]),
        (["0"], [SENTENCES]),
        (["Review"], [SHORT]),
        (["name"], [["ann", "bob", "cy", "dee"]]),
        (["id", "said"], [IDS, SENTENCES]),
        (["said", "at"], [SENTENCES, DATES]),
        (["Timestamp", "Please tell us what you think"], [DATES, SENTENCES]),
        (["What do you like?", "What should be better?"], [SENTENCES[:3], SENTENCES[:3]]),
        (["Unnamed: 0", "0", "1"], [IDS, DATES, SENTENCES]),
        (["0", "1", "2"], [IDS, LINKS, SENTENCES]),
        (["text", "We walked home along the river"], [SENTENCES, SENTENCES]),
        (["said", "mood"], [SENTENCES, MOODS]),
    ],
)
def test_names_are_no_data(first, columns):
    assert not first_line_is_data(first, columns, TWEETS.text_columns)
