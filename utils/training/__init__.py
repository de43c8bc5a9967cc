"""Training, for `fine_tune.py`: processed data and a base model go in, a trained model with its record comes out.

Open `prepare.py` first, and then `trainer.py`; `objectives.py` has the losses, and `flags.py` the flags (their defaults
are in `utils/tasks/kinds.py`).
"""
