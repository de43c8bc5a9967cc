"""Tweets: short texts for a model to imitate, without the replies and retweets among them."""

from utils.tasks.base import Task
from utils.text.cleaning import Cleaning

TWEETS = Task(
    name="tweets",
    kind="generate",
    summary="short texts to imitate",
    # "2" is the text of the notebook's scrape, whose columns are 0, 1, 2, 3 = date, id, text, user.
    text_columns=(
        *("text", "full_text", "rawcontent", "content", "contents", "tweet", "tweet_text", "body", "message", "2"),
        *("post", "post_text", "status", "textoriginal", "textdisplay", "selftext", "caption", "comment"),
        *("comment_text", "comments", "sharecommentary", "texte", "texto", "testo", "beitrag", "nachricht"),
    ),
    template="{prompt}",
    cleaning=Cleaning(),
    split=(0.8, 0.1, 0.1),
    min_words=6,  # long posts stay: with them a model is better on short ones, too (docs/results.md)
)
