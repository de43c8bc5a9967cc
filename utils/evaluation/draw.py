"""Draw the rows of a split to measure when there is a limit."""

import random


def draw_rows(total: int, limit: int | None, seed: int) -> list[int]:
    """Draw at most `limit` of the row numbers below `total`; return them in ascending order."""
    return sorted(random.Random(seed).sample(range(total), min(limit or total, total)))
