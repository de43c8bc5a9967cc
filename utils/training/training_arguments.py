"""The settings of a training as Hugging Face's Trainer takes them."""

from pathlib import Path

from transformers import TrainingArguments

from utils.training.flags import TrainingSettings
from utils.training.objectives import Objective

SAME_NAME = (  # settings that Trainer has too
    *("gradient_accumulation_steps", "learning_rate", "warmup_steps", "weight_decay", "max_grad_norm", "seed"),
    "lr_scheduler_type",
    *("activation_checkpointing", "logging_steps"),
)
UNLIMITED_EPOCHS = 10**6  # where the time ends the training


def training_arguments(
    settings: TrainingSettings, objective: Objective, folder: Path, *, validates: bool, eval_on_start: bool, saves: bool
) -> TrainingArguments:
    """Return Trainer's arguments. Without `saves`, nothing is written into `folder`."""
    when = "steps" if settings.save_steps else "epoch"
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=UNLIMITED_EPOCHS if settings.epochs is None else settings.epochs,
        max_steps=settings.max_steps or -1,
        per_device_train_batch_size=settings.batch_size,
        optim="adamw_torch_fused",
        bf16=settings.precision == "bf16",
        fp16=settings.precision == "fp16",
        use_cpu=settings.device == "cpu",
        ddp_find_unused_parameters=False,  # there are none
        eval_strategy=when if validates else "no",
        eval_steps=settings.save_steps,
        eval_on_start=validates and eval_on_start,
        save_strategy=when if saves else "no",
        save_steps=settings.save_steps or 500,
        load_best_model_at_end=validates and saves,
        restore_callback_states_from_checkpoint=True,  # how long early stopping has waited
        metric_for_best_model=f"eval_{objective.metric}",
        greater_is_better=objective.greater_is_better,
        logging_nan_inf_filter=False,
        include_num_input_tokens_seen="non_padding",
        remove_unused_columns=False,
        dataloader_pin_memory=settings.device != "cpu",
        disable_tqdm=True,
        report_to="none",  # see `reporters`
        run_name=settings.output_path.stem,
        **{name: getattr(settings, name) for name in SAME_NAME},
    )
    # One process uses one GPU. Of several, Trainer would take all, with DataParallel: batches so many times as large,
    # on copies of the model that do not share what `forward_context` replaces.
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments
