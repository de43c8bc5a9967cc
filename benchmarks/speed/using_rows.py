"""Rows about everything except training: generating, classifying, preprocessing."""

from pathlib import Path

from benchmarks.speed.kinds import Against, Comparison, Growth
from benchmarks.speed.material import LEAST, Material
from benchmarks.speed.measure import Side, words
from benchmarks.speed.sizes import Size

PIPELINES, ROW_BY_ROW = ("-m", "benchmarks.speed.opponents.pipelines"), ("-m", "benchmarks.speed.opponents.row_by_row")


def generate(engine: str, target: float, needs: tuple[str, ...], size: Size, material: Material) -> Comparison:
    """Generate the same number of tokens for every prompt; the least command generates one text."""
    model, prompts, one = (material.file(name) for name in ("smollm2", "prompts.txt", "least-prompts.txt"))
    lengths = {"max_new_tokens": size.new_tokens, "min_new_tokens": size.new_tokens}
    chosen = {} if engine == "transformers" else {"engine": engine}
    ours = [words("generate.py", model_path=model, prompts_file=file, **lengths, **chosen) for file in (prompts, one)]
    theirs = [
        words(*PIPELINES, "generate", model=model, data=prompts, new_tokens=size.new_tokens, count=count)
        for count in (size.pipeline_texts, 1)
    ]
    scale = (size.texts - 1) / (size.pipeline_texts - 1)  # one text is in the least command
    return Comparison(
        title=f"generate {size.texts} texts of {size.new_tokens} tokens, SmolLM2-135M, {engine}",
        ours=Side("ours", *ours, needs=needs),
        against=(Against(Side("one prompt at a time through pipeline", *theirs, scale=scale), target),),
    )


def classify(size: Size, material: Material) -> Comparison:
    """Classify a table of reviews; the least command classifies one."""
    model = material.file("classifier")
    tables = {
        count: material.file(f"reviews-{count}.csv") for count in (size.classified_reviews, size.pipeline_reviews, 1)
    }
    output = material.runs / "predictions.csv"
    ours = [
        words("classify.py", model_path=model, data_path=tables[count], output_path=output)
        for count in (size.classified_reviews, 1)
    ]
    theirs = [words(*PIPELINES, "classify", model=model, data=tables[count]) for count in (size.pipeline_reviews, 1)]
    scale = (size.classified_reviews - 1) / (size.pipeline_reviews - 1)
    return Comparison(
        title=f"classify {size.classified_reviews:,} reviews, SmolLM2-135M",
        ours=Side("ours", *ours),
        against=(Against(Side('pipeline("text-classification")', *theirs, scale=scale), 6.0),),
    )


def preprocess(size: Size, material: Material) -> Comparison:
    """Preprocess tweets; only our side removes near duplicates."""
    least = material.file(f"raw-{LEAST}.csv")
    some, output = material.file(f"raw-{size.row_by_row_tweets}.csv"), material.runs / "row-by-row.pkl"
    theirs = [
        words(*ROW_BY_ROW, data=file, model=material.file("smollm2"), output_path=output) for file in (some, least)
    ]
    scale = (size.raw_tweets - LEAST) / (size.row_by_row_tweets - LEAST)
    return Comparison(
        title=f"preprocess {size.raw_tweets:,} tweets, including tokenization and near duplicates",
        ours=_preprocessing(size.raw_tweets, material),
        against=(
            Against(Side("row by row: emoji, clean-text, tokenizer", *theirs, scale=scale, needs=("cleantext",)), 10.0),
        ),
    )


def growth(size: Size, material: Material) -> Growth:
    """preprocess.py on 1×, 2×, 4×, 8× tweets."""
    steps = tuple((count, _preprocessing(count, material)) for count in size.growing_raw_tweets)
    return Growth(title="preprocess.py, including tokenization and near duplicates", unit="tweets", steps=steps)


def _preprocessing(count: int, material: Material) -> Side:
    model, output = material.file("smollm2"), material.runs / "preprocessed.pkl"

    def command(file: Path) -> tuple[str, ...]:
        return words("preprocess.py", data_path=file, model=model, output_path=output)

    return Side("ours", *(command(material.file(f"raw-{rows}.csv")) for rows in (count, LEAST)))
