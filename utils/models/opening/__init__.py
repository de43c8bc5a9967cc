"""Opening a base model, and the adapters on top of it.

In: what `base_models.resolve` returns. Out: the tokenizer; the model, in float32 and eval mode. Open `load.py` first.
"""
