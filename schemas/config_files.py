"""Configurations out of TOML files, flags and options, and what is said about a field that does not fit."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from .errors import ConfigError

ModelT = TypeVar("ModelT", bound=BaseModel)


def load_config(kind: type[ModelT], path: str | Path | None, overrides: dict[str, Any]) -> ModelT:
    """Build a configuration from a TOML file and the flags that were given, flags first.

    Args:
        kind: the configuration class.
        path: a ``.toml`` file, or None for the defaults.
        overrides: dotted field name -> value, e.g. ``{"segmenter.clip": "demo"}``; None values are left out.

    Raises:
        ConfigError: the file is missing or a field does not fit; the text names the field.
    """
    body: dict[str, Any] = {}
    if path is not None:
        try:
            body = tomllib.loads(Path(path).read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as err:
            raise ConfigError(f"configuration {str(path)!r} cannot be read: {err}") from err
    for dotted, value in overrides.items():
        if value is not None:
            _set(body, dotted.split("."), value)
    return validated(kind, body)


def validated(kind: type[ModelT], body: Mapping[str, Any], prefix: str = "") -> ModelT:
    """Build a configuration from its fields, those of ``prefix`` in a larger one.

    Raises:
        ConfigError: a field does not fit; the text names it, below ``prefix``.
    """
    try:
        return kind.model_validate(body)
    except ValidationError as err:
        lines = (_complaint(kind, f["loc"], f["type"], f["msg"], prefix) for f in err.errors())
        raise ConfigError("configuration does not fit: " + "; ".join(lines)) from err


def _complaint(
    kind: type[BaseModel], place: tuple[int | str, ...], fault: str, text: str, prefix: str
) -> str:
    """Say what is wrong with a field; for one that is not there, what there is."""
    where = ".".join(filter(None, (prefix, *map(str, place)))) or kind.__name__
    if fault != "extra_forbidden":
        return f"{where}: {text.removeprefix('Value error, ')}"
    fields = kind.model_fields
    for part in place[:-1]:
        inner = fields[str(part)].annotation if str(part) in fields else None
        fields = inner.model_fields if isinstance(inner, type) and issubclass(inner, BaseModel) else {}
    return f"{where}: no such field" + (f"; there are {', '.join(fields)}" if fields else "")


def _set(body: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        body = body.setdefault(part, {})
        if not isinstance(body, dict):
            raise ConfigError(f"configuration does not fit: {part!r} must be a table")
    body[path[-1]] = value
