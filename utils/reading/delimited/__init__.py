"""Delimited text: the form of a file is recognized from a sample, and its lines are split into cells.

Open `dialects.py` first; `utils/reading/csv_rows.py` is what the readers call.
"""
