"""The tasks. A further one is a file beside tweets.py and a line here."""

from utils.tasks.alpaca import ALPACA
from utils.tasks.emoji import EMOJI
from utils.tasks.reviews import REVIEWS
from utils.tasks.tweets import TWEETS

TASKS = {"tweets": TWEETS, "reviews": REVIEWS, "alpaca": ALPACA, "emoji": EMOJI}
