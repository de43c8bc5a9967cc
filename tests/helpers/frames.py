"""Cells of frames, and the form of every error about a file."""

import pandas as pd

from utils.errors import EXIT_BAD_DATA, DataError


def rows(frame) -> list[list[str | None]]:
    """The cells row by row; None for a missing one."""
    return [[None if pd.isna(cell) else cell for cell in row] for row in frame.to_numpy().tolist()]


def checked(error: DataError, name: str) -> DataError:
    """The error, which must name the file and let a user act on it."""
    assert error.exit_code == EXIT_BAD_DATA
    assert name in error.problem
    assert "\n" not in error.problem + error.hint
    assert error.hint
    return error
