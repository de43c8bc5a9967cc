"""Rows of several trainings: a search, growing data, and the quality of models of several seeds."""

from benchmarks.speed.kinds import Against, Comparison, Growth, Quality
from benchmarks.speed.material import Material
from benchmarks.speed.measure import Side, words
from benchmarks.speed.sizes import Size
from benchmarks.speed.training_rows import LAST, RATE, RATE_OF_ALL
from benchmarks.speed.training_sides import (
    BATCH_SIZE,
    OPTUNA,
    OURS,
    SEPARATE_RUNS,
    SFT,
    SHOWN,
    count_of,
    side,
)

EPOCHS = 2
ONE_EVALUATION = {"save_steps": 100_000}  # at the end, as the opponents of a search have it
SFT_RATE = 2e-4  # the best for TRL (1e-4 is 0.004 bits per byte worse, 2e-5 0.1)
ADAPTERS = {"lora": 16, "learning_rate": 2e-3}  # the best for ours with two runs (docs/results.md, "LoRA")


def search(size: Size, material: Material) -> Comparison:
    """A search that shares its cache, against Optuna in one process and against as many separate runs."""
    data, runs = material.file("search-tweets.pkl"), material.runs
    same = {"data": data, "model": material.file("smollm2"), "unfreeze_last": LAST, "epochs": EPOCHS}
    ours = words(*OURS, **same, **ONE_EVALUATION, search=size.trials, output_path=runs / "ours")
    first = {"batch_size": BATCH_SIZE, "learning_rate": RATE_OF_ALL}  # of the trials, as fine_tune.py's defaults
    optuna = words(*OPTUNA, **same, **first, trials=size.trials, output_path=runs / "optuna")
    table, flags = runs / "ours" / "search.csv", same | {"prefix_cache": "off", "output_path": runs / "separate"}
    separate = words(*SEPARATE_RUNS, table, size.separate_runs, *OURS[1:], **flags, **ONE_EVALUATION)
    scale = size.trials / size.separate_runs
    return Comparison(
        title=f"search {size.trials} settings: {count_of(data):,} tweets, {SHOWN['smollm2']}, last {LAST} blocks, "
        f"{EPOCHS} epochs",
        ours=Side("ours", ours, model=runs / "ours"),
        against=(
            Against(Side("Optuna and Trainer in one process", optuna, model=runs / "optuna")),
            Against(Side("separate runs without the cache", separate, scale=scale), naive=True, target=4.0),
        ),
        judged_on=data,
    )


def growth(size: Size, material: Material) -> Growth:
    """fine_tune.py on 1×, 2×, 4×, 8× tweets."""
    flags = {"model": material.file("smollm2"), "unfreeze_last": LAST, "learning_rate": RATE} | ONE_EVALUATION
    least, files = material.file("least-tweets.pkl"), [material.file(f"tweets-{n}.pkl") for n in size.growing_tweets]
    sides = [side(f"ours {file.stem}", OURS, file, least, 3, **flags) for file in files]
    return Growth(
        title=f"fine_tune.py: {SHOWN['smollm2']}, last {LAST} blocks, 3 epochs",
        unit="tweets",
        steps=tuple((count_of(file), one) for file, one in zip(files, sides, strict=True)),
    )


def quality(size: Size, material: Material) -> Quality:
    """All tweets, all blocks, one epoch: two runs of ours with adapters, against one of TRL's with and without them."""
    data, least = material.file("tweets-whole.pkl"), material.file("least-tweets.pkl")
    same = {"model": material.file("smollm2"), "batch_size": BATCH_SIZE}

    def seeds(name: str, script: tuple[object, ...], needs: tuple[str, ...] = (), **flags: object) -> tuple[Side, ...]:
        flags |= same
        return tuple(side(name, script, data, least, 1, needs=needs, **flags, seed=seed) for seed in range(size.seeds))

    return Quality(
        title=f"{count_of(data):,} tweets, {SHOWN['smollm2']}, all blocks, 1 epoch",
        ours=seeds("ours, LoRA, two runs averaged", OURS, **ADAPTERS, model_soup=2),
        theirs=(
            seeds("TRL's SFTTrainer as documented", SFT, ("trl",), learning_rate=SFT_RATE),
            seeds("TRL's SFTTrainer, LoRA", SFT, ("trl",), **ADAPTERS),
        ),
        judged_on=data,
        target=0.02,
    )
