"""The part of a time limit that an interrupted run had used, from its saved states."""

import json
from pathlib import Path

from utils.training.state.state_files import PROGRESS, checkpoints, read_object, soup_files, soup_metadata


def seconds_used(folder: Path) -> float:
    """Return the seconds that the run in `folder` had used when it saved its newest state; 0 without a time limit."""
    progress = [read_object(checkpoint / PROGRESS) or {} for checkpoint in checkpoints(folder)]
    used = [each.get("time", {}).get("used", 0.0) for each in progress]
    outcomes = [json.loads((soup_metadata(file) or {}).get("outcome", "{}")) for file in soup_files(folder)]
    return max([0.0, *used, *(outcome.get("seconds_used", 0.0) for outcome in outcomes)])
