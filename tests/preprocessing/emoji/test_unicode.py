"""Code points, the forms, names and concepts of emoji, and which skin tones are trained on."""

from collections import Counter

import emoji
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.preprocessing.emoji.unicode import (
    character_name,
    concept_of,
    emoji_of_name,
    format_code_points,
    fully_qualified,
    is_component,
    is_known,
    parse_code_points,
    spreadsheet_number,
    subsample_skin_tones,
    without_selectors,
)

KNOWN = [text for text, data in emoji.EMOJI_DATA.items() if data["status"] == emoji.STATUS["fully_qualified"]]
NEWER = "\U0001faff"  # reserved for emoji to come

# Code points ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [
        "1F468 200D 1F33E",
        "1f468 200d 1f33e",
        "U+1F468 U+200D U+1F33E",
        "U+1F468U+200DU+1F33E",
        "1F468-200D-1F33E",
        "1F468,200D, 1F33E",
        "1f468_200d_1f33e",
        r"\U0001F468\u200D\U0001F33E",
        r"\ud83d\udc68\u200d\ud83c\udf3e",
        "0x1F468 0x200D 0x1F33E",
        "&#x1F468;&#x200D;&#x1F33E;",
        '["1F468", "200D", "1F33E"]',
    ],
)
def test_code_points_in_every_notation(cell):
    assert parse_code_points(cell) == "👨\u200d🌾"


@pytest.mark.parametrize(
    ("cell", "text"),
    [("2639", "☹"), ("23E9", "⏩"), ("26E9", "⛩"), ("0023 FE0F 20E3", "#️⃣"), ("23-FE0F-20E3", "#️⃣"), ("", ""), (" ", "")],
)
def test_code_points_are_text(cell, text):
    assert parse_code_points(cell) == text
    assert spreadsheet_number(cell) is None


@pytest.mark.parametrize("cell", ["grinning", "n/a", "110000", "FFFFFFFF", "D83D", "DE00 D83D", "1F468 ?", "123456789"])
def test_cells_without_code_points(cell):
    assert parse_code_points(cell) is None


@pytest.mark.parametrize(
    "cell", ["2.6E+10", "2.63E+03", "2,63E+03", "1E+10", "2.6e+10", "2.3E9", "1F468 2.00E+05", "2.639E-05"]
)
def test_numbers_that_a_spreadsheet_made_of_code_points(cell):
    assert spreadsheet_number(cell) in cell
    assert spreadsheet_number(cell) is not None


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_formatted_code_points_parse_back(text):
    assert parse_code_points(format_code_points(text)) == text


def test_code_points_have_at_least_four_digits():
    assert format_code_points("#️⃣👨") == "0023 FE0F 20E3 1F468"


# Forms ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("☹", "☹️"),
        ("☹️", "☹️"),
        ("☹\ufe0e", "☹️"),
        (" 😀\u200b", "😀"),
        ("🏃\u200d♀", "🏃\u200d♀️"),
        ("🏃🏽\u200d♀\u200d➡️", "🏃🏽\u200d♀️\u200d➡️"),
        ("👁\u200d🗨", "👁️\u200d🗨️"),
        ("#⃣", "#️⃣"),
        ("©", "©️"),
        ("🏻", "🏻"),
        (NEWER, NEWER),
        (f"{NEWER}🏽\u200d♀️", f"{NEWER}🏽\u200d♀️"),
    ],
)
def test_the_fully_qualified_form(text, expected):
    assert fully_qualified(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "a", "not an emoji", "1", "#", "😀😀", "😀 😀", "😀!", "\u200d", "\ufe0f", "🇫", "🀀", "😀\u200d", "∞", "ðŸ˜€"],
)
def test_texts_that_are_not_an_emoji(text):
    assert fully_qualified(text) is None


def test_every_sequence_of_the_package_has_one_form():
    for text, data in emoji.EMOJI_DATA.items():
        form = fully_qualified(text)
        assert emoji.EMOJI_DATA[form]["status"] in (emoji.STATUS["fully_qualified"], emoji.STATUS["component"])
        assert without_selectors(form) == without_selectors(text)
        assert is_component(form) == (data["status"] == emoji.STATUS["component"])
        assert is_known(text)
    assert not is_known(NEWER)


# Names ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("grinning face", "😀"),
        (":grinning:", "😀"),
        ("Woman Running: medium skin tone", "🏃🏽\u200d♀️"),
        ("flag: Turkey", "🇹🇷"),
        ("flag: Côte d’Ivoire", "🇨🇮"),
        ("flag in hole", "⛳"),
        ("keycap: *", "*️⃣"),
        ("keycap: #", "#️⃣"),
        ("no such thing", None),
    ],
)
def test_emoji_by_their_names(name, text):
    assert emoji_of_name(name) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("😀", "grinning face"),
        ("☹️", "white frowning face"),
        ("8️⃣", "digit eight"),
        ("🇰🇷", "kr"),
        ("👋🏽", None),  # two characters
        ("👨‍🌾", None),
        ("\U0001faff", None),  # reserved for an emoji to come
    ],
)
def test_names_of_characters(text, name):
    assert character_name(text) == name


