"""Rows about one training: fine_tune.py against plain loops, a well-tuned Trainer, and TRL's SFTTrainer."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.speed.kinds import Against, Comparison, Training
from benchmarks.speed.material import LEAST, Material, training_split
from benchmarks.speed.sizes import Size
from benchmarks.speed.training_sides import (
    BATCH_SIZE,
    LAST_MODEL,
    LOOP,
    OURS,
    SHOWN,
    TRAINER,
    count_of,
    packed_sft,
    shown_sft,
    side,
)

LAST = 2  # blocks
RATE = 5e-4  # docs/results.md: for few blocks
RATE_WITH_HEAD = 2e-4
RATE_OF_ALL = 1e-4  # fine_tune.py's default
RATE_OF_CLASSIFIERS = 1e-4
SFT_RATE = 2e-5  # TRL's default
NOTEBOOK_WIDTH = 128


def last_blocks(
    base: str, name: str, epochs: int | None, targets: dict[str, float], size: Size, material: Material
) -> Comparison:
    """Train only the last blocks (epochs: None for the size's); every side ends with its last model."""
    model, data, least = material.file(base), material.file(f"{name}.pkl"), material.file("least-tweets.pkl")
    epochs = epochs or size.epochs
    same = _same(model)
    return Comparison(
        title=f"fine-tune {count_of(data):,} tweets, {SHOWN[base]}, last {LAST} blocks, {epochs} epochs",
        ours=side("ours", OURS, data, least, epochs, **same, **LAST_MODEL),
        against=(
            Against(side("Trainer used well", TRAINER, data, least, epochs, **same), target=targets.get("trainer")),
            Against(packed_sft(data, least, epochs, **same), target=targets.get("trl")),
            Against(side("a plain loop in bfloat16", LOOP, data, least, epochs, **same, bfloat16=True)),
            *_naive_loops(model, data, epochs, targets.get("loop"), size, material),
        ),
        judged_on=data,
        training=Training(model, data, epochs, LAST),
    )


def _naive_loops(
    model: Path, data: Path, epochs: int, target: float | None, size: Size, material: Material
) -> Iterator[Against]:
    """Yield loops in float32 that run on a part of the tweets."""
    some, least = material.file("notebook-tweets.pkl"), material.file("least-tweets.pkl")
    scale = (count_of(data) * epochs - LEAST) / (count_of(some) * size.notebook_epochs - LEAST)  # beyond the least
    with_head = _same(model) | {"learning_rate": RATE_WITH_HEAD, "train_head": True}
    longest = max(map(len, training_split(data).ids))
    for shown, flags in {
        f"a notebook's loop, padded to {NOTEBOOK_WIDTH}": with_head | {"pad_to": NOTEBOOK_WIDTH},
        "a notebook's loop, padded to the longest": with_head | {"pad_to": longest},
        "a plain loop in float32, head and embedding frozen": _same(model),
    }.items():
        tied_head = "train_head" in flags
        loop = side(shown, LOOP, some, least, size.notebook_epochs, scale, **flags)
        yield Against(loop, naive=True, target=target if tied_head else None, tied_head=tied_head, bfloat16=False)


def best_epoch(base: str, name: str, size: Size, material: Material) -> Comparison:
    """Train the last blocks for many epochs; every side validates after each epoch and keeps its best model."""
    model, data, least = material.file(base), material.file(f"{name}.pkl"), material.file("least-tweets.pkl")
    same, epochs = _same(model), size.epochs
    return Comparison(
        title=f"fine-tune {count_of(data):,} tweets, {SHOWN[base]}, last {LAST} blocks, the best of {epochs} epochs",
        ours=side("ours", OURS, data, least, epochs, **same, early_stopping_patience=0),
        against=(
            Against(side("Trainer used well", TRAINER, data, least, epochs, **same, keep_best=True)),
            Against(packed_sft(data, least, epochs, **same, keep_best=True)),
        ),
        judged_on=data,
    )


def everything(name: str, epochs: int, targets: dict[str, float], size: Size, material: Material) -> Comparison:
    """Train all parameters; every side ends with its last model."""
    model, data, least = material.file("smollm2"), material.file(f"{name}.pkl"), material.file("least-tweets.pkl")
    some = material.file("tweets.pkl")
    scale = (count_of(data) * epochs - LEAST) / (count_of(some) - LEAST)
    same = {"model": model, "batch_size": BATCH_SIZE}
    rated = same | {"learning_rate": RATE_OF_ALL}
    return Comparison(
        title=f"fine-tune {count_of(data):,} tweets, {SHOWN['smollm2']}, all parameters, {_epochs(epochs)}",
        ours=side("ours", OURS, data, least, epochs, **rated, **LAST_MODEL),
        against=(
            Against(side("Trainer used well", TRAINER, data, least, epochs, **rated)),
            Against(packed_sft(data, least, epochs, **rated)),
            Against(shown_sft(SFT_RATE, some, least, 1, scale, **same), naive=True, target=targets.get("trl")),
        ),
        judged_on=data,
        training=Training(model, data, epochs, None),
    )


def reviews(epochs: int | None, targets: dict[str, float], size: Size, material: Material) -> Comparison:
    """Train a classifier (epochs: None for the size's); both sides end with their last model."""
    model, data, least = (material.file(name) for name in ("smollm2", "reviews.pkl", "least-reviews.pkl"))
    epochs = epochs or size.review_epochs
    same = _same(model) | {"learning_rate": RATE_OF_CLASSIFIERS}
    trainer = side("Trainer used well", TRAINER, data, least, epochs, **same)
    return Comparison(
        title=f"fine-tune a classifier of {count_of(data):,} reviews, {SHOWN['smollm2']}, last {LAST} blocks, "
        f"{_epochs(epochs)}",
        ours=side("ours", OURS, data, least, epochs, **same, **LAST_MODEL),
        against=(Against(trainer, target=targets.get("trainer")),),
        judged_on=data,
        training=Training(model, data, epochs, LAST, classifies=True),
    )


def _same(model: Path) -> dict:
    """Return the settings of all sides that train the last blocks."""
    return {"model": model, "batch_size": BATCH_SIZE, "unfreeze_last": LAST, "learning_rate": RATE}


def _epochs(count: int) -> str:
    return f"{count} epoch" if count == 1 else f"{count} epochs"
