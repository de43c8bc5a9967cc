"""Texts through CTranslate2: a model is converted once (`convert.py`), kept (`kept.py`) and writes (`engine.py`)."""