def test_every_name_of_the_package_is_found():
    assert [text for text in KNOWN if emoji_of_name(emoji.EMOJI_DATA[text]["en"]) != text] == []


# Concepts and skin tones ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("concept", "members"),
    [
        ("1F44B", ["👋", "👋🏻", "👋🏿"]),
        ("1F9D1 200D 1F33E", ["🧑\u200d🌾", "👨\u200d🌾", "👩🏽\u200d🌾"]),
        ("1F3C3", ["🏃", "🏃🏽", "🏃\u200d♀️", "🏃🏽\u200d♂️", "🏃\u200d➡️", "🏃🏽\u200d♀️\u200d➡️"]),
        ("1F9D1", ["🧑", "👨", "👩🏿", "👩\u200d🦰", "👨🏼\u200d🦲"]),
        ("1F9D2", ["👦", "👧🏽", "🧒"]),
        ("1F9D1 200D 1F9AF", ["🧑\u200d🦯", "👨🏽\u200d🦯\u200d➡️"]),
        ("1F46A", ["👪", "👨\u200d👩\u200d👧", "👩\u200d👦", "🧑\u200d🧑\u200d🧒\u200d🧒"]),
        ("1F91D", ["🤝", "🤝🏽", "🫱🏻\u200d🫲🏿"]),
        ("1F491", ["💑", "💑🏽", "👩\u200d❤️\u200d👨", "🧑🏻\u200d❤️\u200d🧑🏿"]),
        ("1F48F", ["💏", "💏🏽", "👨\u200d❤️\u200d💋\u200d👨"]),
        ("1F9D1 200D 1F91D 200D 1F9D1", ["🧑\u200d🤝\u200d🧑", "👫", "👭🏿", "👩🏻\u200d🤝\u200d👨🏿"]),
        ("1F93C", ["🤼", "🤼\u200d♀️", "👨🏻\u200d🫯\u200d👨🏿"]),
        ("1F46F", ["👯", "👯\u200d♂️", "👩🏻\u200d🐰\u200d👩🏼"]),
        ("1FAC5", ["🫅", "🤴", "👸🏽"]),
        ("1F9D1 200D 1F384", ["🧑\u200d🎄", "🎅", "🤶🏿"]),
        ("1F483", ["💃", "🕺🏽"]),
    ],
)
def test_looks_do_not_change_the_concept(concept, members):
    assert {concept_of(member) for member in members} == {concept}


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("♀️", "2640"),
        ("♂️", "2642"),
        ("➡️", "27A1"),
        ("🏳️", "1F3F3"),
        ("🏳️\u200d🌈", "1F3F3 200D 1F308"),
        ("🏳️\u200d⚧️", "1F3F3 200D 26A7"),
        ("🏴\u200d☠️", "1F3F4 200D 2620"),
        ("🇫🇷", "1F1EB 1F1F7"),
        ("❤️\u200d🔥", "2764 200D 1F525"),
        ("❤️", "2764"),
        ("🙂\u200d↔️", "1F642 200D 2194"),
        ("🐻\u200d❄️", "1F43B 200D 2744"),
        ("👈", "1F448"),
        ("🫱", "1FAF1"),
        ("🧔\u200d♂️", "1F9D4"),
        ("🏻", "1F3FB"),
        ("🦰", "1F9B0"),
    ],
)
def test_everything_else_is_its_own_concept(text, concept):
    assert concept_of(text) == concept


def test_concepts_agree_with_the_names():
    """Emoji whose names differ only in the skin tone are one concept; those whose names differ in more seldom are."""
    tones = [f"_{tone}_skin_tone" for tone in ("medium-light", "medium-dark", "light", "medium", "dark")]
    concepts = {}
    for text in KNOWN:
        name = emoji.EMOJI_DATA[text]["en"].strip(":")
        for tone in tones:
            name = name.replace(tone, "")
        concepts.setdefault(name, set()).add(concept_of(text))
    assert {name for name, found in concepts.items() if len(found) > 1} == set()
    by_concept = Counter(next(iter(found)) for found in concepts.values())
    genders = {"man", "woman", "person", "men", "women", "people", "and"}
    looks = {"red", "curly", "white", "hair", "bald", "facing", "right"}
    for concept in by_concept:
        names = {frozenset(name.split("_")) - genders - looks for name, found in concepts.items() if concept in found}
        assert len(names) == 1 or concept in {
            *("1F46A", "1F9D2", "1F9D3", "1FAC5", "1F6BB", "1F9DC"),
            *("1F9D1 200D 1F384", "1F9D1 200D 1F91D 200D 1F9D1"),
        }, names


def test_a_fifth_of_the_skin_tones_is_kept():
    tones = ["\U0001f3fb", "\U0001f3fc", "\U0001f3fd", "\U0001f3fe", "\U0001f3ff"]
    emoji = [one + tone for one in "👋✋👌" for tone in ("", *tones)]
    rows = subsample_skin_tones(emoji, seed=3)
    assert rows == sorted(rows)
    assert [row for row in rows if row % 6 == 0] == [0, 6, 12]
    assert len(rows) == 3 + 3
    assert rows == subsample_skin_tones(emoji, seed=3)
    assert subsample_skin_tones(emoji[1:6], seed=3) == [0, 1, 2, 3, 4]
