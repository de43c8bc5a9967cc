"""The steps of a run of fine_tune.py, which `utils/training/run.py` takes one after the other.

`request.py`: what is asked for, checked without heavy imports. `prepared.py`: that with its model and rows, checked
against the machine and the clock. `training.py`: search and training. `saving.py`: the model, its record, and the end.
"""
