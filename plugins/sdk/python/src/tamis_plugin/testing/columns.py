"""From JSON records to the columns that a plugin declared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from ..contract import (
    Batch, Column, Field, Kind, Values, Values_Boolean, Values_Float, Values_Integer, Values_Json, Values_Text, VarValues,
)
from ..write import _bitmap
from .path import Path


def columns(reads: Iterable[Field], records: Sequence[Any]) -> Batch:
    """The batch that a host would show."""
    return Batch(len(records), [_column(field, records) for field in reads])


def _column(field: Field, records: Sequence[Any]) -> Column:
    path = Path.parse(field.path)
    found = [_of_kind(field.kind, path.get(record)) for record in records]
    present = [value is not None for value in found]
    values: Values
    if field.kind is Kind.TEXT:
        values = Values_Text(_var(found))
    elif field.kind is Kind.JSON:
        values = Values_Json(_var(found))
    elif field.kind is Kind.INTEGER:
        values = Values_Integer([value or 0 for value in found])
    elif field.kind is Kind.FLOAT:
        values = Values_Float([value or 0.0 for value in found])
    else:
        values = Values_Boolean(bytes(bool(value) for value in found))
    return Column(values, None if all(present) else _bitmap(present))


def _of_kind(kind: Kind, value: Any) -> Any:
    """The value as a column of this kind has it, `None` where it is of another kind."""
    number = not isinstance(value, bool) and isinstance(value, (int, float))
    if value is None:
        return None
    if kind is Kind.JSON:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if kind is Kind.TEXT:
        return value if isinstance(value, str) else None
    if kind is Kind.BOOLEAN:
        return value if isinstance(value, bool) else None
    if kind is Kind.FLOAT:
        return float(value) if number else None
    return value if number and isinstance(value, int) and -(2**63) <= value < 2**63 else None


def _var(found: list[str | None]) -> VarValues:
    encoded = [(value or "").encode("utf-8", "replace") for value in found]
    return VarValues([0, *accumulate(map(len, encoded))], b"".join(encoded))
