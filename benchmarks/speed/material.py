"""The models and data that all contenders of a row use, made once and kept in one folder."""

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.speed.measure import run, words
from benchmarks.speed.sizes import Size

if TYPE_CHECKING:
    from utils.processed import Split

RAW_TWEETS = Path("data/raw/tweets_GroundTruth.txt")  # where `make demo` puts them
RAW_REVIEWS = Path("data/raw/amazonReviewSnippets_GroundTruth.txt")
SENTIMENT = "-4--0.5=negative,0.5-4=positive"  # by the mean of people's ratings from -4 to 4
NOISE = ("", "", "", " https://t.co/{}", " @user{}", " \U0001f602\U0001f602", " &amp; #tag{}")
GPT2_SHAPE = {"vocab_size": 50_257, "n_embd": 768, "n_layer": 12, "n_head": 12}
SMALL_SHAPE = {"vocab_size": 257, "n_embd": 32, "n_layer": 3, "n_head": 2}
LEAST = 16  # rows in the pickles for measuring start-up
PROMPT_WORDS = 3
RUN_OF_WORDS = 4
REPEATED = 20  # every 20th tweet repeats an earlier one


@dataclass(frozen=True)
class Material:
    """Paths relative to the project's root, where every command runs."""

    folder: Path

    def file(self, name: str) -> Path:
        """Return the path of a model's folder or a data file by its name."""
        return self.folder / name

    @property
    def runs(self) -> Path:
        """The folder that the contenders of a row write to; it is emptied before and after each row."""
        return self.folder / "runs"

    @property
    def logs(self) -> Path:
        """The folder for the output of the latest commands."""
        return self.folder / "logs"


def prepare(names: Sequence[str], size: Size, material: Material) -> None:
    """Make the named models and data (see MAKERS) that do not exist yet."""
    for name in names:
        done = material.file(f".{name}")
        if not done.exists():
            MAKERS[name](size, material)
            done.touch()


