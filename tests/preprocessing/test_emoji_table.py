"""Code points, real emoji, concepts, the built-in table, what becomes of one row, and the split by wording."""

from collections import Counter

import emoji
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.errors import DataError, UsageError
from utils.preprocessing.emoji_pairs import count_emoji, format_emoji_counts, split_wordings
from utils.preprocessing.emoji_resolve import (
    EMOJI_REPAIRED,
    SPREADSHEET,
    UNUSABLE_EMOJI_REASONS,
    UnusableEmojiError,
    resolve_cells,
)
from utils.preprocessing.emoji_sources import EmojiCells, builtin_aliases, check_languages, emoji_of
from utils.preprocessing.emoji_unicode import (
    concept_of,
    format_code_points,
    fully_qualified,
    is_component,
    is_known,
    parse_code_points,
    spreadsheet_number,
    without_most_tones,
    without_selectors,
)
from utils.processed import Split

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
def test_code_points_in_every_writing(cell):
    assert parse_code_points(cell) == "👨\u200d🌾"


@pytest.mark.parametrize(
    ("cell", "text"),
    [("2639", "☹"), ("23E9", "⏩"), ("26E9", "⛩"), ("0023 FE0F 20E3", "#️⃣"), ("23-FE0F-20E3", "#️⃣"), ("", ""), (" ", "")],
)
def test_code_points_are_text(cell, text):
    assert parse_code_points(cell) == text
    assert spreadsheet_number(cell) is None


@pytest.mark.parametrize("cell", ["grinning", "n/a", "110000", "FFFFFFFF", "D83D", "DE00 D83D", "1F468 ?", "123456789"])
def test_what_is_no_code_point(cell):
    assert parse_code_points(cell) is None


@pytest.mark.parametrize(
    "cell", ["2.6E+10", "2.63E+03", "2,63E+03", "1E+10", "2.6e+10", "2.3E9", "1F468 2.00E+05", "2.639E-05"]
)
def test_what_a_spreadsheet_makes_of_them(cell):
    assert spreadsheet_number(cell) in cell
    assert spreadsheet_number(cell) is not None


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_written_code_points_are_read_again(text):
    assert parse_code_points(format_code_points(text)) == text


def test_code_points_are_written_with_four_digits_or_more():
    assert format_code_points("#️⃣👨") == "0023 FE0F 20E3 1F468"


# Real emoji -----------------------------------------------------------------------------------------------------------


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
def test_what_is_no_emoji(text):
    assert fully_qualified(text) is None


def test_every_sequence_of_the_package_has_one_form():
    for text, data in emoji.EMOJI_DATA.items():
        form = fully_qualified(text)
        assert emoji.EMOJI_DATA[form]["status"] in (emoji.STATUS["fully_qualified"], emoji.STATUS["component"])
        assert without_selectors(form) == without_selectors(text)
        assert is_component(form) == (data["status"] == emoji.STATUS["component"])
        assert is_known(text)
    assert not is_known(NEWER)


# Concepts -------------------------------------------------------------------------------------------------------------


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
def test_looks_are_no_concepts(concept, members):
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


# The built-in table ---------------------------------------------------------------------------------------------------


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
    assert emoji_of(name) == text


def test_every_name_of_the_package_is_found():
    assert [text for text in KNOWN if emoji_of(emoji.EMOJI_DATA[text]["en"]) != text] == []


def test_names_and_aliases_in_other_languages():
    rows = builtin_aliases(["😀", "☹️", NEWER], ["fr", "en"])
    assert [(row.emoji, row.language, row.description) for row in rows] == [
        ("😀", "fr", ":visage_rieur:"),
        ("😀", "en", ":grinning_face:"),
        ("😀", "en", ":grinning:"),
        ("☹️", "fr", ":visage_mécontent:"),
        ("☹️", "en", ":frowning_face:"),
        ("☹️", "en", ":white_frowning_face:"),
    ]


def test_languages_are_checked():
    assert check_languages(["fr", "en", "fr"]) == ["fr", "en"]
    with pytest.raises(UsageError) as caught:
        check_languages(["en", "xx"])
    assert "'xx'" in caught.value.problem
    assert "de, en, es, fa, fr," in caught.value.hint


# One row --------------------------------------------------------------------------------------------------------------


def row_of(text="", description="a name", code_points="", **more):
    return resolve_cells(EmojiCells(text, description, "a.csv, row 7", code_points, "codes", **more))


