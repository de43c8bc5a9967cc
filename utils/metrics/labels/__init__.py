"""Points of a report's plots of predicted labels: references and probabilities go in, points with their bands come out.

Open `curves.py` first; the figures themselves are in `../classification.py`.
"""
