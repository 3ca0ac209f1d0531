"""Runs a plugin under ordinary Python on JSON records, for its unit tests. Not part of a built component.

    run = harness(Tenant, {"owners": {"cio": "corporate"}}).run([{"ApiOwner": "CIO"}])
    assert run.records == [{"ApiOwner": "CIO", "tenant": "corporate"}]
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..batch import BatchPlugin
from ..contract import DROP, Outcome, Signature
from ..host import Recorder, recorded
from ..plugin import Plugin, Records
from .apply import apply
from .columns import columns


@dataclass(frozen=True)
class Run:
    """The result of running a batch."""

    records: list[Any]
    """Every record with its patches applied, in order, whatever its fate; a dropped or rejected one is as it came."""
    fates: list[str]
    """What became of every record: `kept`, `to NAME`, `dropped` or `rejected: REASON`."""
    outcome: Outcome
    """The outcome as the host would get it."""
    told: Recorder
    """What the plugin told the host: `log` and `counters`."""

    @property
    def passed(self) -> list[Any]:
        """The records that go on, on whatever output."""
        return [record for record, fate in zip(self.records, self.fates) if _goes_on(fate)]


class Harness:
    """A plugin with its configuration, ready to run batches."""

    def __init__(self, plugin: type[Plugin[Any, Any, Any]] | type[BatchPlugin], config: Any = None) -> None:
        batches = plugin if issubclass(plugin, BatchPlugin) else Records.of(plugin)
        self.plugin: BatchPlugin
        self.plugin, self.signature = batches.init(json.dumps({} if config is None else config))

    signature: Signature
    """What the plugin declares under its configuration."""

    @property
    def reads(self) -> list[str]:
        """The paths of the fields read."""
        return [field.path for field in self.signature.reads]

    @property
    def writes(self) -> list[str]:
        """The paths of the fields written."""
        return [field.path for field in self.signature.writes]

    def run(self, records: Sequence[Any]) -> Run:
        """Runs one batch. Raises what the plugin raises for the whole batch, and `AssertionError` where its outcome breaks the contract."""
        batch = columns(self.signature.reads, records)
        with recorded() as told:
            outcome = self.plugin.process(batch)
        fates = _fates(self.signature, outcome, len(records))
        patched = apply(self.signature.writes, outcome, [_goes_on(fate) for fate in fates], copy.deepcopy(list(records)))
        return Run(patched, fates, outcome, told)


def harness(plugin: type[Plugin[Any, Any, Any]] | type[BatchPlugin], config: Any = None) -> Harness:
    """A plugin in a harness, with the step's configuration as Python values. Raises `ConfigError`."""
    return Harness(plugin, config)


def _goes_on(fate: str) -> bool:
    return fate == "kept" or fate.startswith("to ")


def _fates(signature: Signature, outcome: Outcome, rows: int) -> list[str]:
    fates = ["kept"] * rows
    if outcome.verdicts is not None:
        assert len(outcome.verdicts) == rows, f"{len(outcome.verdicts)} verdicts for {rows} records"
        for row, verdict in enumerate(outcome.verdicts):
            if verdict == DROP:
                assert signature.drops, f"record {row} is dropped, which was not declared"
                fates[row] = "dropped"
            elif verdict:
                assert verdict <= len(signature.outputs), f"verdict {verdict} stands for no declared output"
                fates[row] = f"to {signature.outputs[verdict - 1]}"
    for reject in outcome.rejects:
        assert reject.row < rows, f"row {reject.row} of {rows} records is rejected"
        fates[reject.row] = f"rejected: {reject.reason}"
    return fates
