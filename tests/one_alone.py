"""What two processes do when the one that LOUD names meets an error alone, while the other waits for it."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from utils import processes
from utils.cli import run
from utils.errors import DataError


def main() -> int:
    processes.start("cpu")
    print(f"started {processes.rank()}", flush=True)
    if processes.rank() == int(os.environ["LOUD"]):
        raise DataError("row 3 has no text", "give it one")
    return len(processes.united({}))


sys.exit(run(main))
