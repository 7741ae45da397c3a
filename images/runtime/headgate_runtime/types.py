"""SQL types of answers as PyFlink data types. Covers what :mod:`headgate_runtime.answers` produces, nothing more."""

from __future__ import annotations

from pyflink.table import DataTypes
from pyflink.table.types import DataType

_SCALARS = {
    "BOOLEAN": DataTypes.BOOLEAN,
    "TINYINT": DataTypes.TINYINT,
    "SMALLINT": DataTypes.SMALLINT,
    "INT": DataTypes.INT,
    "BIGINT": DataTypes.BIGINT,
    "FLOAT": DataTypes.FLOAT,
    "DOUBLE": DataTypes.DOUBLE,
    "STRING": DataTypes.STRING,
}


def sql_to_data_type(sql: str) -> DataType:
    """A scalar type or ``ARRAY<…>`` of one as a data type."""
    if sql.startswith("ARRAY<"):
        return DataTypes.ARRAY(sql_to_data_type(sql.removeprefix("ARRAY<").removesuffix(">")))
    return _SCALARS[sql]()
