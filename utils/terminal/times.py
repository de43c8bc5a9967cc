"""Durations in words."""


def duration(seconds: float) -> str:
    """Return how long something took: "4 s", "3 min 12 s", "2 h 5 min"."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def time_left(seconds: float) -> str:
    """Return how long something still takes, which is an estimate: "40 s left", "3 min left", "2 h 5 min left"."""
    if round(seconds) < 60:
        return f"{seconds:.0f} s left"
    minutes = round(seconds / 60)
    return f"{minutes} min left" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min left"
