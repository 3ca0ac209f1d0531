"""Counters, published beside the host's metrics."""

from . import host


def add(name: str, delta: int = 1) -> None:
    """Adds `delta` (0 or more) to the counter `name` (`a-z`, `0-9`, `_`; 64 names). Leaves the sandbox: add up a batch in
    `batch_done` rather than a record at a time."""
    if delta:
        host.count(name, delta)
