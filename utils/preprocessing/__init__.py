"""From raw rows to the processed pickle, for `preprocess.py`: filtered, cleaned, deduplicated, split and encoded.

Open `pipeline.py` first; `filters.py` decides which rows stay.
"""
