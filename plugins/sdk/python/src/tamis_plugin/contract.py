"""The types of the contract `tamis:plugin/types`: those of the component inside the sandbox, equal ones of our own elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .native import (
        Batch, Column, Field, Kind, Outcome, Patch, Reject, Signature, Values, Values_Boolean, Values_Float, Values_Integer, Values_Json,
        Values_Text, VarValues,
    )
else:
    try:
        # The module that componentize-py makes of the contract.
        from wit_world.imports import types as _types
    except ModuleNotFoundError:
        from . import native as _types
    Batch, Column, Field, Kind, Outcome = _types.Batch, _types.Column, _types.Field, _types.Kind, _types.Outcome
    Patch, Reject, Signature, VarValues = _types.Patch, _types.Reject, _types.Signature, _types.VarValues
    Values_Boolean, Values_Float, Values_Integer = _types.Values_Boolean, _types.Values_Float, _types.Values_Integer
    Values_Json, Values_Text, Values = _types.Values_Json, _types.Values_Text, _types.Values

__all__ = [
    "Batch", "Column", "Field", "Kind", "Outcome", "Patch", "Reject", "Signature", "Values", "Values_Boolean", "Values_Float",
    "Values_Integer", "Values_Json", "Values_Text", "VarValues",
]

DROP = 255
"""The verdict that drops a record."""

OUTPUTS_MAX = 254
"""How many named outputs a signature can have: a verdict is one byte, and 0 and `DROP` are taken."""
