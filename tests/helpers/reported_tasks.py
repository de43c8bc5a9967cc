"""The four tasks, for reports: the sample, flags of preprocess.py, and those of evaluate_model.py."""

TASKS = {
    "tweets": ("tweets.csv", [], ["--compare_base", "--num_samples", 4, "--max_new_tokens", 10]),
    "reviews": ("reviews.csv", [], []),
    "alpaca": ("instructions.jsonl", [], ["--compare_base", "--limit", 4, "--max_new_tokens", 8]),
    "emoji": ("emoji.csv", ["--aliases", "en", "--split_by", "description"], ["--limit", 12]),
}
