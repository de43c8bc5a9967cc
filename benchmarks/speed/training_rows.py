"""Rows about training: fine_tune.py against the notebook's recipe, a well-tuned Trainer, and TRL's SFTTrainer."""

import math
from pathlib import Path

from benchmarks.speed.kinds import Against, Comparison, Growth, Quality, Training
from benchmarks.speed.material import LEAST, Material, training_split
from benchmarks.speed.measure import PYTHON, Side, words
from benchmarks.speed.sizes import Size

# Unless a row says otherwise, ours evaluates and saves once, at the end, as the opponents do.
OURS = ("fine_tune.py", "--overwrite", "--save_steps", 100_000)
# Many epochs over few texts overfit: ours then evaluates every second epoch and keeps the best model.
EPOCHS_BETWEEN = 2
NOTEBOOK, TRAINER, SFT, SEPARATE_RUNS = (
    ("-m", f"benchmarks.speed.opponents.{name}") for name in ("notebook", "trainer", "sft", "separate_runs")
)
LAST = 2  # blocks
RATE = 5e-4  # docs/results.md: for few blocks
RATE_WITH_HEAD = 2e-4
RATE_OF_CLASSIFIERS = 1e-4
SFT_RATES = (2e-5, 1e-4, 2e-4)  # TRL's default, ours, and above
PACKED_TOKENS = 512  # in the one row of a batch: as many as the other contenders have in batches of 16
NOTEBOOK_WIDTH = 128
NOTHING = (PYTHON, "-c", "pass")  # for rows that count start-up as work


def last_blocks(base: str, shown: str, target: float, size: Size, material: Material) -> Comparison:
    """Train only the last blocks, for ten epochs."""
    model, data, least = material.file(base), material.file("tweets.pkl"), material.file("least-tweets.pkl")
    some = material.file("notebook-tweets.pkl")
    epochs = size.notebook_epochs
    scale = (_count(data) * size.epochs - LEAST) / (_count(some) * epochs - LEAST)  # beyond the least command
    same = {"model": model, "batch_size": 16, "unfreeze_last": LAST}
    with_head, blocks = same | {"learning_rate": RATE_WITH_HEAD}, same | {"learning_rate": RATE}
    packed = blocks | {"batch_size": 1, "pack_to": PACKED_TOKENS, "no_checkpointing": True}
    between = EPOCHS_BETWEEN * math.ceil(_count(data) / same["batch_size"])
    patient = blocks | {"early_stopping_patience": 0, "save_steps": between}
    notebooks = [
        _side(f"the notebook's recipe, padded to {shown}", NOTEBOOK, some, least, epochs, scale, **with_head, pad_to=to)
        for shown, to in ((NOTEBOOK_WIDTH, NOTEBOOK_WIDTH), ("the longest", max(map(len, training_split(data).ids))))
    ]
    return Comparison(
        title=f"fine-tune {_count(data):,} tweets, {shown}, last {LAST} blocks, {size.epochs} epochs, batch 16",
        ours=_side("ours", OURS[:2], data, least, size.epochs, **patient),
        against=(
            *(Against(side, 15.0, tied_head=True, bfloat16=False) for side in notebooks),
            Against(_side("Trainer used well", TRAINER, data, least, size.epochs, **blocks), target),
            Against(_side("TRL's SFTTrainer, packed", SFT, data, least, size.epochs, needs=("trl",), **packed), 2.0),
        ),
        heldout=data,
        training=Training(model, data, size.epochs, LAST),
    )


def everything(size: Size, material: Material) -> Comparison:
    """Train all parameters for one epoch, each side with its own defaults except the batch size."""
    model, data, least = (material.file(name) for name in ("smollm2", "tweets.pkl", "least-tweets.pkl"))
    same = {"model": model, "batch_size": 16}
    return Comparison(
        title=f"fine-tune {_count(data):,} tweets, SmolLM2-135M, all parameters, 1 epoch, batch 16",
        ours=_side("ours", OURS, data, least, 1, **same),
        against=(Against(_sft_as_shown(SFT_RATES[0], data, least, **same), 2.5),),
        heldout=data,
        training=Training(model, data, 1, None),
    )


