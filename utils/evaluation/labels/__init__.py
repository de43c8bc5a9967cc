"""What a report shows of a classifier beyond its figures: predictions go in, points and texts for evaluation.json out.

Open `points.py` first; `texts.py` has the mistakes and probable label errors, and `judged.py` which texts are judged.
"""
