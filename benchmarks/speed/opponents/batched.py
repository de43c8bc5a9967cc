"""Preprocessing used well: `datasets` cleans and tokenizes in batches, in a process for each core.

python -m benchmarks.speed.opponents.batched --data tweets.csv --model gpt2 --output_path tweets-folder
"""

import re

from benchmarks.speed.crowd import cores
from benchmarks.speed.opponents.common import preprocessing_parser

LINK = re.compile(r"https?://\S+|www\.\S+")
SPACES = re.compile(r"\s+")


def main() -> None:
    """Remove emoji, links, repeated spaces and exact duplicates, and tokenize; near duplicates stay."""
    args = preprocessing_parser(__doc__).parse_args()

    import emoji
    import pandas
    from datasets import Dataset
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(args.model, trust_remote_code=False)

    def process(batch: dict) -> dict:
        texts = [SPACES.sub(" ", LINK.sub("", emoji.replace_emoji(text, ""))).strip() for text in batch["text"]]
        return {"text": texts, "input_ids": tokenizer(texts)["input_ids"]}

    table = pandas.read_csv(args.data, dtype=str).drop_duplicates("text")
    rows = Dataset.from_pandas(table[["text"]], preserve_index=False)
    # A process takes longer to start than a few texts take.
    processes = cores() if len(rows) > 1_000 else None
    rows.map(process, batched=True, num_proc=processes).save_to_disk(args.output_path)


if __name__ == "__main__":
    main()
