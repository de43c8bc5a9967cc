"""The counts behind the table at the end of classify.py, with one file per kind of label."""
