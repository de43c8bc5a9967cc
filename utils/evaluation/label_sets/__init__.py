"""Models that give texts several labels, on the test split: `labelers.py` measures them beside `baselines.py`."""
