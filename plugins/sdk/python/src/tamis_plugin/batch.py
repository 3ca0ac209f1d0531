"""The door below `Plugin`: columns in, verdicts and patches out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

from .contract import Batch, Outcome, Signature


class BatchPlugin(ABC):
    """A plugin that works on whole batches: for fields that follow from the configuration, and for work on columns."""

    @classmethod
    @abstractmethod
    def init(cls, config: str) -> tuple[Self, Signature]:
        """The plugin of a configuration (JSON text, see `tamis_plugin.parse`), and what it needs. Raises `ConfigError`."""

    @abstractmethod
    def process(self, batch: Batch) -> Outcome:
        """One batch, its columns in the order of `Signature.reads`. An exception fails the batch, which is then tried in halves."""
