"""transformers' `pipeline` as its documentation shows it, one text after the other in float32, or used well.

python -m benchmarks.speed.opponents.pipelines generate --model gpt2 --data prompts.txt --count 8 --new_tokens 40
python -m benchmarks.speed.opponents.pipelines classify --model models/reviews --data reviews.csv
python -m benchmarks.speed.opponents.pipelines classify --model models/reviews --data reviews.csv --batch_size 32 \
    --bfloat16
"""

import argparse
import csv
from pathlib import Path


def main() -> None:
    """Generate or classify texts, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("generate", "classify"))
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=Path, required=True, help="one prompt per line, or a table with a column text")
    parser.add_argument("--count", type=int, help="the first lines only")
    parser.add_argument("--new_tokens", type=int, default=40)
    parser.add_argument("--batch_size", type=int, default=1, help="texts to classify are then sorted by length")
    parser.add_argument("--bfloat16", action="store_true")
    args = parser.parse_args()

    import torch
    from transformers import pipeline

    device = "cuda" if torch.cuda.is_available() else "cpu"
    settings = {"model": args.model, "device": device, "dtype": torch.bfloat16 if args.bfloat16 else "auto"}
    if args.what == "generate":
        generate(pipeline("text-generation", **settings), args)
    else:
        classify(pipeline("text-classification", **settings), args)


def generate(pipe, args: argparse.Namespace) -> None:
    """Continue every prompt by so many tokens."""
    prompts = args.data.read_text(encoding="utf-8").splitlines()[: args.count]
    options = {"max_new_tokens": args.new_tokens, "min_new_tokens": args.new_tokens, "do_sample": True}
    if args.batch_size == 1:
        for prompt in prompts:
            print(pipe(prompt, **options)[0]["generated_text"])
        return
    pipe.tokenizer.padding_side = "left"
    pipe.tokenizer.pad_token = pipe.tokenizer.pad_token or pipe.tokenizer.eos_token
    for [answer] in pipe(prompts, batch_size=args.batch_size, **options):
        print(answer["generated_text"])


def classify(pipe, args: argparse.Namespace) -> None:
    """Print the label and the score of every text, in their order."""
    with args.data.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)][: args.count]
    order = list(range(len(texts)))
    if args.batch_size > 1:
        order.sort(key=lambda number: len(texts[number]))
    found = pipe([texts[number] for number in order], truncation=True, batch_size=args.batch_size)
    for _, prediction in sorted(zip(order, found, strict=True), key=lambda pair: pair[0]):
        print(prediction["label"], prediction["score"])


if __name__ == "__main__":
    main()
