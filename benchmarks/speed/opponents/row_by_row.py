"""Preprocessing as most notebooks do it: for each row of a table, clean the text with libraries, then tokenize it.

python -m benchmarks.speed.opponents.row_by_row --data tweets.csv --model gpt2 --output_path tweets.pkl
"""

import argparse
import pickle
from pathlib import Path


def main() -> None:
    """Remove emoji, then apply clean-text, then the tokenizer, row by row; near duplicates stay."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--output_path", type=Path, required=True)
    args = parser.parse_args()

    import emoji
    import pandas
    from cleantext import clean
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(args.model, trust_remote_code=False)
    rows = []
    for text in pandas.read_csv(args.data)["text"].astype(str):
        text = emoji.replace_emoji(text, "")
        text = clean(text, to_ascii=False, lower=False, no_urls=True, replace_with_url="")
        if text:
            rows.append({"text": text, "input_ids": tokenizer(text)["input_ids"]})
    with args.output_path.open("wb") as file:
        pickle.dump(rows, file)


if __name__ == "__main__":
    main()
