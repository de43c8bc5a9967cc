"""Code that the five scripts share, in packages by step of the work.

`errors`, `cli`, `files`, `distributed`, `text_tables` and `processed` serve all of them.
"""
