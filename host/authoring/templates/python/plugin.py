"""Marks calls that took long: `slow` is true from a number of milliseconds on, which the configuration sets."""

from __future__ import annotations

from dataclasses import dataclass

from tamis_plugin import Boolean, ConfigError, Plugin, Reads, Verdict, Writes, field, metrics


@dataclass(frozen=True)
class Config:
    """The step's configuration."""

    slow_ms: int = 1_000
    """Milliseconds from which a call is slow."""


class In(Reads):
    """What is read. The host shows these fields and nothing else of a record; `None` is missing, null or of another kind."""

    latency_ms: int | None = field("responseLatency")


class Out(Writes):
    """What is written. Without `field("…")` the member's name is the field's path."""

    slow: Boolean


class SlowCalls(Plugin[Config, In, Out]):
    """The plugin."""

    def __init__(self, config: Config) -> None:
        if config.slow_ms < 1:
            raise ConfigError(f"expected 1 or more, found {config.slow_ms}", "slow_ms")
        self.slow_ms = config.slow_ms
        self.slow = 0

    def record(self, row: In, out: Out) -> Verdict | None:
        latency_ms = row.latency_ms
        if latency_ms is None:
            # A field that is not set stays as it is.
            return None
        if latency_ms < 0:
            # To the dead letters, with this reason; the other records go on.
            return Verdict.reject("responseLatency is negative")
        slow = latency_ms >= self.slow_ms
        self.slow += slow
        out.slow.set(slow)
        return None

    def batch_done(self) -> None:
        metrics.add("slow_calls", self.slow)
        self.slow = 0
