"""Rows about everything except training: generating, classifying, preprocessing."""

from pathlib import Path

from benchmarks.speed.kinds import Against, Comparison, Growth
from benchmarks.speed.material import LEAST, Material
from benchmarks.speed.measure import Side, words
from benchmarks.speed.sizes import Size

PIPELINES, ROW_BY_ROW, BATCHED = (
    ("-m", f"benchmarks.speed.opponents.{name}") for name in ("pipelines", "row_by_row", "batched")
)
BATCHES = {"batch_size": 32}


def generate(
    how: str, flags: dict[str, str], target: float, needs: tuple[str, ...], size: Size, material: Material
) -> Comparison:
    """Generate the same number of tokens for every prompt; the least command generates one text."""
    model, prompts, one = (material.file(name) for name in ("smollm2", "prompts.txt", "least-prompts.txt"))
    lengths = {"max_new_tokens": size.new_tokens, "min_new_tokens": size.new_tokens}
    ours = [words("generate.py", model_path=model, prompts_file=file, **lengths, **flags) for file in (prompts, one)]

    def pipeline(name: str, count: int, **flags: object) -> Side:
        commands = [
            words(*PIPELINES, "generate", model=model, data=prompts, new_tokens=size.new_tokens, count=many, **flags)
            for many in (count, 1)
        ]
        return Side(name, *commands, scale=(size.texts - 1) / (count - 1))  # one text is in the least command

    return Comparison(
        title=f"generate {size.texts} texts of {size.new_tokens} tokens, SmolLM2-135M, {how}",
        ours=Side("ours", *ours, needs=needs),
        against=(
            Against(pipeline("pipeline in batches of 32", size.texts, **BATCHES)),
            Against(pipeline("pipeline in batches of 32, bfloat16", size.texts, **BATCHES, bfloat16=True)),
            Against(pipeline("pipeline, one prompt at a time", size.pipeline_texts), naive=True, target=target),
        ),
    )


def classify(size: Size, material: Material) -> Comparison:
    """Classify a table of reviews; the least command classifies one."""
    model, output = material.file("classifier"), material.runs / "predictions.csv"

    def table(count: int) -> Path:
        return material.file(f"reviews-{count}.csv")

    def pipeline(name: str, count: int, **flags: object) -> Side:
        commands = [words(*PIPELINES, "classify", model=model, data=table(many), **flags) for many in (count, 1)]
        return Side(name, *commands, scale=(size.classified_reviews - 1) / (count - 1))

    ours = [
        words("classify.py", model_path=model, data_path=table(count), output_path=output)
        for count in (size.classified_reviews, 1)
    ]
    well = pipeline("pipeline, sorted, in batches of 32, bfloat16", size.classified_reviews, **BATCHES, bfloat16=True)
    plain = pipeline("pipeline, one text at a time", size.pipeline_reviews)
    return Comparison(
        title=f"classify {size.classified_reviews:,} reviews, SmolLM2-135M",
        ours=Side("ours", *ours),
        against=(Against(well), Against(plain, naive=True, target=6.0)),
    )


def preprocess(size: Size, material: Material) -> Comparison:
    """Preprocess tweets; only our side removes near duplicates."""
    model, runs = material.file("smollm2"), material.runs

    def other(
        name: str, script: tuple[str, ...], output: str, count: int = size.raw_tweets, needs: tuple[str, ...] = ()
    ) -> Side:
        commands = [
            words(*script, data=material.file(f"raw-{rows}.csv"), model=model, output_path=runs / output)
            for rows in (count, LEAST)
        ]
        return Side(name, *commands, scale=(size.raw_tweets - LEAST) / (count - LEAST), needs=needs)

    batched = other("datasets in batches, without near duplicates", BATCHED, "batched")
    rows = other(
        "row by row: emoji, clean-text, tokenizer", ROW_BY_ROW, "rows.pkl", size.row_by_row_tweets, ("cleantext",)
    )
    return Comparison(
        title=f"preprocess {size.raw_tweets:,} tweets, including tokenization and near duplicates",
        ours=preprocessing(size.raw_tweets, material),
        against=(Against(batched), Against(rows, naive=True, target=10.0)),
    )


def growth(size: Size, material: Material) -> Growth:
    """preprocess.py on 1×, 2×, 4×, 8× tweets."""
    steps = tuple((count, preprocessing(count, material)) for count in size.growing_raw_tweets)
    return Growth(title="preprocess.py, including tokenization and near duplicates", unit="tweets", steps=steps)


def preprocessing(count: int, material: Material) -> Side:
    """Return our side for so many raw tweets."""
    model, output = material.file("smollm2"), material.runs / "preprocessed.pkl"

    def command(file: Path) -> tuple[str, ...]:
        return words("preprocess.py", data_path=file, model=model, output_path=output)

    return Side("ours", *(command(material.file(f"raw-{rows}.csv")) for rows in (count, LEAST)))
