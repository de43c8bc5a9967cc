"""A trained model on its way to the Hugging Face Hub: as a folder of today's form, without what is private.

fine_tune.py uses it. Open `hub.py` first.
"""
