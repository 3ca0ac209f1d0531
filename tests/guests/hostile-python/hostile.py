"""Misbehaves in the way that the record's `message` names; other records get the text of `message` with `!` in `a`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from tamis_plugin import Json, NoConfig, Plugin, Reads, Rejected, Text, Verdict, Writes


class In(Reads):
    """What is read."""

    message: str | None
    n: Json | None


class Out(Writes):
    """What is written."""

    a: Text


def loop(message: str) -> None:
    while True:
        pass


def error(message: str) -> None:
    int(message)


def missing(message: str) -> None:
    {}[message]


def on_purpose(message: str) -> None:
    raise Rejected("said on purpose")


def recursion(message: str) -> None:
    recursion(message)


def memory(message: str) -> None:
    held: list[bytes] = []
    while True:
        held.append(bytes(1 << 20))


def module(message: str) -> None:
    import colorsys

    colorsys.rgb_to_hsv(0, 0, 0)


def clock(message: str) -> None:
    time.time()


def file(message: str) -> None:
    open("/etc/passwd").close()


def environment(message: str) -> None:
    os.system("true")


def ends(message: str) -> None:
    sys.exit(1)


def printing(message: str) -> None:
    print("printed,", "not lost")


BEHAVIOURS: dict[str, Callable[[str], Any]] = {
    "loop": loop, "error": error, "missing": missing, "on purpose": on_purpose, "recursion": recursion, "memory": memory,
    "module": module, "clock": clock, "file": file, "environment": environment, "ends": ends, "printing": printing,
}


class Hostile(Plugin[NoConfig, In, Out]):
    """The plugin."""

    def record(self, row: In, out: Out) -> Verdict | None:
        message = row.message or ""
        # Set first: what was set for a record that fails is taken back.
        out.a.set(f"{message}!")
        name = message.partition(":")[0]
        if name in BEHAVIOURS:
            BEHAVIOURS[name](message)
        if name == "type":
            out.a.set(7)  # type: ignore[arg-type]
        if name == "drop":
            return Verdict.drop
        return None
