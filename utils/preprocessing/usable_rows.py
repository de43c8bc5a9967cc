"""Rows that are usable as training examples, and the reasons why others are not."""

from dataclasses import dataclass


class UnusableRowError(Exception):
    """A row cannot be used; the message is the reason."""


@dataclass(frozen=True)
class UsableRows:
    """The contents of the usable rows, and counts of rows: reason → dropped rows, kind of change → changed rows."""

    kept: list
    dropped: dict[str, int]
    changed: dict[str, int]
