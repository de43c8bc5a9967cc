"""The recipe of many notebooks: all texts padded to one width, float32, the last blocks and the tied head trained.

python -m benchmarks.speed.opponents.notebook --data data/processed.pkl --model gpt2 --epochs 1 --unfreeze_last 2 \
    --pad_to 128 --output_path models/notebook
"""

from benchmarks.speed.opponents.common import open_training, save, training_parser


def main() -> None:
    """Train in a plain loop over padded batches."""
    parser = training_parser(__doc__)
    parser.add_argument("--pad_to", type=int, required=True, help="tokens")
    args = parser.parse_args()

    import torch
    from torch.utils.data import DataLoader, TensorDataset

    from utils.compute.batching import IGNORED, pad_rows
    from utils.models.tokenization import padding_id

    opened = open_training(args)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = opened.model.to(device)
    model.get_output_embeddings().requires_grad_(True)  # and the input embedding, which is the same matrix
    rows = [{"input_ids": row["input_ids"][: args.pad_to]} for row in opened.rows]
    widest = {"input_ids": [0] * args.pad_to}  # an extra row sets the width
    padded = pad_rows([*rows, widest], padding_id(opened.tokenizer))
    inputs, mask = padded["input_ids"][:-1], padded["attention_mask"][:-1]
    batches = DataLoader(TensorDataset(inputs, mask), batch_size=args.batch_size, shuffle=True)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=args.learning_rate)
    model.train()
    for _ in range(args.epochs):
        for input_ids, attention_mask in batches:
            labels = input_ids.masked_fill(attention_mask == 0, IGNORED).to(device)
            outputs = model(input_ids=input_ids.to(device), attention_mask=attention_mask.to(device), labels=labels)
            optimizer.zero_grad()
            outputs.loss.backward()
            optimizer.step()
    save(opened, args.output_path)


if __name__ == "__main__":
    main()
