"""The packages behind the five scripts, by step of the work; each one's docstring says which file to open first.

preprocess.py: `collecting`, `reading`, `tasks`, `text`, `preprocessing`. fine_tune.py: `models`, `compute`, `training`.
generate.py and classify.py: `inference`. evaluate_model.py: `evaluation`, `metrics`. All of them: the files here.
"""
