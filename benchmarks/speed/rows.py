"""The rows of docs/benchmarks.md by name."""

from collections.abc import Callable
from functools import partial

from benchmarks.speed import training_rows, using_rows
from benchmarks.speed.kinds import Row
from benchmarks.speed.material import Material
from benchmarks.speed.sizes import Size

TWEETS, REVIEWS = ("models", "tweets"), ("models", "reviews")
ROWS: dict[str, tuple[tuple[str, ...], Callable[[Size, Material], Row]]] = {  # the material that it needs, and the row
    "tweets-smollm2": (TWEETS, partial(training_rows.last_blocks, "smollm2", "SmolLM2-135M", 2.0)),
    "tweets-gpt2": (TWEETS, partial(training_rows.last_blocks, "gpt2-shape", "GPT-2's shape with random weights", 1.5)),
    "tweets-all": (TWEETS, training_rows.everything),
    "reviews": (REVIEWS, training_rows.reviews),
    "search": (TWEETS, training_rows.search),
    "generate": (TWEETS, partial(using_rows.generate, "transformers", 10.0, ())),
    "generate-ctranslate2": (TWEETS, partial(using_rows.generate, "ctranslate2", 25.0, ("ctranslate2",))),
    "classify": ((*REVIEWS, "classifier"), using_rows.classify),
    "preprocess": (("models", "raw"), using_rows.preprocess),
    "growth-preprocess": (("models", "raw"), using_rows.growth),
    "growth-tweets": (TWEETS, training_rows.growth),
    "quality": (TWEETS, training_rows.quality),
}
LONG = ("quality",)  # `make bench-quality`
USUAL = tuple(name for name in ROWS if name not in LONG)
