"""The commands of rows about training: fine_tune.py and its opponents, on the same pickle with the same settings."""

from pathlib import Path

from benchmarks.speed.material import Material, training_split
from benchmarks.speed.measure import Side, words

OURS = ("fine_tune.py", "--overwrite")
LOOP, TRAINER, SFT, OPTUNA, SEPARATE_RUNS = (
    ("-m", f"benchmarks.speed.opponents.{name}")
    for name in ("loop", "trainer", "sft", "optuna_search", "separate_runs")
)
BATCH_SIZE = 16
PACKED_TOKENS = 512  # in the one row of a batch: as many as the other contenders have in batches of 16
LAST_MODEL = {"eval_strategy": "no"}  # of fine_tune.py: as its opponents do, it keeps what the last step left
SHOWN = {"smollm2": "SmolLM2-135M", "gpt2-shape": "GPT-2's shape with random weights"}


def count_of(pickle: Path) -> int:
    """Return the number of texts to train on."""
    return len(training_split(pickle))


def side(
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


def packed_sft(data: Path, least: Path, epochs: int, **flags: object) -> Side:
    """Return TRL's SFTTrainer at its fastest."""
    fastest = {"batch_size": 1, "pack_to": PACKED_TOKENS, "no_checkpointing": True}
    return side("TRL's SFTTrainer, packed", SFT, data, least, epochs, needs=("trl",), **flags | fastest)


def shown_sft(rate: float, data: Path, least: Path, epochs: int, scale: float, **flags: object) -> Side:
    """Return TRL's SFTTrainer as its documentation shows it."""
    name = f"TRL's SFTTrainer as documented, learning rate {rate:g}"
    return side(name, SFT, data, least, epochs, scale, needs=("trl",), **flags, learning_rate=rate)
