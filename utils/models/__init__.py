"""Models and their tokenizers: loaded from the name of a base model or a trained one, saved to disk, pushed to the Hub.

All five scripts use it. Open `checkpoint.py` first, which loads and saves trained models. `base_models.py` finds base
models; `tokenization.py` and `chat_templates.py` turn texts and conversations into token ids.
"""
