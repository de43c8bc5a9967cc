"""What an interrupted run continues from, beside its output: what is written, which of it is whole, and what is ours.

A run keeps its checkpoints in OUTPUT.training, a search its trials in OUTPUT.search; arguments.json in each has the
flags and the data's hash, so that nothing else continues there. Both are removed at the end. Begin with run_state.py.
"""
