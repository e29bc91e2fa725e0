"""The full merge as a Parquet file, for those who go on with it in other programs.

It is what `frames.entries` documents, with types: texts are never null and never cut, `required` is
a truth, `revision` and `received` are null where nothing came, and `received` is the time in China
without a zone, as the workbook has it.
"""

from __future__ import annotations

import io
from typing import Any

import pandas as pd

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.standing import Standing
from bioduty_xl.errors import ConfigError
from bioduty_xl.language import say
from bioduty_xl.report.frames import given_out
from bioduty_xl.report.rows import sound


def require_pyarrow() -> Any:
    """The library that writes Parquet.

    Raises:
        ConfigError: it is not installed; it is an extra.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet  # a part that has to be asked for
    except ImportError:
        raise ConfigError(
            say("写 Parquet 文件需要 pyarrow，请先安装：pip install 'bioduty-xl[parquet]'")
        ) from None
    return pa


def to_parquet(every: pd.DataFrame, standing: Standing) -> bytes:
    """The merge of a period as a file's content; the same merge gives the same bytes.

    Args:
        every: as `frames.entries` gives it.
        standing: its period and moment are stated in the file's metadata.

    Raises:
        ConfigError: pyarrow is not installed.
    """
    pa, entries = require_pyarrow(), given_out(every)
    types = {
        "no": pa.int32(),
        "required": pa.bool_(),
        "revision": pa.int32(),
        "received": pa.timestamp("us"),
    }
    fields = [
        pa.field(name, types.get(name, pa.string()), nullable=name in ("revision", "received"))
        for name in entries.columns
    ]
    about = {
        "period": str(standing.period),
        "as_of": standing.as_of.astimezone(CHINA).isoformat(),
        "received": "Asia/Shanghai",
    }
    columns = [
        [sound(value) if isinstance(value, str) else value for value in entries[name].tolist()]
        for name in entries.columns
    ]
    out = io.BytesIO()
    table = pa.Table.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, fields, strict=True)],
        schema=pa.schema(fields, metadata=about),
    )
    pa.parquet.write_table(table, out, compression="zstd")
    return out.getvalue()
