"""Rows about our scripts beside other work on the same machine."""

from benchmarks.speed.kinds import Crowd
from benchmarks.speed.material import Material
from benchmarks.speed.measure import Side, words
from benchmarks.speed.sizes import Size
from benchmarks.speed.starting_rows import PROMPT
from benchmarks.speed.training_rows import LAST
from benchmarks.speed.training_sides import OURS

STEPS, NEW_TOKENS = 20, 60


def train(size: Size, material: Material) -> Crowd:
    """Train for a few steps."""
    flags = {"data": material.file("tweets.pkl"), "model": material.file("smollm2"), "unfreeze_last": LAST}
    flags |= {"max_steps": STEPS, "output_path": material.runs / "ours"}
    return Crowd(f"fine_tune.py: the last {LAST} blocks, {STEPS} steps", Side("ours", words(*OURS, **flags)))


def write(size: Size, material: Material) -> Crowd:
    """Continue one prompt."""
    flags = {"prompt": PROMPT, "max_new_tokens": NEW_TOKENS, "min_new_tokens": NEW_TOKENS}
    command = words("generate.py", model_path=material.file("smollm2"), **flags)
    return Crowd(f"generate.py: one text of {NEW_TOKENS} tokens", Side("ours", command))


def classify(size: Size, material: Material) -> Crowd:
    """Classify a table."""
    table = material.file(f"reviews-{size.pipeline_reviews}.csv")
    flags = {"data_path": table, "output_path": material.runs / "predictions.csv"}
    command = words("classify.py", model_path=material.file("classifier"), **flags)
    return Crowd(f"classify.py: {size.pipeline_reviews:,} reviews", Side("ours", command))


def preprocess(size: Size, material: Material) -> Crowd:
    """Preprocess a table."""
    flags = {"model": material.file("smollm2"), "output_path": material.runs / "preprocessed.pkl"}
    command = words("preprocess.py", data_path=material.file(f"raw-{size.row_by_row_tweets}.csv"), **flags)
    return Crowd(f"preprocess.py: {size.row_by_row_tweets:,} tweets", Side("ours", command))
