"""TRL's SFTTrainer as its documentation shows it, or with packing, only the last blocks, or LoRA.

python -m benchmarks.speed.opponents.sft --data data/processed.pkl --model gpt2 --epochs 1 --output_path models/sft
"""

from dataclasses import replace

from benchmarks.speed.opponents.common import best_epoch_settings, open_training, save, training_parser


def main() -> None:
    """Train with TRL's own defaults (bfloat16 is one) except the flags given."""
    parser = training_parser(__doc__)
    parser.add_argument("--pack_to", type=int, metavar="TOKENS", help="pack texts into rows of this many tokens")
    parser.add_argument("--no_checkpointing", action="store_true", help="keep activations, which TRL recomputes")
    parser.add_argument("--keep_best", action="store_true", help="validate and save after each epoch")
    parser.add_argument("--lora", type=int, metavar="RANK", help="train adapters of all layers, with twice the alpha")
    args = parser.parse_args()

    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    opened = open_training(args)
    packing = {"packing": True, "max_length": args.pack_to} if args.pack_to else {}
    kept = best_epoch_settings(args.batch_size) if args.keep_best else {"save_strategy": "no"}
    adapters = LoraConfig(r=args.lora, lora_alpha=2 * args.lora, target_modules="all-linear") if args.lora else None
    train, validation = (
        Dataset.from_dict({"input_ids": [list(row["input_ids"]) for row in rows]})
        for rows in (opened.rows, opened.validation_rows)
    )
    trainer = SFTTrainer(
        model=opened.model,
        args=SFTConfig(
            output_dir=str(args.output_path),
            use_cpu=not torch.cuda.is_available(),  # bfloat16 on a CPU needs it
            num_train_epochs=args.epochs,
            per_device_train_batch_size=args.batch_size,
            learning_rate=args.learning_rate,
            activation_checkpointing=not args.no_checkpointing,
            report_to="none",
            disable_tqdm=True,
            seed=args.seed,
            **packing,
            **kept,
        ),
        train_dataset=train,
        eval_dataset=validation if args.keep_best else None,
        processing_class=opened.tokenizer,
        peft_config=adapters,
    )
    trainer.train()
    model = trainer.model.merge_and_unload() if adapters else opened.model
    save(replace(opened, model=model), args.output_path)


if __name__ == "__main__":
    main()
