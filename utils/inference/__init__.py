"""Using a trained model, for `generate.py` and `classify.py`: prompts or texts go in, texts, emoji or labels come out.

Open `generation.py` first; or `chat.py`, `emoji.py`, or `classifier.py` for labels. `sampling.py` has the settings.
"""