def _models(size: Size, material: Material) -> None:
    """Save both base models as folders, for libraries that don't know our names; GPT-2's shape has random weights."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from utils.models import checkpoint
    from utils.models.tokenization import start_and_end

    trained = checkpoint.load("smollm2" if size.real else "tiny")
    start, end = start_and_end(trained.tokenizer)
    torch.manual_seed(0)
    shape = GPT2_SHAPE if size.real else SMALL_SHAPE
    gpt2 = GPT2LMHeadModel(GPT2Config(**shape, bos_token_id=start, eos_token_id=end, pad_token_id=end))
    for name, model in {"smollm2": trained.model if size.real else gpt2, "gpt2-shape": gpt2}.items():
        model.save_pretrained(material.file(name))
        trained.tokenizer.save_pretrained(material.file(name))


def _tweets(size: Size, material: Material) -> None:
    """Write the processed tweets, subsets of their first rows, and prompts."""
    source, columns = Path("data/samples/tweets.csv"), []
    if size.real:
        source, columns = _fetched(RAW_TWEETS, material), ["--no_header", "--text_column", "2"]
    whole = material.file("tweets-whole.pkl")
    flags = {"data_path": source, "model": material.file("smollm2"), "output_path": whole}
    run(words("preprocess.py", *columns, **flags), material.logs / "material.log")
    counts = {"tweets": size.tweets, "notebook-tweets": size.notebook_tweets, "search-tweets": size.search_tweets}
    counts |= {"least-tweets": LEAST} | {f"tweets-{count}": count for count in size.growing_tweets}
    for name, count in counts.items():
        others = (LEAST // 4, LEAST) if name == "least-tweets" else (size.validation, None)
        take(whole, material.file(f"{name}.pkl"), count, *others)
    beginnings = [" ".join(text.split()[:PROMPT_WORDS]) for text in training_split(whole).completion]
    for name, count in {"prompts": size.texts, "least-prompts": 1}.items():
        material.file(f"{name}.txt").write_text("\n".join(beginnings[:count]) + "\n", encoding="utf-8")


def _raw(size: Size, material: Material) -> None:
    """Write tables for preprocess.py."""
    texts = _texts(size, material, RAW_TWEETS, "tweets.csv")
    for count in {size.raw_tweets, size.row_by_row_tweets, *size.growing_raw_tweets, LEAST}:
        write_recombined(material.file(f"raw-{count}.csv"), texts, count)


def _reviews(size: Size, material: Material) -> None:
    """Write the processed reviews, subsets of their first rows, and tables to classify."""
    source, columns = Path("data/samples/reviews.csv"), []
    if size.real:
        source = _fetched(RAW_REVIEWS, material)
        columns = ["--no_header", "--text_column", "2", "--label_column", "1", f"--label_map={SENTIMENT}"]
    whole = material.file("reviews-whole.pkl")
    flags = {"task": "reviews", "data_path": source, "model": material.file("smollm2"), "output_path": whole}
    run(words("preprocess.py", *columns, **flags), material.logs / "material.log")
    take(whole, material.file("reviews.pkl"), size.reviews, size.validation)
    take(whole, material.file("least-reviews.pkl"), LEAST, LEAST // 4)
    texts = _texts(size, material, RAW_REVIEWS, "reviews.csv")
    for count in (size.classified_reviews, size.pipeline_reviews, 1):
        with material.file(f"reviews-{count}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["text"], *([text] for text in texts[:count])])


def _classifier(size: Size, material: Material) -> None:
    """Train a classifier for one step."""
    flags = {"data": material.file("reviews.pkl"), "model": material.file("smollm2"), "unfreeze_last": 1}
    flags |= {"max_steps": 1, "output_path": material.file("classifier"), "overwrite": True}
    run(words("fine_tune.py", **flags), material.logs / "material.log")


MAKERS = {"models": _models, "tweets": _tweets, "raw": _raw, "reviews": _reviews, "classifier": _classifier}


def take(source: Path, target: Path, train: int | None, validation: int | None, test: int | None = None) -> None:
    """Write the first rows of a processed pickle to another one."""
    from utils.processed import load_processed, save_processed

    data = load_processed(source)
    counts = {"train": train, "validation": validation, "test": test}
    splits = {name: split.take(range(len(split))[: counts[name]]) for name, split in data.splits.items()}
    save_processed(target, replace(data, splits=splits))


def write_recombined(path: Path, texts: Sequence[str], count: int) -> None:
    """Write a table of `count` tweets made of short runs of words from real ones, with noise; some are repeated.

    The tweets are the same every time, and a shorter table is the beginning of a longer one. The runs are short so
    that, as in reality, a tweet does not get more near duplicates the more tweets there are.
    """
    drawn = random.Random(0)
    words = [found for text in texts if (found := text.split())]
    made: list[str] = []
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text"])
        for number in range(count):
            made.append(drawn.choice(made) if number % REPEATED == REPEATED - 1 else _recombined(words, drawn))
            writer.writerow([made[-1] + drawn.choice(NOISE).format(number)])


def _recombined(words: Sequence[Sequence[str]], drawn: random.Random) -> str:
    length, pieces = len(drawn.choice(words)), []
    while len(pieces) < length:
        some = drawn.choice(words)
        first = drawn.randrange(len(some))
        pieces += some[first : first + RUN_OF_WORDS]
    return " ".join(pieces[:length])


def training_split(pickle: Path) -> "Split":
    """Return the training split of a processed pickle."""
    from utils.processed import load_processed

    return load_processed(pickle).splits["train"]


def _texts(size: Size, material: Material, downloaded: Path, sample: str) -> list[str]:
    """Return raw texts: the third column of a tab-separated download (quotes are text), or a sample's longest cells."""
    if size.real:
        lines = _fetched(downloaded, material).read_text(encoding="utf-8", errors="replace").splitlines()
        return [line.split("\t")[2] for line in lines if line.count("\t") >= 2]
    with (Path("data/samples") / sample).open(encoding="utf-8-sig", newline="") as file:
        return [max(row, key=len) for row in csv.reader(file)][1:]


def _fetched(path: Path, material: Material) -> Path:
    if not path.exists():
        run(words("data/fetch_tweets.py", path, path.name), material.logs / "material.log")
    return path
