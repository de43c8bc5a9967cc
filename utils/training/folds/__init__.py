"""--folds: a model is trained and judged several times, each time without another part of the training texts.

The training split goes in, and figures of every fold come out: begin with train_folds.py. The model itself is as it
was before; the one that is saved trains afterwards, on all of the training split.
"""