@pytest.mark.parametrize(
    ("text", "code_points", "expected", "changes"),
    [
        ("😀", "", "😀", ()),
        ("", "1F600", "😀", ()),
        ("☹", "2639 FE0F", "☹️", ()),
        ("☹️", "2639", "☹️", ()),
        ("ðŸ˜€", "1F600", "😀", (EMOJI_REPAIRED,)),
        ("â˜¹ï¸", "", "☹️", (EMOJI_REPAIRED,)),
        ("☹", "2.639E+03", "☹️", (SPREADSHEET,)),
    ],
)
def test_the_emoji_of_a_row(text, code_points, expected, changes):
    row = row_of(text, code_points=code_points)
    assert (row.emoji, row.changes) == (expected, changes)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"text": "😀", "code_points": "1F601"}, "emoji and code points differ"),
        ({"text": "😀", "code_points": "1F600 200D 1F525"}, "emoji and code points differ"),
        ({"text": "😀", "code_points": "n/a"}, "unreadable code points"),
        ({"code_points": "0041"}, "code points of no emoji"),
        ({"text": "not an emoji", "code_points": "1F600"}, "no emoji"),
        ({"text": "ðŸ??", "code_points": "1F600"}, "mojibake for an emoji"),
        ({"description": "no such thing"}, "neither emoji nor code points, and no known name"),
        ({"text": "😀", "description": ""}, "no description"),
        ({"text": "😀", "description": ":__:"}, "no description"),
        ({"text": "😀", "description": "😂 😂"}, "description is an emoji"),
        ({"text": "☹️", "description": "☹"}, "description is an emoji"),
        ({"text": "☹️", "description": "a ☹ face"}, "description contains its emoji"),
        ({"text": "😀", "description": "it is u+1f600"}, "description contains its emoji"),
    ],
)
def test_why_a_row_is_of_no_use(cells, reason):
    with pytest.raises(UnusableEmojiError) as caught:
        row_of(**cells)
    assert str(caught.value) == reason
    assert reason in UNUSABLE_EMOJI_REASONS


@pytest.mark.parametrize(
    ("cell", "description"),
    [
        (":man_farmer:", "man farmer"),
        ("  Côte d’Ivoire ", "Côte d’Ivoire"),
        ("flag: CÃ´te dâ€™Ivoire", "flag: Côte d’Ivoire"),
        ("snake_case: kept", "snake_case: kept"),
        ("laughing like 😂", "laughing like 😂"),
        ("1", "1"),
    ],
)
def test_a_description_is_left_as_it_is_but_for_its_marks(cell, description):
    assert row_of("😀", cell).description == description


def test_a_spreadsheets_number_alone_is_an_error():
    with pytest.raises(DataError) as caught:
        row_of("", code_points="2.6E+10")
    assert caught.value.problem.startswith("a.csv, row 7, column 'codes': '2.6E+10' is no code point; a spreadsheet")


# The split by wording -------------------------------------------------------------------------------------------------


def test_every_emoji_that_is_asked_for_was_learnt():
    emoji_of = [number % 40 for number in range(200)]
    keys = [f"key {number // 2 if number < 20 else number}" for number in range(200)]
    sides = split_wordings(keys, emoji_of, (0.8, 0.1, 0.1), seed=3)
    assert [len(side) for side in sides] == [160, 20, 20]
    assert sorted(row for side in sides for row in side) == list(range(200))
    learnt = {emoji_of[row] for row in sides[0]}
    assert learnt == set(range(40))
    keys_of = [{keys[row] for row in side} for side in sides]
    assert sum(map(len, keys_of)) == len(set.union(*keys_of))
    assert split_wordings(keys, emoji_of, (0.8, 0.1, 0.1), seed=3) == sides
    assert split_wordings(keys, emoji_of, (0.8, 0.1, 0.1), seed=4) != sides


def test_single_descriptions_stay_in_train():
    sides = split_wordings(list("abcdef"), list("112345"), (0.5, 0.25, 0.25), seed=0)
    assert sorted(map(len, sides[1:])) == [0, 1]
    assert {2, 3, 4, 5} < set(sides[0])


def test_descriptions_of_several_emoji_are_counted():
    facts = {"emoji": ["📅", "📆", "😀"], "language": ["en", None, None]}
    split = Split(["calendar", "Calendar", "grin"], list("abc"), [None] * 3, ["A", "B", "C"], [], [], facts)
    found = count_emoji({"train": split}, [["x", "📅", None, "A"], ["y", "📆", None, "A"]])
    assert found == {
        "emoji": 2,
        "concepts": 1,
        "splits": {"train": {"concepts": 3, "emoji": 3, "descriptions": 3}},
        "languages": {"en": 1, "unknown": 2},
        "shared_descriptions": 1,
        "shared_example": ["calendar", ["📅", "📆"]],
    }
    assert "such as 'calendar': 📅, 📆" in format_emoji_counts(found)


def test_a_fifth_of_the_skin_tones_is_left_to_train_on():
    tones = ["\U0001f3fb", "\U0001f3fc", "\U0001f3fd", "\U0001f3fe", "\U0001f3ff"]
    emoji = [one + tone for one in "👋✋👌" for tone in ("", *tones)]
    rows = without_most_tones(emoji, seed=3)
    assert rows == sorted(rows)
    assert [row for row in rows if row % 6 == 0] == [0, 6, 12]
    assert len(rows) == 3 + 3
    assert rows == without_most_tones(emoji, seed=3)
    assert without_most_tones(emoji[1:6], seed=3) == [0, 1, 2, 3, 4]
