"""The four tasks: what a row of each means, which columns hold it, and the defaults that travel with it.

Raw frames go in, and rows of a task come out. Open `base.py` first; `tasks.py` lists the tasks, `kinds.py` their kinds.
"""
