"""A classifier's points and texts for the report: predictions go in, parts of evaluation.json come out.

Open `points.py` first; `texts.py` has the mistakes and probable label errors, and `judged.py` which texts are judged.
"""
