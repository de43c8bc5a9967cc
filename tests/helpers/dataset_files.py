"""Files of datasets: a Parquet file, and a folder whose README.md declares two configurations."""

import io

import pyarrow
from pyarrow import parquet

TWO = """---
configs:
- config_name: short
  data_files: short.csv
- config_name: "long"
  data_files:
  - split: train
    path: long.csv
---
"""
TWO_FILES = {"README.md": TWO, "short.csv": "text\nhi\n", "long.csv": "text\nhello there\n"}


def parquet_bytes(columns: dict) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), buffer)
    return buffer.getvalue()


PARQUET = parquet_bytes({"text": ["Été 😀", None], "likes": [3, None], "kept": [True, False]})
