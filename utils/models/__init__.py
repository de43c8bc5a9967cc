"""Models and their tokenizers: loaded from the name of a base model or of a trained one, and saved to disk.

All five scripts use it. Open `checkpoint.py` first, which opens trained models, then `saving.py` and `pt_file.py` that
write them. `base_models.py` finds base models; `tokenization.py` and `chat_templates.py` turn texts and conversations
into token ids.
"""
