"""The rows of docs/benchmarks.md by name."""

from collections.abc import Callable
from functools import partial

from benchmarks.speed import crowd_rows, series_rows, starting_rows, training_rows, using_rows
from benchmarks.speed.kinds import Row
from benchmarks.speed.material import Material
from benchmarks.speed.sizes import Size

TWEETS, REVIEWS, RAW = ("models", "tweets"), ("models", "reviews"), ("models", "raw")
CLASSIFIER = (*REVIEWS, "classifier")
CT2 = ("ctranslate2",)
BF16 = {"precision": "bf16"}
AIMS = {"loop": 15.0, "trl": 2.0}  # targets of rows about the last blocks, beside Trainer's
last_blocks, everything = training_rows.last_blocks, training_rows.everything
ROWS: dict[str, tuple[tuple[str, ...], Callable[[Size, Material], Row]]] = {  # the material that it needs, and the row
    "all-whole-2-epochs": (TWEETS, partial(everything, "tweets-whole", 2, {})),
    "tweets-all": (TWEETS, partial(everything, "tweets", 1, {"trl": 2.5})),
    "whole-2-epochs": (TWEETS, partial(last_blocks, "smollm2", "tweets-whole", 2, {})),
    "whole-3-epochs": (TWEETS, partial(last_blocks, "smollm2", "tweets-whole", 3, {})),
    "tweets-2-epochs": (TWEETS, partial(last_blocks, "smollm2", "tweets", 2, {})),
    "tweets-3-epochs": (TWEETS, partial(last_blocks, "smollm2", "tweets", 3, {})),
    "tweets-smollm2": (TWEETS, partial(last_blocks, "smollm2", "tweets", None, AIMS | {"trainer": 2.0})),
    "tweets-smollm2-best": (TWEETS, partial(training_rows.best_epoch, "smollm2", "tweets")),
    "tweets-gpt2": (TWEETS, partial(last_blocks, "gpt2-shape", "tweets", None, AIMS | {"trainer": 1.5})),
    "reviews-2-epochs": (REVIEWS, partial(training_rows.reviews, 2, {})),
    "reviews": (REVIEWS, partial(training_rows.reviews, None, {"trainer": 3.0})),
    "search": (TWEETS, series_rows.search),
    "generate": (TWEETS, partial(using_rows.generate, "transformers", {}, 10.0, ())),
    "generate-bf16": (TWEETS, partial(using_rows.generate, "transformers in bfloat16", BF16, 10.0, ())),
    "generate-ctranslate2": (TWEETS, partial(using_rows.generate, "ctranslate2", {"engine": "ctranslate2"}, 25.0, CT2)),
    "classify": (CLASSIFIER, using_rows.classify),
    "preprocess": (RAW, using_rows.preprocess),
    "start-classify": (CLASSIFIER, starting_rows.classify),
    "start-generate": (TWEETS, partial(starting_rows.generate, "transformers", ())),
    "start-generate-ctranslate2": (TWEETS, partial(starting_rows.generate, "ctranslate2", CT2)),
    "start-train": (TWEETS, starting_rows.train),
    "start-evaluate": (TWEETS, starting_rows.evaluate),
    "start-preprocess": (RAW, starting_rows.preprocess),
    "crowd-train": (TWEETS, crowd_rows.train),
    "crowd-write": (TWEETS, crowd_rows.write),
    "crowd-classify": (CLASSIFIER, crowd_rows.classify),
    "crowd-preprocess": (RAW, crowd_rows.preprocess),
    "growth-preprocess": (RAW, using_rows.growth),
    "growth-tweets": (TWEETS, series_rows.growth),
    "quality": (TWEETS, series_rows.quality),
}
LONG = ("quality",)  # `make bench-quality`
USUAL = tuple(name for name in ROWS if name not in LONG)
# The page's first table has one row for each kind of work; the variants of these are among the details.
VARIANTS = (
    "whole-3-epochs",
    "tweets-3-epochs",
    "tweets-gpt2",
    "reviews-2-epochs",
    "generate-bf16",
    "generate-ctranslate2",
)
