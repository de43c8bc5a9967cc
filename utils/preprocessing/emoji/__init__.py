"""Tables of emoji for `preprocess.py`: files, or the `emoji` package, go in; rows of descriptions and emoji come out.

Open `table.py` first: it reads the `sources.py`, resolves each row to a real emoji (`resolve.py`, `unicode.py`), and
leaves pairs, which `pairs.py` filters, splits and encodes.
"""
