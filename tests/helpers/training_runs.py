"""Settings and texts that the tests of training share, and runs that end early."""

import signal

import torch
from small_models import processed_data, tiny_tokenizer

from utils.training.flags import TrainingSettings
from utils.training.rows import training_rows

SETTINGS = TrainingSettings(
    num_train_epochs=1,
    max_steps=-1,
    per_device_train_batch_size=4,
    gradient_accumulation_steps=1,
    activation_checkpointing=False,
    learning_rate=0.01,
    weight_decay=0.0,
    warmup_steps=0,
    max_grad_norm=1.0,
    early_stopping_patience=0,
    save_steps=0,
    save_total_limit=2,
    logging_steps=1,
    precision="fp32",
    device="cpu",
    seed=42,
    average_runs=1,
    report_to=[],
    tensorboard_folder=None,
    run_name="test",
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
    return training_rows(processed_data(train=texts), tiny_tokenizer(), max_length, ["train"])["train"]


def logged(outcome, name):
    return [entry[name] for entry in outcome.history if name in entry]


def interrupted(model, *steps):
    """The model, whose given training steps send Ctrl-C in their midst."""
    taken = 0

    def count(module, inputs):
        nonlocal taken
        if torch.is_grad_enabled():  # no evaluation
            taken += 1
            if taken in steps:
                signal.raise_signal(signal.SIGINT)

    model.register_forward_pre_hook(count)
    return model
