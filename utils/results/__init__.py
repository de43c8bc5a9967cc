"""What generate.py and classify.py give for each text: from their flags and the texts to JSON objects and lines.

Begin with texts.py.
"""
