"""Bars on stderr for long work."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

DELAY = 2  # seconds of work that need no bar
LATE = {"delay": DELAY, "leave": False, "disable": None}


def progress_bar(description: str, total: int | None = None, unit: str = "rows") -> "tqdm":
    """Return a bar of rows, with rows per second and, where the `total` is known, the time left.

    It shows only on a terminal and only after `DELAY` seconds, and is removed at the end.
    """
    from tqdm import tqdm

    return tqdm(total=total, desc=description, unit=f" {unit}", unit_scale=True, **LATE)


def training_bar(description: str, total: int, initial: int = 0) -> "tqdm":
    """Return a bar of steps, of at least 10 characters on 80 columns; its postfix alone follows them.

    It shows only on a terminal.
    """
    from tqdm import tqdm

    options = {"bar_format": "{desc} |{bar}| {n_fmt}/{total_fmt}{postfix}", "dynamic_ncols": True}
    return tqdm(total=total, initial=initial, desc=description, leave=False, disable=None, **options)


@contextmanager
def late_bars_of_transformers() -> Iterator[None]:
    """Within the block, transformers' bars ("Loading weights") show as `progress_bar` does, if at all."""
    from transformers.utils import logging

    previous = logging.set_tqdm_hook(lambda bar, arguments, options: bar(*arguments, **{**options, **LATE}))
    try:
        yield
    finally:
        logging.set_tqdm_hook(previous)
