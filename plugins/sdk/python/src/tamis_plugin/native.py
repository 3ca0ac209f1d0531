"""The contract's types where there is no sandbox: the names and members that componentize-py gives them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How the host presents a field, and how it takes one back."""

    TEXT = 0
    INTEGER = 1
    FLOAT = 2
    BOOLEAN = 3
    JSON = 4


@dataclass
class Field:
    """A field of the record by its path, `.` for the whole record."""

    path: str
    kind: Kind


@dataclass
class Signature:
    """What a configured plugin needs, and what it may do."""

    reads: list[Field]
    writes: list[Field]
    outputs: list[str]
    drops: bool


@dataclass
class VarValues:
    """Value `i` is `bytes[offsets[i]:offsets[i + 1]]`; there is one offset more than values."""

    offsets: list[int]
    bytes: bytes


@dataclass
class Values_Text:
    """UTF-8."""

    value: VarValues


@dataclass
class Values_Integer:
    """64 bits with a sign."""

    value: list[int]


@dataclass
class Values_Float:
    """Finite numbers."""

    value: list[float]


@dataclass
class Values_Boolean:
    """A byte a value, 0 or 1."""

    value: bytes


@dataclass
class Values_Json:
    """One JSON value each, as text."""

    value: VarValues


Values = Values_Text | Values_Integer | Values_Float | Values_Boolean | Values_Json


@dataclass
class Column:
    """The values of a field; `present` is a bitmap, least significant bit first, or `None` where every value is present."""

    values: Values
    present: bytes | None


@dataclass
class Batch:
    """The rows of a call, a column for each field read."""

    rows: int
    columns: list[Column]


@dataclass
class Patch:
    """New values of the written field `field`, for `rows` (ascending) or for all rows. One that is not present removes the field."""

    field: int
    rows: list[int] | None
    column: Column


@dataclass
class Reject:
    """A record that could not be processed, and why."""

    row: int
    reason: str


@dataclass
class Outcome:
    """What a plugin says of a batch. A verdict is a byte a row: 0 keeps, n sends to the n-th output, 255 drops; `None` keeps all."""

    verdicts: bytes | None
    patches: list[Patch]
    rejects: list[Reject]
