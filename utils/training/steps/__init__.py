"""The steps of a run of fine_tune.py, in the order of `utils/training/run.py`.

`request.py`: the request, checked without heavy imports. `prepared.py`: the request with its model and rows, checked
against the machine and the clock. `training.py`: search and training. `saving.py`: the model, its record, and the end.
"""
