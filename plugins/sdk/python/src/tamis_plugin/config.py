"""The step's configuration as a dataclass, with errors that name the key."""

from __future__ import annotations

import dataclasses
import json
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import ConfigError

T = TypeVar("T")

_MISSING = dataclasses.MISSING
_KEY = "tamis key"


@dataclasses.dataclass(frozen=True)
class NoConfig:
    """The configuration of a plugin that has nothing to configure: any key is an error."""


def key(name: str, *, default: Any = _MISSING, default_factory: Any = _MISSING) -> Any:
    """A member whose key has another name, such as a word of Python's own: `source: str = key("from", default="ApiOwner")`."""
    if default_factory is not _MISSING:
        return dataclasses.field(default_factory=default_factory, metadata={_KEY: name})
    if default is not _MISSING:
        return dataclasses.field(default=default, metadata={_KEY: name})
    return dataclasses.field(metadata={_KEY: name})


def parse(config: type[T], text: str) -> T:
    """Reads a configuration from JSON text; empty text and `null` are `{}`.

    `config` is a dataclass; its members are `str`, `int`, `float`, `bool`, `Any`, `Literal[…]`, `list[…]`, `dict[str, …]`, other
    dataclasses, and these `| None`. Raises `ConfigError` with the key's path, what was expected and what was found.
    """
    try:
        value = json.loads(text) if text.strip() else None
    except ValueError as error:
        raise ConfigError(f"it is not JSON: {error}") from None
    found: T = _read(config, {} if value is None else value, "")
    return found


def _read(wanted: Any, value: Any, path: str) -> Any:
    origin, arguments = get_origin(wanted), get_args(wanted)
    if wanted is Any:
        return value
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        return _members(wanted, value, path)
    if origin is list and isinstance(value, list):
        return [_read(arguments[0], item, f"{path}[{index}]") for index, item in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {name: _read(arguments[1], item, _join(path, name)) for name, item in value.items()}
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        fitting = [part for part in arguments if part is not NoneType]
        # Of several, the one of the value's own form.
        form = next((part for part in fitting if _fits(part, value)), fitting[0] if len(fitting) == 1 else None)
        if form is not None:
            return _read(form, value, path)
    if origin is Literal and any(value == given and type(value) is type(given) for given in arguments):
        return value
    if origin is None and _fits(wanted, value):
        return float(value) if wanted is float else value
    raise ConfigError(f"expected {_expected(wanted)}, found {_found(value)}", path)


def _members(wanted: type, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise ConfigError(f"expected {_expected(wanted)}, found {_found(value)}", path)
    hints = get_type_hints(wanted)
    members = {str(member.metadata.get(_KEY, member.name)): member for member in dataclasses.fields(wanted) if member.init}
    for name in value:
        if name not in members:
            raise ConfigError(_unknown(name, list(members)), _join(path, name))
    given = {}
    for name, member in members.items():
        if name in value:
            given[member.name] = _read(hints[member.name], value[name], _join(path, name))
        elif member.default is _MISSING and member.default_factory is _MISSING:
            raise ConfigError(f"it is missing; expected {_expected(hints[member.name])}", _join(path, name))
    return wanted(**given)


def _unknown(name: str, known: list[str]) -> str:
    if not known:
        return "unknown key; there is nothing to configure"
    nearest = get_close_matches(name, known, n=1, cutoff=0.5)
    advice = f"did you mean `{nearest[0]}`? " if nearest else ""
    return f"unknown key; {advice}known are {', '.join(f'`{name}`' for name in known)}"


def _fits(wanted: Any, value: Any) -> bool:
    origin = get_origin(wanted) or wanted
    if origin is Literal:
        return value in get_args(wanted)
    if dataclasses.is_dataclass(origin):
        return isinstance(value, dict)
    if isinstance(value, bool) or origin is bool:
        return isinstance(value, bool) and origin is bool
    if origin is float:
        return isinstance(value, (int, float))
    return isinstance(origin, type) and isinstance(value, origin)


_NAMES = {str: "a string", int: "an integer", float: "a number", bool: "true or false", NoneType: "nothing", list: "a list", dict: "a map"}


def _expected(wanted: Any) -> str:
    origin = get_origin(wanted) or wanted
    if origin in (Union, UnionType):
        return " or ".join(_expected(part) for part in get_args(wanted) if part is not NoneType)
    if origin is Literal:
        return "one of " + ", ".join(json.dumps(given) for given in get_args(wanted))
    if dataclasses.is_dataclass(origin) and isinstance(origin, type):
        names = ", ".join(f"`{member.metadata.get(_KEY, member.name)}`" for member in dataclasses.fields(origin))
        return f"a map of {names}" if names else "an empty map"
    return _NAMES.get(origin, getattr(origin, "__name__", str(origin)))


def _found(value: Any) -> str:
    # Text may be a secret that the operator put in by a file; it is not repeated.
    if isinstance(value, (list, dict, str)):
        return "an empty string" if value == "" else _NAMES[type(value)]
    return json.dumps(value)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
