"""From the columns of a batch to the typed members of a row."""

from __future__ import annotations

import json
from itertools import pairwise
from types import NoneType
from typing import Any, ClassVar, get_args, get_type_hints

from .contract import Batch, Column, Field, Kind, Values_Boolean, Values_Float, Values_Integer

_BITS = tuple(tuple(bool(byte >> bit & 1) for bit in range(8)) for byte in range(256))


class Json:
    """A value of any kind, as JSON text."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def parse(self) -> Any:
        """The value."""
        return json.loads(self.text)

    def integer(self) -> int | None:
        """An integer, given as a number or as text that holds one; `None` for anything else."""
        text = self.text.strip('"')
        digits = text[1:] if text.startswith("-") else text
        return int(text) if digits.isdecimal() and digits.isascii() and len(digits) < 20 else None

    def __repr__(self) -> str:
        return f"Json({self.text!r})"


_KINDS: dict[Any, Kind] = {
    str: Kind.TEXT, bytes: Kind.TEXT, int: Kind.INTEGER, float: Kind.FLOAT, bool: Kind.BOOLEAN, Json: Kind.JSON,
}


class Declared:
    """A member of which the path was given."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path


def field(path: str) -> Any:
    """The path of a member whose name it is not: `status: int | None = field("http.response.status_code")`."""
    return Declared(path)


class Cursor:
    """The row of a batch that is looked at."""

    __slots__ = ("_row",)

    def __init__(self) -> None:
        self._row = 0


class Reads(Cursor):
    """The fields a plugin reads: a member for each, typed `str`, `bytes`, `int`, `float`, `bool` or `Json`, all `| None`.

    A member is `None` where the field is missing, null or of another kind. One object serves all records: it is good until
    `record` returns, so keep values and not the row. A column is decoded when the first of its values is looked at.
    """

    __slots__ = ("_batch", "_decoded", "_places")

    FIELDS: ClassVar[tuple[Field, ...]] = ()
    TYPES: ClassVar[tuple[Any, ...]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        alone(cls, Reads)
        fields: list[Field] = []
        types: list[Any] = []
        for name, path, hint in declared(cls):
            inner = [part for part in get_args(hint) if part is not NoneType]
            if NoneType not in get_args(hint) or len(inner) != 1 or inner[0] not in _KINDS:
                raise TypeError(
                    f"{cls.__name__}.{name}: expected `str | None`, or bytes, int, float, bool or Json in its place (None is a field "
                    f"that is missing), found {hint}"
                )
            setattr(cls, name, property(_getter(len(fields))))
            fields.append(Field(path, _KINDS[inner[0]]))
            types.append(inner[0])
        cls.FIELDS, cls.TYPES = tuple(fields), tuple(types)

    def _open(self, batch: Batch, places: list[int | None]) -> None:
        """Looks at a batch from now on; `places` has the column of each member."""
        self._batch, self._places = batch, places
        self._decoded: list[list[Any] | None] = [None] * len(places)

    def _decode(self, member: int) -> list[Any]:
        place = self._places[member]
        decoded = [None] * self._batch.rows if place is None else values(self._batch.columns[place], self.TYPES[member])
        self._decoded[member] = decoded
        return decoded


def _getter(member: int) -> Any:
    def get(row: Reads) -> Any:
        decoded = row._decoded[member]
        if decoded is None:
            decoded = row._decode(member)
        return decoded[row._row]

    return get


def alone(cls: type, base: type) -> None:
    """Refuses a class that would inherit fields."""
    if cls.__mro__[1] is not base:
        raise TypeError(f"{cls.__name__}: declare all of its fields in one class that derives from {base.__name__} alone")


def declared(cls: type) -> list[tuple[str, str, Any]]:
    """The members declared in a class: name, path and type."""
    hints = get_type_hints(cls)
    found = []
    for name in cls.__dict__.get("__annotations__") or getattr(cls, "__annotations__", {}):
        given = cls.__dict__.get(name)
        if name.isupper() or (given is not None and not isinstance(given, Declared)):
            continue
        found.append((name, given.path if isinstance(given, Declared) else name, hints[name]))
    return found


def values(column: Column, wanted: type = str) -> list[Any]:
    """The values of a column, `None` where one is not present. `wanted` is `str`, `bytes` or `Json` for text and JSON."""
    found = column.values
    decoded: list[Any]
    if isinstance(found, (Values_Integer, Values_Float)):
        decoded = found.value
    elif isinstance(found, Values_Boolean):
        decoded = [byte != 0 for byte in found.value]
    else:
        offsets, data = found.value.offsets, found.value.bytes
        if wanted is bytes:
            decoded = [data[start:end] for start, end in pairwise(offsets)]
        elif data.isascii():
            # Offsets of bytes are offsets of characters: one decoding for all.
            text = data.decode("ascii")
            decoded = [text[start:end] for start, end in pairwise(offsets)]
        else:
            decoded = [data[start:end].decode() for start, end in pairwise(offsets)]
        if wanted is Json:
            decoded = [Json(text) for text in decoded]
    if column.present is None:
        return decoded
    present = [bit for byte in column.present for bit in _BITS[byte]]
    return [value if here else None for value, here in zip(decoded, present)]
