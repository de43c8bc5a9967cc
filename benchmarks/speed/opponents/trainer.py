"""Hugging Face's Trainer, well tuned: bfloat16, length-grouped batches, dynamic padding, fused AdamW.

python -m benchmarks.speed.opponents.trainer --data data/processed.pkl --model gpt2 --epochs 10 --unfreeze_last 2 \
    --output_path models/trainer
"""

from functools import partial

from benchmarks.speed.opponents.common import SEED, open_training, save, training_parser


def main() -> None:
    """Train with our settings, but without evaluating and saving during training."""
    args = training_parser(__doc__).parse_args()

    import torch
    from transformers import Trainer, TrainingArguments

    from utils.compute.batching import collate_labeled, collate_texts
    from utils.models.tokenization import padding_id

    opened = open_training(args)
    trainer = Trainer(
        model=opened.model,
        args=TrainingArguments(
            output_dir=str(args.output_path),
            use_cpu=not torch.cuda.is_available(),  # bfloat16 on a CPU needs it
            num_train_epochs=args.epochs,
            per_device_train_batch_size=args.batch_size,
            learning_rate=args.learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=0.06,
            weight_decay=0.01,
            bf16=True,
            optim="adamw_torch_fused",
            train_sampling_strategy="group_by_length",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            seed=SEED,
        ),
        train_dataset=opened.rows,
        data_collator=partial(
            collate_labeled if opened.classifies else collate_texts, pad_id=padding_id(opened.tokenizer)
        ),
    )
    trainer.train()
    save(opened, args.output_path)


if __name__ == "__main__":
    main()
