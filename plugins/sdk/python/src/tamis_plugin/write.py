"""From what an author sets to the columns of a patch: the rows that were touched and no others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import accumulate
from math import isfinite
from typing import Any, ClassVar

from .contract import (
    Column, Field, Kind, Patch, Values, Values_Boolean, Values_Float, Values_Integer, Values_Json, Values_Text, VarValues,
)
from .errors import BatchFailed, WrongValue
from .read import Cursor, alone, declared

_INTEGER_MIN, _INTEGER_MAX = -(2**63), 2**63 - 1


class Writer:
    """The values of one written field. The last call for a record counts; without one the field stays as it is."""

    __slots__ = ("_at", "_path", "_values")

    KIND: ClassVar[Kind]

    def __init__(self, at: Cursor | None = None, path: str = "") -> None:
        self._at = at or Cursor()
        self._path = path
        # By row, in the order of rows, for they ascend; None removes the field.
        self._values: dict[int, Any] = {}

    def at(self, row: int) -> None:
        """The row that is written from now on; rows ascend. For batch plugins: `Plugin` sees to it by itself."""
        self._at._row = row

    def remove(self) -> None:
        """Removes the field from the record."""
        self._values[self._at._row] = None

    def undo(self) -> None:
        """Takes back what was set for this record."""
        self._values.pop(self._at._row, None)

    def patch(self, field: int, rows: int) -> Patch | None:
        """The patch of what was written in a batch of `rows`, as field `field` of `Signature.writes`; `None` if nothing was.
        The writer starts anew."""
        written, self._values = self._values, {}
        if not written:
            return None
        entries = list(written.values())
        present = None
        if None in entries:
            absent = self._absent()
            present = _bitmap([value is not None for value in entries])
            entries = [absent if value is None else value for value in entries]
        return Patch(field, None if len(entries) == rows else list(written), Column(self._column(entries), present))

    def _wrong(self, wanted: str, found: object) -> WrongValue:
        return WrongValue(f"written field {self._path}: expected {wanted}, found a value of type {type(found).__name__}")

    def _absent(self) -> Any:
        return 0

    def _column(self, entries: list[Any]) -> Values:
        raise NotImplementedError

    def _var(self, entries: list[str]) -> VarValues:
        text = "".join(entries)
        if text.isascii():
            return VarValues([0, *accumulate(map(len, entries))], text.encode("ascii"))
        try:
            encoded = [entry.encode() for entry in entries]
        except UnicodeEncodeError:
            raise BatchFailed(f"written field {self._path}: a text holds half of a surrogate pair, which is no UTF-8") from None
        return VarValues([0, *accumulate(map(len, encoded))], b"".join(encoded))


class Text(Writer):
    """Writes text."""

    __slots__ = ()
    KIND = Kind.TEXT

    def set(self, value: str) -> None:
        """Sets the field."""
        if not isinstance(value, str):
            raise self._wrong("str", value)
        self._values[self._at._row] = value

    def _absent(self) -> str:
        return ""

    def _column(self, entries: list[str]) -> Values:
        return Values_Text(self._var(entries))


class JsonText(Writer):
    """Writes a value of any kind."""

    __slots__ = ()
    KIND = Kind.JSON

    def set(self, value: Any) -> None:
        """Sets the field to what the value is in JSON."""
        try:
            self._values[self._at._row] = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError):
            raise self._wrong("what JSON can say", value) from None

    def set_text(self, text: str) -> None:
        """Sets the field to JSON text as it is, on one line; the host checks it."""
        if not isinstance(text, str):
            raise self._wrong("str", text)
        self._values[self._at._row] = text

    def _absent(self) -> str:
        return "null"

    def _column(self, entries: list[str]) -> Values:
        return Values_Json(self._var(entries))


class Integer(Writer):
    """Writes integers of 64 bits."""

    __slots__ = ()
    KIND = Kind.INTEGER

    def set(self, value: int) -> None:
        """Sets the field."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong("int", value)
        if not _INTEGER_MIN <= value <= _INTEGER_MAX:
            raise self._wrong("an integer of 64 bits", value)
        self._values[self._at._row] = value

    def _column(self, entries: list[int]) -> Values:
        return Values_Integer(entries)


class Float(Writer):
    """Writes finite numbers."""

    __slots__ = ()
    KIND = Kind.FLOAT

    def set(self, value: float) -> None:
        """Sets the field."""
        if not isinstance(value, (float, int)) or isinstance(value, bool):
            raise self._wrong("float", value)
        try:
            value = float(value)
        except OverflowError:
            raise self._wrong("a finite number", value) from None
        if not isfinite(value):
            raise self._wrong("a finite number", value)
        self._values[self._at._row] = value

    def _column(self, entries: list[float]) -> Values:
        return Values_Float(entries)


class Boolean(Writer):
    """Writes true or false."""

    __slots__ = ()
    KIND = Kind.BOOLEAN

    def set(self, value: bool) -> None:
        """Sets the field."""
        if not isinstance(value, bool):
            raise self._wrong("bool", value)
        self._values[self._at._row] = value

    def _column(self, entries: list[bool]) -> Values:
        return Values_Boolean(bytes(entries))


class Writes:
    """The fields a plugin writes: a member for each, typed `Text`, `Integer`, `Float`, `Boolean` or `JsonText`."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()
    WRITERS: ClassVar[tuple[tuple[str, type[Writer]], ...]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        alone(cls, Writes)
        fields: list[Field] = []
        writers: list[tuple[str, type[Writer]]] = []
        for name, path, hint in declared(cls):
            if not (isinstance(hint, type) and issubclass(hint, Writer) and hint is not Writer):
                raise TypeError(f"{cls.__name__}.{name}: expected one of Text, Integer, Float, Boolean, JsonText, found {hint}")
            fields.append(Field(path, hint.KIND))
            writers.append((name, hint))
        cls.FIELDS, cls.WRITERS = tuple(fields), tuple(writers)

    def __init__(self, at: Cursor, paths: list[str | None]) -> None:
        self._writers: list[Writer] = []
        for (name, writer), path in zip(self.WRITERS, paths):
            made = writer(at, path or name)
            setattr(self, name, made)
            self._writers.append(made)

    def _undo(self) -> None:
        for writer in self._writers:
            writer.undo()

    def _clear(self) -> None:
        for writer in self._writers:
            writer._values = {}

    def _patches(self, places: list[int | None], rows: int) -> Iterator[Patch]:
        for writer, place in zip(self._writers, places):
            patch = writer.patch(place or 0, rows)
            if patch is not None and place is not None:
                yield patch


class NoWrites(Writes):
    """Of a plugin that writes nothing."""


def _bitmap(bits: list[bool]) -> bytes:
    packed = bytearray((len(bits) + 7) // 8)
    for index, bit in enumerate(bits):
        if bit:
            packed[index >> 3] |= 1 << (index & 7)
    return bytes(packed)
