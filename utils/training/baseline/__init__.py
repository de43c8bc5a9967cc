"""The baseline that a classifier must beat: TF-IDF with logistic regression, trained in seconds.

The splits go in, and its probabilities of other texts come out. Open tfidf.py.
"""
