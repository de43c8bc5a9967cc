"""Training, for `fine_tune.py`: processed data and a base model go in, a trained model with its record comes out.

Open `run.py` first, then `steps/` and `train.py`; `objectives.py` has the losses, `flags.py` the flags (their defaults
are in `utils/tasks/kinds.py`), and `flag_checks.py` their valid combinations.
"""
