"""Lines in the host's log, with the plugin's name. The host limits their number and length."""

from . import host


def debug(message: str) -> None:
    """For whoever looks into the plugin."""
    host.write("debug", message)


def info(message: str) -> None:
    """Worth knowing."""
    host.write("info", message)


def warn(message: str) -> None:
    """Somebody should look at it."""
    host.write("warn", message)


def error(message: str) -> None:
    """Something failed."""
    host.write("error", message)
