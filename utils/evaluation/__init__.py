"""Evaluating a trained model, for `evaluate_model.py`: the test split goes in; figures, baselines and tables come out.

Open `texts.py` first; `answers.py`, `classifiers.py` and `emoji.py` do the same for the other kinds of task.
"""
