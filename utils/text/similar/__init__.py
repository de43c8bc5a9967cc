"""The comparison behind `utils.text.duplicates`: hashed shingles go in, pairs and templates come out.

Open `shingles.py` first, then `minhash.py` and `templates.py`.
"""
