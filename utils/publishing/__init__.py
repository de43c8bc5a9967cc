"""Publishing a trained model on the Hugging Face Hub: as a folder in the current format, without private data.

fine_tune.py uses it. Open `hub.py` first.
"""
