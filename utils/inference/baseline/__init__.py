"""The TF-IDF baseline that --with_baseline mixes with a classifier.

The model's probabilities and its baseline.json go in, and the probabilities of the mixture come out. Open stack.py.
"""
