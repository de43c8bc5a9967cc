"""The kinds of cells, single and as a column."""

import pytest

from utils.tasks.cell_kinds import judge, kind_of


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        (
            "numbers",
            ["1", "-2.5", "1,234.5", "12 %", "$3.99", "8.49637E+17", "1.5K", "4/5/2017 14:56", "4.5.1", "12:30"],
        ),
        ("dates", ["2022-04-08 11:12:39+00:00", "2023-01-09T07:12:05.000Z", "2019-1-2 3:04 pm", "24-02-2015 11.35"]),
        ("dates", ["Mon Apr 06 22:19:45 PDT 2009", "July 4, 2019", "12 févr. 2021", "Sun 3 Jan 2021", "5. Mai 2020"]),
        ("links", ["https://a.example/1", "at://did:plc:abc/1", "did:plc:abc", "www.a.example", "ann@a.example"]),
        ("ids", ["A2IBPI20UZIR0U", "9a8b7c6d-1a2b-3c4d-5e6f-7a8b9c0d1e2f", "tt0111161"]),
        ("objects", ["[0, 1]", '{"a": 1}', "{'a': None}"]),
        ("text", ["good", "great!!!1", "2019 was great", "may 12 people come", "3 out of 5", "5 stars", "12 of us"]),
        ("text", ["See https://a.example", "[sic]", "ça va", "今日はいい天気ですね", "😀😀", "B2B", "iphone12 rocks"]),
    ],
)
def test_the_kind_of_a_cell(kind, cells):
    assert {cell: kind_of(cell) for cell in cells} == dict.fromkeys(cells, kind)


@pytest.mark.parametrize(
    ("cells", "are_texts"),
    [
        (["We walked home", "A dog stole it", ""], True),
        (["今日はいい天気ですね", "また雨が降りました"], True),
        (["https://a.example/1", "See this", "And that one"], True),
        (["@ann #ok yes it is", "@bob no it is not"], True),
        (["very good", "very bad"] * 9, False),
        (["ann", "bob", "cy"], False),
        (["12 + 4 = 16", "{x} => (y) ;; ++", "1 < 2 > 3"], False),
        (["We walked home"] * 5, False),
        (["", None], False),
    ],
)
def test_whether_cells_are_texts(cells, are_texts):
    assert judge(cells).are_texts == are_texts
