"""The record-level door: an author's function from one row to the next, run over a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, Self, TypeVar, get_args, get_origin

from .batch import BatchPlugin
from .config import parse
from .contract import DROP, OUTPUTS_MAX, Batch, Field, Outcome, Reject, Signature
from .errors import BatchFailed, describe
from .read import Reads
from .verdict import Verdict
from .write import Writes

Config = TypeVar("Config")
In = TypeVar("In", bound=Reads)
Out = TypeVar("Out", bound=Writes)


class Plugin(ABC, Generic[Config, In, Out]):
    """A plugin that works record by record: `class Mine(Plugin[MyConfig, In, Out])`.

    `MyConfig` is a dataclass (`NoConfig` without keys), `In` derives from `Reads`, `Out` from `Writes` (`NoWrites` for nothing).
    """

    drops: bool = False
    """Whether `Verdict.drop` may be returned."""
    outputs: Sequence[str] = ()
    """The named outputs that `Verdict.to` may send records to; `__init__` may set them by configuration. At most 254."""

    _types: tuple[Any, type[Reads], type[Writes]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Plugin:
                cls._types = get_args(base)

    def __init__(self, config: Config) -> None:
        """Raises `ConfigError` for what is wrong with the configuration beyond its types."""

    def path(self, declared: str) -> str | None:
        """The path that a declared field has under this configuration. `None` leaves it out of the signature, so that nobody has
        to grant it: it is then never present, and what is written to it is lost."""
        return declared

    @abstractmethod
    def record(self, row: In, out: Out) -> Verdict | None:
        """Looks at one record, sets fields and says what becomes of it. An exception rejects the record, and what was set for a
        record that is dropped or rejected is taken back."""

    def batch_done(self) -> None:
        """Called after the last record of each batch: the place to add up counters in one go."""


class Records(BatchPlugin):
    """Runs a `Plugin` over batches."""

    plugin_class: type[Plugin[Any, Any, Any]]

    @classmethod
    def of(cls, plugin: type[Plugin[Any, Any, Any]]) -> type[Records]:
        """The batch plugin of a record-level one."""
        if not hasattr(plugin, "_types"):
            raise TypeError(f"{plugin.__name__}: expected `class {plugin.__name__}(Plugin[Config, In, Out])` with three types")
        return type(f"Records[{plugin.__name__}]", (cls,), {"plugin_class": plugin})

    @classmethod
    def init(cls, config: str) -> tuple[Self, Signature]:
        config_class, reads, writes = cls.plugin_class._types
        made = cls()
        plugin = made.plugin = cls.plugin_class(parse(config_class, config))
        made._reads, shown, _ = _place(plugin, reads.FIELDS)
        made._writes, written, paths = _place(plugin, writes.FIELDS)
        made._row = reads()
        made._out = writes(made._row, paths)
        outputs = list(plugin.outputs)
        if len(outputs) > OUTPUTS_MAX:
            raise BatchFailed(f"{len(outputs)} outputs, at most {OUTPUTS_MAX} can be told apart")
        made._outputs = {name: index + 1 for index, name in enumerate(outputs)}
        return made, Signature(shown, written, outputs, plugin.drops)

    plugin: Plugin[Any, Any, Any]
    _row: Reads
    _out: Writes
    _reads: list[int | None]
    _writes: list[int | None]
    _outputs: dict[str, int]

    def process(self, batch: Batch) -> Outcome:
        row, out, record, rows = self._row, self._out, self.plugin.record, batch.rows
        row._open(batch, self._reads)
        out._clear()
        verdicts: bytearray | None = None
        rejects: list[Reject] = []
        index = 0
        while index < rows:
            # One `try` for all records until one fails: the loop goes on behind it.
            try:
                for index in range(index, rows):
                    row._row = index
                    verdict = record(row, out)
                    if verdict is None or verdict is Verdict.keep:
                        continue
                    if verdict.reason is not None:
                        out._undo()
                        rejects.append(Reject(index, verdict.reason))
                        continue
                    if verdicts is None:
                        verdicts = bytearray(rows)
                    verdicts[index] = self._decide(verdict)
                    if verdict is Verdict.drop:
                        out._undo()
            except BatchFailed:
                raise
            except Exception as error:
                out._undo()
                rejects.append(Reject(index, describe(error)))
            index += 1
        self.plugin.batch_done()
        return Outcome(None if verdicts is None else bytes(verdicts), list(out._patches(self._writes, rows)), rejects)

    def _decide(self, verdict: Verdict) -> int:
        if verdict is Verdict.drop:
            if not self.plugin.drops:
                raise BatchFailed("the plugin drops a record, but does not declare that it does: `drops = True`")
            return DROP
        output = verdict.output
        if isinstance(output, int) and 0 <= output < len(self._outputs):
            return output + 1
        decided = self._outputs.get(output) if isinstance(output, str) else None
        if decided is None:
            raise BatchFailed(f"the plugin sends a record to an output that it does not declare; it declares {list(self._outputs)}")
        return decided


def _place(plugin: Plugin[Any, Any, Any], declared: tuple[Field, ...]) -> tuple[list[int | None], list[Field], list[str | None]]:
    """The declared fields under a configuration: where each one stands, the signature's list, and the path of each."""
    places: list[int | None] = []
    fields: list[Field] = []
    paths: list[str | None] = []
    for field in declared:
        path = plugin.path(field.path)
        paths.append(path)
        places.append(None if path is None else len(fields))
        if path is not None:
            fields.append(Field(path, field.kind))
    return places, fields, paths
