"""The names in the emoji package, and the languages that it has."""

import unicodedata

import emoji
import pytest

from utils.errors import UsageError
from utils.preprocessing.emoji.sources import check_languages, package_names, package_source

NEWER = "\U0001faff"  # reserved for emoji to come


def test_names_and_aliases_in_other_languages():
    rows = package_names(["😀", "☹️", NEWER], ["fr", "en"])
    assert [(row.emoji, row.language, row.description) for row in rows] == [
        ("😀", "fr", ":visage_rieur:"),
        ("😀", "en", ":grinning_face:"),
        ("😀", "en", ":grinning:"),
        ("😀", "unicode", "grinning face"),
        ("☹️", "fr", ":visage_mécontent:"),
        ("☹️", "en", ":frowning_face:"),
        ("☹️", "en", ":white_frowning_face:"),
        ("☹️", "unicode", "white frowning face"),
    ]
    assert {row.language for row in package_names(["😀"], ["fr"])} == {"fr"}


def test_languages_are_checked():
    assert check_languages(["FR", " en", "fr"]) == ["fr", "en"]
    with pytest.raises(UsageError) as caught:
        check_languages(["en", "xx"])
    assert "'xx'" in caught.value.problem
    assert "de, en, es, fa, fr," in caught.value.hint


def test_the_source_names_the_versions_that_its_names_come_from():
    rows = package_names(["😀"], ["en"])
    versions = f"emoji {emoji.__version__}, Unicode {unicodedata.unidata_version}"
    assert package_source("aliases en", rows).path == f"aliases en ({versions})"
    french = package_source("aliases fr", package_names(["😀"], ["fr"]))
    assert french.path == f"aliases fr (emoji {emoji.__version__})"
