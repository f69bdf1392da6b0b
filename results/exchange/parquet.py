"""The flat table as Parquet. The only module that knows pyarrow."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from results.blobs import publish
from results.exchange.flat import COLUMNS, table
from results.exchange.settled import Written, one_file
from results.store import RunStore

_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def export(store: RunStore, into: Path) -> Written:
    """With the types that `flat.COLUMNS` names; null is null."""
    place = one_file(into)
    rows = [{k: _plain(v) for k, v in row.items()} for row in table(store)]
    schema = pa.schema([(name, _TYPES[kind]) for name, kind in COLUMNS.items()])
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    publish(place, sink.getvalue().to_pybytes())
    return Written((place,), len(rows))


def _plain(value: object) -> object:
    """Text that UTF-8 can hold."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
