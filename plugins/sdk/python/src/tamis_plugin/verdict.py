"""What becomes of a record."""

from __future__ import annotations

from typing import ClassVar


class Verdict:
    """What `record` returns; `None` is `Verdict.keep`."""

    __slots__ = ("output", "reason")

    keep: ClassVar[Verdict]
    """It goes on as it would have: to the default output, or where an earlier step sent it."""
    drop: ClassVar[Verdict]
    """It is dropped on purpose. The plugin must declare `drops = True`."""

    def __init__(self, output: int | str | None = None, reason: str | None = None) -> None:
        self.output = output
        self.reason = reason

    @staticmethod
    def to(output: int | str) -> Verdict:
        """It leaves the pipeline by this output (its name, or its index in `outputs`), after the steps that follow."""
        return Verdict(output=output)

    @staticmethod
    def reject(reason: str) -> Verdict:
        """It could not be processed: it goes to the dead letters with this reason, which should hold no values."""
        return Verdict(reason=reason)


Verdict.keep = Verdict()
Verdict.drop = Verdict()
