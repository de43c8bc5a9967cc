"""Metrics as Hugging Face `evaluate` modules: predictions and references go in, figures with intervals come out.

Nothing here imports the rest of the project. Open `likelihood.py` first; `figures.py` has the title and format of
every figure, `bootstrap.py` the intervals.
"""
