"""Using a trained model, for `generate.py` and `classify.py`: prompts or texts go in, texts or labels come out.

Open `generation.py` first, or `classifier.py` for labels.
"""
