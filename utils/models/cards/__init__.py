"""What model cards say: `card.py` is what differs by kind of model, `labels.py` has those of models that label."""
