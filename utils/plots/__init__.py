"""Plots: numbers go in, a `Plot` comes out: an inline SVG, what one sees in it in words, and the table behind it.

Open `plot.py` first. `lines.py` draws curves, `bars.py` bars and histograms, `matrix.py` a confusion matrix, `dots.py`
figures with their intervals; `frame.py` has the axes and `scales.py` their ticks. Nothing heavy is imported.
"""
