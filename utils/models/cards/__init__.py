"""Parts of the model card that differ by kind of model: `card.py` defines them, `labels.py` is for classifiers."""
