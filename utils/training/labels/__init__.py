"""What training finds out about the labels that it was given.

Out-of-fold probabilities of the linear probe go in, and a table of labels that are probably wrong comes out.
"""
