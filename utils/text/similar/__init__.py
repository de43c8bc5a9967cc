"""What `utils.text.duplicates` compares texts by: hashed shingles go in, pairs and templates come out.

Open `shingles.py` first, then `minhash.py` and `templates.py`.
"""
