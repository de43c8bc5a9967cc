"""Reviews: texts with a label (a sentiment, stars, a topic) for a model to classify."""

from utils.tasks.base import Task
from utils.text.cleaning import Cleaning

REVIEWS = Task(
    name="reviews",
    kind="classify",
    summary="labeled texts to classify (sentiment, stars, topics)",
    text_columns=(
        *("reviewtext", "review_text", "review", "reviews", "review_body", "review_content", "text", "sentence"),
        *("comment_text", "comment", "comments", "content", "body", "tweet", "tweet_text", "full_text", "rawcontent"),
        *("originaltweet", "sentimenttext", "phrase", "message", "post", "utterance", "feedback", "opinion"),
        *("textoriginal", "textdisplay", "selftext", "texte", "avis", "commentaire", "kommentar", "rezension"),
        *("freitext", "texto", "reseña", "comentario", "opinión", "testo", "recensione", "tekst"),
    ),
    # Specific names come first: a file of stances has a column "target", too.
    label_columns=(
        *("label", "labels", "sentiment", "airline_sentiment", "stance", "polarity", "emotion", "liked"),
        *("overall", "rating", "ratings", "stars", "star_rating", "star", "score"),
        *("étoiles", "sterne", "polarité", "stimmung", "calificación", "puntuación", "estrellas", "sentimiento"),
        *("note", "class", "target", "category", "klasse", "kategorie", "classe", "catégorie", "clase", "categoría"),
        *("étiquette", "etiqueta"),
    ),
    # After "Sentiment:" a language model is about to name it, so that its last state says more about the sentiment
    # than after the bare text (docs/results.md).
    template="Review: {prompt}\nSentiment:",
    cleaning=Cleaning(emoji="keep"),
    split=(0.72, 0.08, 0.2),  # a fifth for testing, and a tenth of the rest for validation
)
