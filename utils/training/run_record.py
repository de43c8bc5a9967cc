"""The recipe that travels with a model: run.json."""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from utils.distributed import world_size
from utils.inference.emoji_memory import memory_entries

if TYPE_CHECKING:
    from utils.processed import Processed
    from utils.training.trainer import TrainingOutcome

TASKS_OWN = ("label_map", "lengths", "multi_turn", "target", "split_by", "targets")  # what some tasks' recipes have
LIBRARIES = ("torch", "transformers", "accelerate", "tokenizers", "datasets")


def build_run_record(
    data: "Processed",
    data_sha256: str,
    base_model: str,
    arguments: dict,
    parameters: tuple[int, int],
    outcome: "TrainingOutcome",
    precision: str,
    device: str,
) -> dict:
    """run.json: what the model is for, what it was made of, how, and how well it did. Plain JSON values."""
    trainable, total = parameters
    return {
        "task": data.recipe["task"],
        "kind": data.recipe["kind"],
        "template": data.recipe["template"],
        "labels": data.recipe["labels"],
        **{name: data.recipe[name] for name in TASKS_OWN if name in data.recipe},
        **({"descriptions": memory_entries(data.splits["train"])} if data.recipe["kind"] == "emoji" else {}),
        "cleaning": data.recipe["cleaning"],
        "base_model": base_model,
        "arguments": {name: str(value) if isinstance(value, Path) else value for name, value in arguments.items()},
        "data": {
            "sha256": data_sha256,
            "sources": data.sources,
            "rows": {name: len(split) for name, split in data.splits.items()},
        },
        "trainable_parameters": trainable,
        "total_parameters": total,
        "seed": arguments["seed"],
        "device": device,
        "precision": precision,
        "processes": world_size(),
        "versions": {name: version(name) for name in LIBRARIES},
        "results": {
            f"validation_{outcome.metric}_before": outcome.before,
            f"validation_{outcome.metric}_after": outcome.after,
            "epochs": outcome.epochs,
            "steps": outcome.steps,
            "train_seconds": round(outcome.seconds, 1),
        },
    }
