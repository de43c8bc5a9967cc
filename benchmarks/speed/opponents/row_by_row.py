"""Preprocessing as most notebooks do it: for each row of a table, clean the text with libraries, then tokenize it.

python -m benchmarks.speed.opponents.row_by_row --data tweets.csv --model gpt2 --output_path tweets.pkl
"""

import pickle

from benchmarks.speed.opponents.common import preprocessing_parser


def main() -> None:
    """Remove emoji, then apply clean-text, then the tokenizer, row by row; near duplicates stay."""
    args = preprocessing_parser(__doc__).parse_args()

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
