"""Settings and rows that the tests of training share, and a model that interrupts its training."""

import signal
from dataclasses import replace
from pathlib import Path

import torch
from small_models import END, processed_data, tiny_tokenizer

from utils.models.checkpoint import Trained
from utils.training.flags import TrainingSettings
from utils.training.objectives import language_modeling
from utils.training.rows import training_rows
from utils.training.train import TrainingOutcome, train

SETTINGS = TrainingSettings(
    epochs=1,
    max_steps=None,
    batch_size=4,
    gradient_accumulation_steps=1,
    learning_rate=0.01,
    weight_decay=0.0,
    lr_scheduler_type="linear",
    warmup_steps=0,
    max_grad_norm=1.0,
    early_stopping_patience=0,
    activation_checkpointing=False,
    model_soup=1,
    seed=42,
    precision="fp32",
    device="cpu",
    save_steps=None,
    save_total_limit=2,
    logging_steps=1,
    report_to=[],
    output_path=Path("test"),
)
TEXTS = [
    "Short",
    "A much longer text than the others, so that it needs no padding",
    "Été à Montréal ☀",
    "x",
    "Coffee first, then courage",
    "two words",
    "Rain again, and the bus is late",
    "Why does my cat hate Mondays?",
    "ok",
    "The best soup is the one somebody else makes",
    "12 monkeys",
    "Good night, moon",
]
VALIDATION = ["Tea first", "A cat, a bus and rain", "ça va ?", "Monday, again"]


def rows_of(texts: list[str], max_length: int = 128) -> list[dict]:
    """Return the texts as training rows of `tiny`."""
    return training_rows(processed_data(train=texts), tiny_tokenizer(), max_length, ["train"])["train"]


def run_training(
    model, train_rows, validation_rows, state_folder, resume=False, time_limit=None, **changes
) -> TrainingOutcome:
    """Train the model to write, with SETTINGS but for these changes."""
    trained = Trained(model, tiny_tokenizer(), {})
    objective = language_modeling(trained, [[END]] * 2, short_at_start=time_limit is None)
    settings, options = replace(SETTINGS, **changes), {"time_limit": time_limit}
    return train(model, objective, train_rows, validation_rows, settings, state_folder, resume, **options)


def logged(outcome, name: str) -> list:
    """Return what the run logged under this name, in the order of its steps."""
    return [entry[name] for entry in outcome.history if name in entry]


def interrupted(model, *steps):
    """Make the model send Ctrl-C within the given training steps, counted from 1, and return it."""
    taken = 0

    def count(module, inputs):
        nonlocal taken
        if torch.is_grad_enabled():  # no evaluation
            taken += 1
            if taken in steps:
                signal.raise_signal(signal.SIGINT)

    model.register_forward_pre_hook(count)
    return model
