"""A search by hand: fine_tune.py once for each setting of a table, without the cache.

python -m benchmarks.speed.opponents.separate_runs search.csv 4 --data data/processed.pkl --unfreeze_last 2 \
    --epochs 2 --output_path models/separate
"""

import csv
import subprocess
import sys
from pathlib import Path

SETTINGS = ("learning_rate", "batch_size", "weight_decay")


def main(table: Path, count: int, flags: list[str]) -> None:
    """Train with `count` settings, spread evenly over the trials of a search."""
    with table.open(encoding="utf-8", newline="") as file:
        trials = list(csv.DictReader(file))
    for number in range(count):
        trial = trials[number * len(trials) // count]
        settings = [word for name in SETTINGS for word in (f"--{name}", trial[name])]
        subprocess.run([sys.executable, "fine_tune.py", *flags, *settings], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
