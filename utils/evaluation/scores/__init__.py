"""Models that score texts, on the test split: `scorers.py` measures them beside the baselines in `baselines.py`."""
