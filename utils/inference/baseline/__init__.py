"""What is mixed with a classifier that was trained with --with_baseline.

The model's probabilities and its baseline.json go in, and the probabilities of the mixture come out. Open stack.py.
"""