def reviews(size: Size, material: Material) -> Comparison:
    """Train a classifier."""
    model, data, least = (material.file(name) for name in ("smollm2", "reviews.pkl", "least-reviews.pkl"))
    same = {"model": model, "batch_size": 16, "unfreeze_last": LAST, "learning_rate": RATE_OF_CLASSIFIERS}
    epochs = size.review_epochs
    return Comparison(
        title=f"fine-tune {_count(data):,} reviews (classification), SmolLM2-135M, last {LAST} blocks, "
        f"{epochs} epochs, batch 16",
        ours=_side("ours", OURS, data, least, epochs, **same, early_stopping_patience=0),
        against=(Against(_side("Trainer used well", TRAINER, data, least, epochs, **same), 3.0),),
        heldout=data,
        training=Training(model, data, epochs, LAST, classifies=True),
    )


def search(size: Size, material: Material) -> Comparison:
    """A search that shares its cache against as many separate runs, whose start-up counts."""
    data, runs = material.file("search-tweets.pkl"), material.runs
    same = {"data": data, "model": material.file("smollm2"), "unfreeze_last": LAST, "epochs": 2}
    ours = words(*OURS, **same, search=size.trials, output_path=runs / "ours")
    table, flags = runs / "ours" / "search.csv", same | {"prefix_cache": "off", "output_path": runs / "separate"}
    separate = words(*SEPARATE_RUNS, table, size.separate_runs, *OURS[1:], **flags)
    return Comparison(
        title=f"a search of {size.trials} trials, one depth: {_count(data):,} tweets, SmolLM2-135M, last {LAST} "
        "blocks, 2 epochs",
        ours=Side("ours", ours, NOTHING),
        against=(
            Against(
                Side("separate runs without the cache", separate, NOTHING, scale=size.trials / size.separate_runs), 4.0
            ),
        ),
    )


def growth(size: Size, material: Material) -> Growth:
    """fine_tune.py on 1×, 2×, 4×, 8× tweets."""
    flags = {"model": material.file("smollm2"), "unfreeze_last": LAST, "learning_rate": RATE}
    least, files = material.file("least-tweets.pkl"), [material.file(f"tweets-{n}.pkl") for n in size.growing_tweets]
    sides = [_side(f"ours {file.stem}", OURS, file, least, 3, **flags) for file in files]
    return Growth(
        title=f"fine_tune.py: SmolLM2-135M, last {LAST} blocks, 3 epochs",
        unit="tweets",
        steps=tuple((_count(file), side) for file, side in zip(files, sides, strict=True)),
    )


def quality(size: Size, material: Material) -> Quality:
    """All tweets, all parameters, one epoch: a soup of two runs against TRL at its best learning rates."""
    model, data, least = (material.file(name) for name in ("smollm2", "tweets-whole.pkl", "least-tweets.pkl"))
    same = {"model": model, "batch_size": 16}
    return Quality(
        title=f"bits per byte on the test split within the time of TRL's SFTTrainer: {_count(data):,} tweets, "
        "SmolLM2-135M, all parameters, 1 epoch, batch 16",
        ours=_side("ours", OURS, data, least, 1, **same, model_soup=2, learning_rate=2e-4),
        theirs=tuple(_sft_as_shown(rate, data, least, **same) for rate in SFT_RATES[1:]),  # 2e-5: 1.91 bits per byte
        heldout=data,
        target=0.02,
    )


def _count(pickle: Path) -> int:
    return len(training_split(pickle))


def _sft_as_shown(rate: float, data: Path, least: Path, **flags: object) -> Side:
    name = f"TRL's SFTTrainer, learning rate {rate:g}"
    return _side(name, SFT, data, least, 1, needs=("trl",), **flags, learning_rate=rate)


def _side(
    name: str,
    script: tuple[object, ...],
    data: Path,
    least: Path,
    epochs: int,
    scale: float = 1.0,
    needs: tuple[str, ...] = (),
    **flags: object,
) -> Side:
    """Return a side that trains on a pickle; its start-up is one epoch of the least pickle."""
    output = Material(data.parent).runs / "".join(letter if letter.isalnum() else "-" for letter in name)

    def command(data: Path, epochs: int, output: Path) -> tuple[str, ...]:
        return words(*script, data=data, epochs=epochs, output_path=output, **flags)

    smallest = command(least, 1, output.with_name(f"{output.name}-least"))
    return Side(name, command(data, epochs, output), smallest, scale, output, needs)
