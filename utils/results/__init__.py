"""What preprocess.py, generate.py and classify.py give, from their flags on: a pickle, or objects and lines per text.

Begin with texts.py.
"""
