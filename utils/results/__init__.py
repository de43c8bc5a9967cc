"""The results of preprocess.py, generate.py and classify.py from their flags: a pickle, or objects and lines per text.

Begin with texts.py.
"""
