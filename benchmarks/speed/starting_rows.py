"""Rows about the first seconds: whole commands with minimal work, until their result."""

from benchmarks.speed.kinds import Against, Comparison
from benchmarks.speed.material import LEAST, Material
from benchmarks.speed.measure import Side, words
from benchmarks.speed.sizes import Size
from benchmarks.speed.training_sides import BATCH_SIZE, OURS, TRAINER, count_of
from benchmarks.speed.using_rows import BATCHED, ROW_BY_ROW

SHORTEST = ("-m", "benchmarks.speed.opponents.shortest")
TEXT, PROMPT, NEW_TOKENS = "The screen is clear and the battery lasts.", "I just", 20


def classify(size: Size, material: Material) -> Comparison:
    """Classify one text."""
    model = material.file("classifier")
    return Comparison(
        title="classify.py --text: one review",
        ours=Side("ours", words("classify.py", model_path=model, text=TEXT)),
        against=(Against(Side("a script with pipeline", words(*SHORTEST, "classify", model, TEXT))),),
        start=True,
    )


def generate(engine: str, needs: tuple[str, ...], size: Size, material: Material) -> Comparison:
    """Continue one prompt."""
    model = material.file("smollm2")
    chosen = {} if engine == "transformers" else {"engine": engine}
    lengths = {"max_new_tokens": NEW_TOKENS, "min_new_tokens": NEW_TOKENS}
    ours = words("generate.py", model_path=model, prompt=PROMPT, **lengths, **chosen)
    theirs = words(*SHORTEST, "generate", model, PROMPT, NEW_TOKENS)
    return Comparison(
        title=f"generate.py --prompt: {NEW_TOKENS} tokens, {engine}",
        ours=Side("ours", ours, needs=needs),
        against=(Against(Side("a script with pipeline", theirs)),),
        start=True,
    )


def train(size: Size, material: Material) -> Comparison:
    """Train until the first step is reported, with the default settings of each side and one log line per step."""
    data, runs = material.file("tweets.pkl"), material.runs
    same = {"data": data, "model": material.file("smollm2"), "batch_size": BATCH_SIZE, "epochs": 2, "logging_steps": 1}
    return Comparison(
        title=f"fine_tune.py: the first step on {count_of(data):,} tweets, all parameters",
        ours=Side("ours", words(*OURS, **same, output_path=runs / "ours"), until="step 1/"),
        against=(
            Against(
                Side("Trainer used well", words(*TRAINER, **same, output_path=runs / "trainer"), until="'grad_norm'")
            ),
        ),
        start=True,
    )


def evaluate(size: Size, material: Material) -> Comparison:
    """Evaluate on a few texts; the opponent knows the perplexity alone, and ours also writes a text."""
    model, data = material.file("smollm2"), material.file("least-tweets.pkl")
    flags = {"model_path": model, "data": data, "num_samples": 1, "max_new_tokens": NEW_TOKENS}
    flags["output_path"] = material.runs / "evaluation.json"
    return Comparison(
        title=f"evaluate_model.py: {LEAST} tweets and one sample of {NEW_TOKENS} tokens",
        ours=Side("ours", words("evaluate_model.py", **flags)),
        against=(Against(Side("a script for the perplexity alone", words(*SHORTEST, "perplexity", model, data))),),
        start=True,
    )


def preprocess(size: Size, material: Material) -> Comparison:
    """Preprocess a handful of tweets."""
    flags = {"model": material.file("smollm2")}
    data, runs = material.file(f"raw-{LEAST}.csv"), material.runs
    rows = words(*ROW_BY_ROW, data=data, **flags, output_path=runs / "rows.pkl")
    return Comparison(
        title=f"preprocess.py: {LEAST} tweets",
        ours=Side("ours", words("preprocess.py", data_path=data, **flags, output_path=runs / "preprocessed.pkl")),
        against=(
            Against(Side("a script with datasets", words(*BATCHED, data=data, **flags, output_path=runs / "batched"))),
            Against(Side("a script with pandas, emoji and clean-text", rows, needs=("cleantext",))),
        ),
        start=True,
    )
