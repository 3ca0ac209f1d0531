"""What a plugin raises, and how an exception is told to the host."""

from __future__ import annotations

from types import TracebackType

_OWN = __name__.rpartition(".")[0]


class ConfigError(Exception):
    """The step's configuration is wrong; `key` is its path, such as `owners.cio`, where one key is to blame."""

    def __init__(self, reason: str, key: str = "") -> None:
        super().__init__(f"configuration key {key}: {reason}" if key else f"configuration: {reason}")


class Rejected(Exception):
    """Raised in `record`, it rejects the record: the reason goes to the dead letter as it is, so it should hold no values."""


class WrongValue(Rejected):
    """A value was set that the written field cannot take."""


class BatchFailed(Exception):
    """The plugin cannot go on with this batch."""


def describe(error: BaseException) -> str:
    """The exception's name and the line of the plugin that it left, for a dead letter.

    Not its message: Python puts values into messages (`invalid literal for int(): 'jean'`), and those are the record's. What
    an author wants to be read is said with `Rejected`.
    """
    if isinstance(error, (BatchFailed, ConfigError, Rejected)):
        return str(error)
    name = type(error).__name__
    place = _place(error.__traceback__)
    return f"{name} {place}" if place else name


def _place(traceback: TracebackType | None) -> str:
    """The innermost line in the author's own code: not in this package, and not in a library that it called."""
    home, place = "", ""
    while traceback is not None:
        frame = traceback.tb_frame
        file = frame.f_code.co_filename
        module = str(frame.f_globals.get("__name__", ""))
        if module != _OWN and not module.startswith(f"{_OWN}."):
            folder, _, name = file.rpartition("/")
            # The first frame beyond this package is the author's; what lies beside it is too.
            home = home or folder
            if folder == home or folder.startswith(f"{home}/"):
                place = f"at {name}:{traceback.tb_lineno} in {frame.f_code.co_name}"
        traceback = traceback.tb_next
    return place
