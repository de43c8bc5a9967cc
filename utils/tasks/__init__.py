"""The four tasks: what a row of each means, which columns hold it, and the defaults that travel with it.

Open `base.py` first; `tasks.py` lists them.
"""
