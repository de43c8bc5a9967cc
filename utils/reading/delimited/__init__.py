"""Text whose lines are rows: how a file is written is recognized from a sample, and lines are split into cells.

Open `dialects.py` first; `utils/reading/csv_rows.py` is what the readers call.
"""
