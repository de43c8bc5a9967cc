"""Encoders that learn to classify: how a text's states become one, and a head that starts from a linear probe.

In: a base model with a new head, and labeled rows. Out: the same model, whose logits are the probe's. Open `probe.py`
first.
"""
