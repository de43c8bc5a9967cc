"""The step of `preprocess.py`: raw rows go in, and filtered, cleaned, split and encoded rows for the pickle come out.

Open `pipeline.py` first: it has one function per kind of task. Posts and labeled texts pass `filter_rows.py`,
instructions in `conversations.py` and `instructions.py`, emoji in `emoji/`.
"""
