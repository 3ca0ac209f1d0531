"""What a plugin tells the host: to the sandbox's imports, to a recorder in tests, to nobody elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

write: Callable[[str, str], None] = lambda level, message: None
"""Takes a line of the log: its level and the message. `guest` puts the host's own here."""

count: Callable[[str, int], None] = lambda name, delta: None
"""Adds to a counter."""


@dataclass
class Recorder:
    """What a plugin told the host."""

    log: list[tuple[str, str]] = field(default_factory=list)
    """The lines of the log: level (`debug`, `info`, `warn`, `error`) and message."""
    counters: Counter[str] = field(default_factory=Counter)
    """The counters by name."""


@contextmanager
def recorded() -> Iterator[Recorder]:
    """Notes what plugins tell the host inside of the `with` block."""
    global write, count
    before, recorder = (write, count), Recorder()

    def add(name: str, delta: int) -> None:
        recorder.counters[name] += delta

    write, count = lambda level, message: recorder.log.append((level, message)), add
    try:
        yield recorder
    finally:
        write, count = before
