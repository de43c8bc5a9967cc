"""The state of an interrupted run, beside its output: written, checked to be complete, and removed without other files.

A run keeps its checkpoints in OUTPUT.training, a search its trials in OUTPUT.search; arguments.json in each has the
flags and the data's hash, so that only the same run continues there. Both are removed at the end. Begin with
run_state.py.
"""
