"""Tables as people and programs want them: terminal table, CSV, JSON, JSON Lines, Parquet, Arrow.

Record batches go in one after another, nothing but the batch at hand is held in memory (Parquet
holds a row group).  The text forms are a contract for scripts; `dnscap.native.lines` states it.

Examples
--------
>>> import io, pyarrow as pa
>>> out = io.BytesIO()
>>> rows = pa.record_batch({"qname": ["www.example."], "latency": pa.array([1_500_000], pa.duration("ns"))})
>>> with open_writer("csv", out, rows.schema) as writer:
...     writer.write(rows)
>>> print(out.getvalue().decode(), end="")
qname,latency
www.example.,0.0015
"""

from dnscap.output.files import output_stream
from dnscap.output.writers import FORMATS, Writer, open_writer

__all__ = ["FORMATS", "Writer", "open_writer", "output_stream"]
