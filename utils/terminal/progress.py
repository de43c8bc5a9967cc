"""A bar on stderr for long work."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

DELAY = 2  # seconds of work that need no bar


def progress_bar(description: str, total: int | None = None) -> "tqdm":
    """Return a bar of rows, with rows per second and, where the `total` is known, the time left.

    It shows only on a terminal and only after `DELAY` seconds, and is removed at the end.
    """
    from tqdm import tqdm

    return tqdm(total=total, desc=description, unit=" rows", unit_scale=True, delay=DELAY, leave=False, disable=None)
