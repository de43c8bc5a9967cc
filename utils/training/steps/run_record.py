"""The recipe that travels with a model: run.json."""

from importlib.metadata import version
from pathlib import Path

from transformers import PreTrainedModel

from utils.distributed import world_size
from utils.inference.emoji_memory import memory_entries
from utils.processed import Processed
from utils.training.freezing import count_parameters
from utils.training.train import TrainingOutcome

RECIPE_FIELDS_OF_SOME_TASKS = ("label_map", "lengths", "multi_turn", "target", "split_by", "targets")
LIBRARIES = ("torch", "transformers", "accelerate", "tokenizers", "datasets")


def build_run_record(
    data: Processed,
    data_sha256: str,
    base_model: str,
    flags: dict,
    model: PreTrainedModel,
    outcome: TrainingOutcome,
    precision: str,
    device: str,
) -> dict:
    """Return run.json's content: the model's task, recipe and results, as plain JSON values."""
    trainable, total = count_parameters(model)
    return {
        "task": data.recipe["task"],
        "kind": data.recipe["kind"],
        "template": data.recipe["template"],
        "labels": data.recipe["labels"],
        **{name: data.recipe[name] for name in RECIPE_FIELDS_OF_SOME_TASKS if name in data.recipe},
        **({"descriptions": memory_entries(data.splits["train"])} if data.recipe["kind"] == "emoji" else {}),
        "cleaning": data.recipe["cleaning"],
        "base_model": base_model,
        "arguments": {name: str(value) if isinstance(value, Path) else value for name, value in flags.items()},
        "data": {
            "sha256": data_sha256,
            "sources": data.sources,
            "rows": {name: len(split) for name, split in data.splits.items()},
        },
        "trainable_parameters": trainable,
        "total_parameters": total,
        "seed": flags["seed"],
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
