"""Pure functions on strings: cleaning, words, duplicates and splits. Texts go in; texts, masks or row numbers come out.

Open `cleaning.py` first.
"""
