"""The four tasks: the meaning of a row, the columns that hold it, and the defaults.

Raw frames go in, and rows of a task come out. Open `base.py` first; `tasks.py` lists the tasks, `kinds.py` their kinds.
"""
