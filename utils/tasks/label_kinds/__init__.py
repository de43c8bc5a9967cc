"""What differs between kinds of labels before training: one class a text, several, or a number (`--labels`).

Cells go in, and labels come out as processed pickles hold them. Open `label_kind.py` first: what each kind says.
"""
