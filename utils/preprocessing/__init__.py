"""The step of `preprocess.py`: raw rows go in, and filtered, cleaned, split and encoded rows for the pickle come out.

Open `pipeline.py` first: it has one function per kind of task. Posts and labeled texts are filtered in `filters.py`,
instructions in `conversations.py` and `instructions.py`, emoji in the files `emoji_*.py`.
"""
