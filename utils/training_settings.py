"""What decides a training run, as the flags of fine_tune.py give it."""

import importlib.util
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from utils.errors import UsageError


@dataclass(frozen=True)
class Settings:
    """The names are TrainingArguments' own where it has them."""

    num_train_epochs: float
    max_steps: int  # -1: as many as the epochs take
    per_device_train_batch_size: int
    gradient_accumulation_steps: int
    learning_rate: float
    weight_decay: float
    warmup_steps: float  # below 1: a share of all steps
    max_grad_norm: float
    early_stopping_patience: int  # evaluations without improvement; 0: never stop early
    activation_checkpointing: bool
    save_steps: int  # 0: evaluate and save after every epoch
    save_total_limit: int
    logging_steps: int
    precision: str  # fp32, bf16 or fp16
    device: str  # cpu or cuda
    seed: int
    average_runs: int
    report_to: list[str]
    tensorboard_folder: Path  # unless TENSORBOARD_LOGGING_DIR names another
    run_name: str


def settings_from(flags: Namespace, precision: str, device: str) -> Settings:
    """The settings that the flags ask for."""
    return Settings(
        num_train_epochs=flags.epochs,
        max_steps=flags.max_steps or -1,
        per_device_train_batch_size=flags.batch_size,
        gradient_accumulation_steps=flags.gradient_accumulation_steps,
        learning_rate=flags.learning_rate,
        weight_decay=flags.weight_decay,
        warmup_steps=flags.warmup_steps,
        max_grad_norm=flags.max_grad_norm,
        early_stopping_patience=flags.early_stopping_patience,
        activation_checkpointing=flags.activation_checkpointing,
        save_steps=flags.save_steps or 0,
        save_total_limit=flags.save_total_limit,
        logging_steps=flags.logging_steps,
        precision=precision,
        device=device,
        seed=flags.seed,
        average_runs=flags.average_runs,
        report_to=flags.report_to,
        tensorboard_folder=flags.output_path.parent / f"{flags.output_path.name.removesuffix('.pt')}.tensorboard",
        run_name=flags.output_path.stem,
    )


def check_reporters(names: list[str]) -> None:
    """Refuse a --report_to whose package is not installed, before any work."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise UsageError(f"--report_to {name}, but {name} is not installed", f"install it: pip install {name}")
