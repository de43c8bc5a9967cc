"""Reviews: texts with a label (a sentiment, stars, a topic), which a model learns to tell apart."""

import functools

from utils.tasks.base import Example, Task
from utils.tasks.tweets import to_rows
from utils.text.cleaning import Cleaning

REVIEWS = Task(
    name="reviews",
    kind="classify",
    summary="labelled texts to tell apart (sentiment, stars, topics)",
    text_columns=(
        *("reviewtext", "review_text", "review", "reviews", "review_body", "text", "sentence", "comment", "content"),
        *("body", "tweet", "tweet_text", "full_text", "rawcontent", "originaltweet", "sentimenttext", "phrase"),
        *("message", "post", "utterance", "texte", "avis", "commentaire"),
    ),
    label_columns=(
        *("label", "labels", "sentiment", "airline_sentiment", "liked", "polarity", "class", "target", "category"),
        *("emotion", "overall", "rating", "ratings", "stars", "star_rating", "star", "score"),
    ),
    # Where the text is read ends, a model that writes is about to name the sentiment: it knows more of it there than at
    # the end of the bare text (docs/results.md).
    template="Review: {prompt}\nSentiment:",
    cleaning=Cleaning(emoji="keep"),
    split=(0.72, 0.08, 0.2),  # a fifth to test, and a tenth of the rest to validation
    min_words=1,
    max_words=None,
    # People who label replies and retweets mean them: only what the file itself calls one is left out.
    to_rows=functools.partial(to_rows, texts_tell=False),
    to_example=lambda text, group, label=None: Example(prompt=text, completion="", group=group, label=label),
)
