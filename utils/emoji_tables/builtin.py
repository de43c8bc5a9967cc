"""The table that comes with the `emoji` package: every emoji with its names in several languages."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import version

from utils.emoji_tables.cells import Cells
from utils.emoji_tables.sequences import fully_qualified
from utils.errors import UsageError
from utils.reading import Source

NAME = "builtin"  # the data path that stands for this table

_NO_LETTERS = re.compile(r"[\s_:,.!()’'“”\"-]+")


def check_languages(codes: Sequence[str]) -> list[str]:
    """The language codes, once each; UsageError where the package has no such language."""
    import emoji

    if unknown := [code for code in codes if code not in emoji.LANGUAGES]:
        raise UsageError(
            f"--aliases {unknown[0]!r}: the emoji package has no names in such a language",
            f"its languages are {', '.join(sorted(emoji.LANGUAGES))}; write, for example, --aliases en,fr",
        )
    return list(dict.fromkeys(codes))


def read() -> tuple[list[Cells], Source]:
    """A row of every sequence that the package has, unqualified ones too, with its English name."""
    import emoji

    rows = [
        Cells(emoji=text, description=data["en"], language="en", where=f"{NAME}, row {row}")
        for row, (text, data) in enumerate(emoji.EMOJI_DATA.items(), start=1)
    ]
    return rows, _source(NAME, [(row.emoji, row.description) for row in rows])


def aliases(found: Sequence[str], codes: Sequence[str]) -> list[Cells]:
    """The package's names of these emoji in these languages, and its aliases, which are English."""
    import emoji

    emoji.config.load_language(list(codes))
    return [
        Cells(emoji=text, description=name, language=code, where=f"the emoji package, {code}")
        for text in found
        for code in codes
        for name in _names(emoji.EMOJI_DATA.get(text, {}), code)
    ]


def aliases_source(rows: Sequence[Cells], codes: Sequence[str]) -> Source:
    """What the audit says of these rows of `aliases`."""
    return _source(f"aliases {','.join(codes)}", [(row.emoji, row.description) for row in rows])


def emoji_of(name: str) -> str | None:
    """The fully-qualified emoji of an English name or alias; case, blanks and most punctuation don't count."""
    key = _key(name)
    # Unicode's "flag: Peru" is "Peru" here, with the alias "flag for Peru".
    keys = (key, f"flag for {country}", country) if (country := key.removeprefix("flag ")) != key else (key,)
    return next((_by_name()[key] for key in keys if key in _by_name()), None)


@cache
def _by_name() -> dict[str, str]:
    import emoji

    found: dict[str, str] = {}
    for take in (lambda data: [data["en"]], lambda data: data.get("alias", [])):  # names go before aliases
        for text, data in emoji.EMOJI_DATA.items():
            for name in take(data):
                found.setdefault(_key(name), fully_qualified(text))
    return found


def _names(data: dict, code: str) -> Iterator[str]:
    if code in data:
        yield data[code]
    if code == "en":
        yield from data.get("alias", [])


def _key(name: str) -> str:
    return " ".join(_NO_LETTERS.sub(" ", name.casefold()).split())


def _source(what: str, rows: list[tuple[str, str]]) -> Source:
    sha256 = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    return Source(f"{what} (emoji {version('emoji')})", sha256, len(rows), "utf-8")
