"""What a user sees while posts are collected: a bar with the date reached, and a countdown while waiting."""

import datetime
import logging
import sys
import time
from collections.abc import Callable

from tqdm import tqdm

log = logging.getLogger(__name__)

LINE_EVERY = 30  # seconds, where there is no terminal to draw a bar on


class Progress:
    """Collected of the limit, the date reached and the rate: a bar on a terminal, now and then a line on a log."""

    def __init__(self, limit: int, collected: int):
        self._bar = tqdm(total=limit, initial=collected, desc="collecting", unit=" posts", disable=None)
        self._limit = limit
        self._known = self._collected = collected
        self._start = self._line_at = time.monotonic()
        self._reached = "nothing new"

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception) -> None:
        self._bar.close()
        if self._collected:
            log.info("%s", self)

    def __str__(self) -> str:
        rate = (self._collected - self._known) / max(time.monotonic() - self._start, 1e-9)
        return f"collected {self._collected:,}/{self._limit:,}, {self._reached}, {rate:.1f} posts/s"

    def add(self, date: datetime.date | None) -> None:
        """One more post, of this date."""
        self._collected += 1
        if date is not None:
            self._reached = f"reached {date:%Y-%m-%d}"
            self._bar.set_postfix_str(self._reached, refresh=False)
        self._bar.update()
        if self._bar.disable and time.monotonic() - self._line_at >= LINE_EVERY:
            log.info("%s", self)
            self._line_at = time.monotonic()

    def wait(self, why: str, seconds: float, sleep: Callable[[float], None]) -> None:
        """Sleep, and count down."""
        end = datetime.datetime.now() + datetime.timedelta(seconds=seconds)
        line = f"{why}; asking again at {end:%H:%M:%S}, in {seconds:.0f} s"
        if self._bar.disable:
            log.info("%s", line)
        else:
            self._bar.write(line, file=sys.stderr)
        left = seconds
        while left > 0:
            minutes, rest = divmod(round(left), 60)
            self._bar.set_description_str(f"waiting {minutes}:{rest:02}")
            sleep(min(1, left))
            left -= 1
        self._bar.set_description_str("collecting")
