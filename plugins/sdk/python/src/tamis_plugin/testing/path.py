"""Field paths over JSON values, as the host reads them: `a.b`, `tags[0]`, `labels."a key.with dots"`, `.`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_PART = re.compile(r'\[(?P<index>\d+)\]|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<key>[^.\["]+)')


@dataclass(frozen=True)
class Path:
    """A parsed path: keys and indexes; no parts is the whole record."""

    parts: tuple[str | int, ...]

    @classmethod
    def parse(cls, text: str) -> Path:
        """Raises `ValueError` for what is no path."""
        if text == ".":
            return cls(())
        rest = text.removeprefix(".")
        parts: list[str | int] = []
        while True:
            match = _PART.match(rest)
            if match is None:
                raise ValueError(f"field path `{text}`: expected a key or an index at `{rest}`")
            if match["index"] is not None:
                parts.append(int(match["index"]))
            else:
                parts.append(match["key"] if match["quoted"] is None else re.sub(r"\\(.)", r"\1", match["quoted"]))
            rest = rest[match.end() :]
            if not rest:
                return cls(tuple(parts))
            if rest.startswith("."):
                rest = rest[1:]
            elif not rest.startswith("["):
                raise ValueError(f"field path `{text}`: expected `.` or `[` at `{rest}`")

    def get(self, record: Any) -> Any:
        """The value; `None` where it is missing."""
        for part in self.parts:
            record = _member(record, part)
            if record is None:
                return None
        return record

    def set(self, record: Any, new: Any) -> bool:
        """Sets the value. Missing parents are made, `null` counts as missing; `False` where a parent is of another form."""
        for part, after in zip(self.parts, self.parts[1:]):
            parent = record
            record = _member(parent, part)
            if record is None:
                record = {} if isinstance(after, str) else []
                if not _put(parent, part, record):
                    return False
        return _put(record, self.parts[-1], new)

    def remove(self, record: Any) -> None:
        """Removes the value, if it is there."""
        parent = Path(self.parts[:-1]).get(record)
        if self.parts and _member(parent, self.parts[-1]) is not None:
            del parent[self.parts[-1]]


def _member(value: Any, part: str | int) -> Any:
    if isinstance(part, str):
        return value.get(part) if isinstance(value, dict) else None
    return value[part] if isinstance(value, list) and part < len(value) else None


def _put(parent: Any, part: str | int, new: Any) -> bool:
    if isinstance(part, str):
        if not isinstance(parent, dict):
            return False
        parent[part] = new
        return True
    if not isinstance(parent, list):
        return False
    parent.extend([None] * (part + 1 - len(parent)))
    parent[part] = new
    return True
