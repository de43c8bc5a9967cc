"""Reading files in the formats that people have: a path goes in, a frame in which every cell is text comes out.

Open `read_frame.py` first; `table_stream.py` reads tables that may be larger than memory.
"""
