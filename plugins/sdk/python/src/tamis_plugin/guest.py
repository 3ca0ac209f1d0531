"""Inside the sandbox: the contract's exports around an author's plugin. The build's entry imports this, nobody else."""

from __future__ import annotations

import sys
from importlib.machinery import BuiltinImporter, FrozenImporter
from typing import Any

from componentize_py_types import Err  # type: ignore[import-not-found]
from wit_world.imports import log as _log  # type: ignore[import-not-found]
from wit_world.imports import metrics as _metrics

from . import host
from .batch import BatchPlugin
from .contract import Batch, Outcome, Signature
from .errors import BatchFailed, ConfigError, Rejected, describe
from .plugin import Plugin, Records

_LEVELS = {"debug": _log.Level.DEBUG, "info": _log.Level.INFO, "warn": _log.Level.WARN, "error": _log.Level.ERROR}


class _Lines:
    """Standard output of a plugin, which has none: what is printed becomes lines of the log."""

    encoding = "utf-8"

    def __init__(self, level: str) -> None:
        self._level, self._begun = level, ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            host.write(self._level, line)
        return len(text)

    def flush(self) -> None:
        """Lines go out when they end."""


class NotInComponent(ModuleNotFoundError, Rejected):
    """A module that was not imported when the plugin was built. Told as it is, for it holds no values."""


class _NoFiles:
    """An importer that says why a module cannot be had: the sandbox has no files, so all are loaded when the plugin is built."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        raise NotInComponent(f"the module {name} is not in the component: import it at the top of the file", name=name)


def _enter() -> None:
    host.write = lambda level, message: _log.write(_LEVELS[level], message)
    host.count = lambda name, delta: _metrics.add(name, delta)
    sys.stdout, sys.stderr = _Lines("info"), _Lines("warn")
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, _NoFiles]
    sys.path_importer_cache.clear()


def transform(plugin: type[Any]) -> type[Any]:
    """The class that exports `tamis:plugin/transform` for a `Plugin` or `BatchPlugin`."""
    if isinstance(plugin, type) and issubclass(plugin, Plugin):
        batches: type[BatchPlugin] = Records.of(plugin)
    elif isinstance(plugin, type) and issubclass(plugin, BatchPlugin):
        batches = plugin
    else:
        raise TypeError(f"expected a class that derives from tamis_plugin.Plugin or tamis_plugin.BatchPlugin, found {plugin!r}")
    configured: list[BatchPlugin] = []

    class Transform:
        def init(self, config: str) -> Signature:
            _enter()
            try:
                made, signature = batches.init(config)
            except (ConfigError, BatchFailed) as error:
                raise Err(str(error)) from None
            except BaseException as error:
                # The configuration is the operator's own, so the message may be shown.
                raise Err(f"{describe(error)}: {error}") from None
            configured[:] = [made]
            return signature

        def process(self, batch: Batch) -> Outcome:
            try:
                return configured[0].process(batch)
            except BaseException as error:
                raise Err(describe(error)) from None

    return Transform
