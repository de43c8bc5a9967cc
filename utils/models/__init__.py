"""Models on disk and on the Hub: a name goes in, a model with its tokenizer comes out, or the other way round.

Open `checkpoint.py` first; `base_models.py` finds the model to start from.
"""
