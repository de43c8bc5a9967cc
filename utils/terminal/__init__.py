"""Output on a terminal: tables of figures, progress bars, the help, and strangers' characters made harmless.

Open `tables.py` first.
"""
