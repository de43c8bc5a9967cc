"""The sizes of the benchmarks: a smoke test, a subset for two CPU cores (hours), or everything."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Counts of rows, texts and epochs; None for all. An opponent that does a part of the work has its time scaled."""

    real: bool  # real models and downloaded data, or else a tiny model and data/samples
    tweets: int | None  # to train on
    validation: int | None
    reviews: int | None
    epochs: int
    notebook_tweets: int | None  # all batches of the notebook's recipe are padded alike and cost the same
    notebook_epochs: int
    review_epochs: int
    search_tweets: int | None
    trials: int
    separate_runs: int  # of as many as there are trials
    texts: int  # to generate
    pipeline_texts: int
    new_tokens: int
    classified_reviews: int
    pipeline_reviews: int
    raw_tweets: int  # to preprocess
    row_by_row_tweets: int
    growing_raw_tweets: tuple[int, ...]
    growing_tweets: tuple[int, ...]
    seeds: int  # of the models whose quality is compared


SIZES = {
    "quick": Size(
        real=False,
        tweets=32,
        validation=4,
        reviews=32,
        epochs=2,
        notebook_tweets=24,
        notebook_epochs=1,
        review_epochs=2,
        search_tweets=16,
        trials=2,
        separate_runs=1,
        texts=4,
        pipeline_texts=2,
        new_tokens=4,
        classified_reviews=8,
        pipeline_reviews=4,
        raw_tweets=400,
        row_by_row_tweets=100,
        growing_raw_tweets=(200,),
        growing_tweets=(8, 16),
        seeds=2,
    ),
    "subset": Size(
        real=True,
        tweets=192,
        validation=48,
        reviews=384,
        epochs=10,
        notebook_tweets=64,
        notebook_epochs=1,
        review_epochs=5,
        search_tweets=96,
        trials=20,
        separate_runs=4,
        texts=64,
        pipeline_texts=16,
        new_tokens=40,
        classified_reviews=1000,
        pipeline_reviews=250,
        raw_tweets=200_000,
        row_by_row_tweets=20_000,
        growing_raw_tweets=(125_000, 250_000, 500_000, 1_000_000),
        growing_tweets=(48, 96, 192, 384),
        seeds=5,
    ),
    "whole": Size(
        real=True,
        tweets=None,
        validation=None,
        reviews=None,
        epochs=10,
        notebook_tweets=None,
        notebook_epochs=10,
        review_epochs=5,
        search_tweets=192,
        trials=20,
        separate_runs=20,
        texts=64,
        pipeline_texts=64,
        new_tokens=40,
        classified_reviews=1000,
        pipeline_reviews=1000,
        raw_tweets=200_000,
        row_by_row_tweets=200_000,
        growing_raw_tweets=(125_000, 250_000, 500_000, 1_000_000),
        growing_tweets=(200, 400, 800, 1600),
        seeds=5,
    ),
}
