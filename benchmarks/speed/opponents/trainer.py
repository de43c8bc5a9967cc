"""Hugging Face's Trainer, well tuned: length-grouped batches, dynamic padding, fused AdamW, bfloat16 if in hardware.

python -m benchmarks.speed.opponents.trainer --data data/processed.pkl --model gpt2 --epochs 10 --unfreeze_last 2 \
    --output_path models/trainer
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.speed.opponents.common import (
    Opened,
    best_epoch_settings,
    open_training,
    save,
    training_parser,
)

if TYPE_CHECKING:
    from transformers import Trainer


def main() -> None:
    """Train with our settings."""
    parser = training_parser(__doc__)
    parser.add_argument("--keep_best", action="store_true", help="validate and save after each epoch")
    parser.add_argument("--logging_steps", type=int, default=500, help="default: %(default)s, as Trainer has it")
    args = parser.parse_args()
    opened = open_training(args)
    kept = best_epoch_settings(args.batch_size) if args.keep_best else {}
    trainer = well_tuned(
        opened,
        args.output_path,
        num_train_epochs=args.epochs,
        per_device_train_batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        seed=args.seed,
        logging_steps=args.logging_steps,
        **kept,
    )
    trainer.train()
    save(opened, args.output_path)


def well_tuned(opened: Opened, output_path: Path, **settings: object) -> "Trainer":
    """Return a Trainer with these arguments on top of those that make it fast; it saves nothing unless they say so."""
    import torch
    from transformers import Trainer, TrainingArguments

    from utils.compute.batching import collate_labeled, collate_texts
    from utils.compute.device import choose_device, choose_precision
    from utils.models.tokenization import padding_id

    fast = {
        "use_cpu": not torch.cuda.is_available(),  # bfloat16 on a CPU needs it
        "lr_scheduler_type": "linear",
        "warmup_steps": 0.06,
        "weight_decay": 0.01,
        "bf16": choose_precision("auto", choose_device("auto")) == "bf16",  # emulated, it is ten times slower
        "optim": "adamw_torch_fused",
        "train_sampling_strategy": "group_by_length",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
    }
    collate = collate_labeled if opened.classifies else collate_texts
    return Trainer(
        model=opened.model,
        args=TrainingArguments(output_dir=str(output_path), **fast | settings),
        train_dataset=opened.rows,
        eval_dataset=opened.validation_rows,
        data_collator=partial(collate, pad_id=padding_id(opened.tokenizer)),
    )


if __name__ == "__main__":
    main()
