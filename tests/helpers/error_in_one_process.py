"""Two processes: the one that LOUD names meets an error while the other waits for it."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from utils import distributed
from utils.errors import DataError
from utils.process import run


def main() -> int:
    distributed.initialize("cpu")
    print(f"started {distributed.rank()}", flush=True)
    if distributed.rank() == int(os.environ["LOUD"]):
        raise DataError("row 3 has no text", "give it one")
    return len(distributed.gather_dict({}))


sys.exit(run(main))
