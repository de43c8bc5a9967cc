"""Hyperparameter search: what is tried, how it is tried, and what is said about it. Begin with search.py."""
