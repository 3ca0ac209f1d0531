"""From a plugin's patches back to JSON records, with the checks a host makes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..contract import (
    Field, Kind, Outcome, Patch, Values_Boolean, Values_Float, Values_Integer, Values_Json, Values_Text,
)
from ..read import values
from .path import Path

_KINDS = {
    Values_Text: Kind.TEXT, Values_Json: Kind.JSON, Values_Integer: Kind.INTEGER, Values_Float: Kind.FLOAT, Values_Boolean: Kind.BOOLEAN,
}


def apply(writes: Sequence[Field], outcome: Outcome, goes_on: list[bool], records: list[Any]) -> list[Any]:
    """The records with the patches of those that go on."""
    for patch in outcome.patches:
        assert patch.field < len(writes), f"a patch of field {patch.field}, which was not declared"
        field = writes[patch.field]
        path = Path.parse(field.path)
        rows = _rows(patch, field.path, len(records))
        kind = _KINDS[type(patch.column.values)]
        assert kind is field.kind, f"{field.path}: declared {field.kind}, written {kind}"
        found = values(patch.column)
        assert len(found) >= len(rows), f"{field.path}: {len(found)} values for {len(rows)} rows"
        for row, value in zip(rows, found):
            if not goes_on[row]:
                continue
            if value is None:
                path.remove(records[row])
                continue
            new = json.loads(value) if kind is Kind.JSON else value
            if path.parts:
                assert path.set(records[row], new), f"{field.path}: row {row} has a value of another form on the way"
            else:
                assert isinstance(new, dict), f"{field.path}: row {row}: a record must be an object"
                records[row] = new
    return records


def _rows(patch: Patch, path: str, records: int) -> Sequence[int]:
    if patch.rows is None:
        return range(records)
    assert all(a < b for a, b in zip(patch.rows, patch.rows[1:])), f"{path}: the patched rows do not ascend"
    assert not patch.rows or patch.rows[-1] < records, f"{path}: row {patch.rows[-1]} of {records} records is patched"
    return patch.rows
