"""transformers' `pipeline` as its documentation shows it: one text after the other, in float32.

python -m benchmarks.speed.opponents.pipelines generate --model gpt2 --data prompts.txt --count 8 --new_tokens 40
python -m benchmarks.speed.opponents.pipelines classify --model models/reviews --data reviews.csv
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
    args = parser.parse_args()

    import torch
    from transformers import pipeline

    device = "cuda" if torch.cuda.is_available() else "cpu"
    if args.what == "generate":
        write = pipeline("text-generation", model=args.model, device=device)
        for prompt in args.data.read_text(encoding="utf-8").splitlines()[: args.count]:
            lengths = {"max_new_tokens": args.new_tokens, "min_new_tokens": args.new_tokens}
            print(write(prompt, do_sample=True, **lengths)[0]["generated_text"])
    else:
        classify = pipeline("text-classification", model=args.model, device=device)
        with args.data.open(encoding="utf-8", newline="") as file:
            texts = [row["text"] for row in csv.DictReader(file)]
        for prediction in classify(texts[: args.count], truncation=True):
            print(prediction["label"], prediction["score"])


if __name__ == "__main__":
    main()
