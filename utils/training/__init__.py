"""Training, for `fine_tune.py`: processed data and a base model go in, a trained model with its record comes out.

Open `trainer.py` first; `flags.py` has the defaults, and `objectives.py` the losses.
"""
