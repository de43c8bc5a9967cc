"""The search for wrong labels in training data.

Out-of-fold probabilities of the linear probe go in, and a table of labels that are probably wrong comes out.
"""
