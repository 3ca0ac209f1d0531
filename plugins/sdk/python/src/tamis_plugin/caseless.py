"""Look-up of text in whatever case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

V = TypeVar("V")


class CaselessMap(Generic[V]):
    """A map from text to values that takes ASCII letters of either case as equal. Other letters keep their case."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[str, V]) -> None:
        """Of entries that differ in case alone the last one counts."""
        self._entries = {name.encode("utf-8", "surrogatepass").lower(): value for name, value in entries.items()}

    def get(self, name: str | bytes) -> V | None:
        """The value, by text or (faster) by its UTF-8."""
        if isinstance(name, str):
            name = name.encode("utf-8", "surrogatepass")
        # Of bytes, `lower` takes ASCII letters alone.
        return self._entries.get(name.lower())

    def __len__(self) -> int:
        return len(self._entries)
