"""A plain PyTorch loop that trains the last blocks, as in many notebooks, or with the usual optimizations.

python -m benchmarks.speed.opponents.loop --data data/processed.pkl --model gpt2 --epochs 1 --unfreeze_last 2 \
    --pad_to 128 --train_head --output_path models/notebook
python -m benchmarks.speed.opponents.loop --data data/processed.pkl --model gpt2 --epochs 1 --unfreeze_last 2 \
    --bfloat16 --output_path models/loop
"""

from benchmarks.speed.opponents.common import open_training, save, training_parser


def main() -> None:
    """Train over padded batches."""
    parser = training_parser(__doc__)
    parser.add_argument("--pad_to", type=int, help="tokens (default: as many as the longest text of each batch)")
    parser.add_argument("--train_head", action="store_true", help="and with it the embedding, which is the same matrix")
    parser.add_argument("--bfloat16", action="store_true", help="in matrix products")
    args = parser.parse_args()

    import torch
    from torch.utils.data import DataLoader

    from utils.compute.batching import IGNORED, pad_rows
    from utils.models.tokenization import padding_id

    opened = open_training(args)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = opened.model.to(device)
    if args.train_head:
        model.get_output_embeddings().requires_grad_(True)
    pad_id = padding_id(opened.tokenizer)

    def collate(rows: list[dict]) -> dict[str, torch.Tensor]:
        texts = [{"input_ids": row["input_ids"][: args.pad_to]} for row in rows]
        widest = {"input_ids": [0] * (args.pad_to or 0)}  # an extra row sets the width
        padded = {name: values[:-1] for name, values in pad_rows([*texts, widest], pad_id).items()}
        labels = padded["input_ids"].masked_fill(padded["attention_mask"] == 0, IGNORED)
        return {name: values.to(device) for name, values in {**padded, "labels": labels}.items()}

    batches = DataLoader(opened.rows, batch_size=args.batch_size, shuffle=True, collate_fn=collate)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=args.learning_rate)
    model.train()
    for _ in range(args.epochs):
        for batch in batches:
            with torch.autocast(device, torch.bfloat16, enabled=args.bfloat16):
                loss = model(**batch).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    save(opened, args.output_path)


if __name__ == "__main__":
    main()
