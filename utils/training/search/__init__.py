"""Hyperparameter search: the space, the trials, and the table of results. Begin with search.py."""
