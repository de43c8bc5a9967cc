"""The kinds of labels, before training: one class per text, several, or a number (`--labels`).

Cells go in, and labels come out as processed pickles hold them. Open `label_kind.py` first, which defines a kind.
"""
