"""Checks of dataset folders before the library datasets opens them.

Open `dataset_folders.py` first; `utils/reading/hub_datasets.py` is what the readers call.
"""
