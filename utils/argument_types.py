"""The types of flags' values: numbers within limits, true or false, dates."""

import argparse
import datetime
import operator
import re
from collections.abc import Callable
from pathlib import Path

_NUMBER = r"(\d+(?:\.\d+)?)"
DURATION = re.compile(rf"(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?|{_NUMBER}", re.ASCII)
ADDRESS = re.compile(r"(?:https?|ftp|sftp|ssh|s3|gs|hf|git):/", re.IGNORECASE)
TRUTH_VALUES = {"true": True, "yes": True, "false": False, "no": False}


LARGEST_WHOLE, LARGEST_SEED = 2**31 - 1, 2**32 - 1  # of C's int, and of numpy


def _number(
    kind: type, accepts: Callable, expected: str, largest: float = float("inf")
) -> Callable[[str], int | float]:
    """Return an argument type for a number that `accepts` returns true for, and that is not above `largest`."""

    def parse(text: str) -> int | float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not accepts(value):
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not {expected}")
        if value > largest:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is above {largest}, the largest possible number")
        return value

    return parse


# Argument types. "inf" and "nan" are refused.
positive_int = _number(int, lambda value: value >= 1, "a whole number of at least 1", LARGEST_WHOLE)
several = _number(int, lambda value: value >= 2, "a whole number of at least 2", LARGEST_WHOLE)
non_negative_int = _number(int, lambda value: value >= 0, "a whole number of at least 0", LARGEST_WHOLE)
seed_number = _number(int, lambda value: value >= 0, "a whole number of at least 0", LARGEST_SEED)
positive_float = _number(float, lambda value: 0 < value < float("inf"), "a number above 0")
non_negative_float = _number(float, lambda value: 0 <= value < float("inf"), "a number of at least 0")
fraction = _number(float, lambda value: 0 < value <= 1, "a number above 0 and at most 1")
share = _number(float, lambda value: 0 <= value < 1, "a number of at least 0 and below 1")


def duration(text: str) -> float:
    """Argument type: a duration such as 90s, 10m or 1h30m, or a number of seconds; return seconds."""
    parts = DURATION.fullmatch(text.strip().lower())
    seconds = sum(map(operator.mul, map(float, parts.groups("0")), (3600, 60, 1, 1))) if parts else 0
    if not 0 < seconds <= LARGEST_WHOLE:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a duration, such as 90s, 10m, 1h30m or 600 (seconds)")
    return seconds


def as_duration(seconds: float) -> str:
    """Return a duration as it is written on a command line, to the second: 1h30m."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{value}{unit}" for value, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if value]
    return "".join(parts) or "0s"


def truth_value(text: str) -> bool:
    """Argument type: true or false."""
    if text.lower() not in TRUTH_VALUES:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return TRUTH_VALUES[text.lower()]


def iso_date(text: str) -> datetime.date:
    """Argument type: a date, YYYY-MM-DD."""
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date, expected YYYY-MM-DD") from None


def output_path(text: str) -> Path:
    """Return the path of a file or folder to write. An address, which may hold a password, would become folders."""
    if ADDRESS.match(text):
        raise argparse.ArgumentTypeError(f"{text!r} is an address, and files are written on this machine")
    return Path(text)


def page_path(text: str) -> Path | bool:
    """Return the path of an HTML page to write; True for "True" (of config files and Python): the default."""
    if text in ("True", "False"):
        return text == "True"
    if not text.lower().endswith((".html", ".htm")):
        raise argparse.ArgumentTypeError(f"{text!r} does not end in .html")
    return output_path(text)
