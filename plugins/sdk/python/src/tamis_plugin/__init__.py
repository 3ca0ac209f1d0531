"""Plugins of the Tamis host in Python: a class of the fields read, one of those written, and a function a record.

    from tamis_plugin import NoConfig, Plugin, Reads, Text, Verdict, Writes, field

    class In(Reads):
        path: str | None = field("destination.url.path")

    class Out(Writes):
        resource: Text

    class Resource(Plugin[NoConfig, In, Out]):
        def record(self, row: In, out: Out) -> Verdict | None:
            if row.path is not None:
                out.resource.set(row.path.partition("?")[0])
            return None
"""

from . import log, metrics
from .batch import BatchPlugin
from .caseless import CaselessMap
from .config import NoConfig, key, parse
from .contract import Batch, Column, Field, Kind, Outcome, Patch, Signature, VarValues
from .contract import Reject as RejectedRow
from .errors import ConfigError, Rejected
from .plugin import Plugin, Records
from .read import Json, Reads, field, values
from .verdict import Verdict
from .write import Boolean, Float, Integer, JsonText, NoWrites, Text, Writes

__all__ = [
    "Batch", "BatchPlugin", "Boolean", "CaselessMap", "Column", "ConfigError", "Field", "Float", "Integer", "Json", "JsonText", "Kind",
    "NoConfig", "NoWrites", "Outcome", "Patch", "Plugin", "Reads", "Records", "Rejected", "RejectedRow", "Signature", "Text", "VarValues",
    "Verdict", "Writes", "field", "key", "log", "metrics", "parse", "values",
]
