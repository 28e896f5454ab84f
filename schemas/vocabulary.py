"""Vocabularies: the ordered class names a segmenter may answer with."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .errors import ConfigError

CLIP_DIY_TEMPLATE = "a photo of a {}"


class VocabularyClass(BaseModel):
    """One class: the name under which its masks are stored, and other words that mean the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    synonyms: tuple[str, ...] = ()


class Vocabulary(BaseModel):
    """Ordered classes with prompt templates; where there is a background it is class 0.

    Args:
        name: what the vocabulary is called in results.
        classes: at least one; names are unique.
        templates: prompts with one ``{}`` each; a class is embedded as their mean.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    classes: tuple[VocabularyClass, ...]
    templates: tuple[str, ...] = (CLIP_DIY_TEMPLATE,)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = self.names
        if not names:
            raise ValueError(f"vocabulary {self.name!r} has no class")
        if len(set(names)) != len(names):
            raise ValueError(f"vocabulary {self.name!r} names a class twice")
        if any(t.count("{}") != 1 for t in self.templates):
            raise ValueError(f"every template of vocabulary {self.name!r} needs exactly one {{}}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.classes)

    @property
    def hash(self) -> str:
        """16 hex digits over classes, synonyms and templates (the name does not count)."""
        body = self.model_dump(mode="json", exclude={"name"})
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]

    @classmethod
    def of(cls, names: Iterable[str], name: str = "given") -> Self:
        """Make a vocabulary of plain names: background first, then each name once, in order."""
        ordered = dict.fromkeys(("background", *names))
        return cls(name=name, classes=tuple(VocabularyClass(name=n) for n in ordered))


def shipped_vocabularies() -> tuple[str, ...]:
    """Return the names that ``load_vocabulary`` knows without a file."""
    folder = resources.files("maskmill.schemas.vocabularies")
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


def load_vocabulary(name_or_path: str) -> Vocabulary:
    """Load a shipped vocabulary by name, or one from a ``.toml``, ``.json`` or ``.txt`` (a name a line) file.

    A file without a class ``background`` gets one in front.

    Raises:
        ConfigError: there is no such name or file, or its content is no vocabulary.
    """
    path = Path(name_or_path)
    if name_or_path in shipped_vocabularies():
        text = (
            resources.files("maskmill.schemas.vocabularies")
            .joinpath(f"{name_or_path}.toml")
            .read_text("utf-8")
        )
        return _parse(text, ".toml", name_or_path)
    if not path.is_file():
        raise ConfigError(
            f"no vocabulary {name_or_path!r}: give a file (.toml, .json, .txt) or one of "
            f"{', '.join(shipped_vocabularies())}"
        )
    try:
        return _parse(path.read_text("utf-8"), path.suffix.lower(), path.stem)
    except UnicodeDecodeError as err:
        raise ConfigError(f"vocabulary {name_or_path!r} is not UTF-8 text") from err


def _parse(text: str, suffix: str, name: str) -> Vocabulary:
    try:
        if suffix == ".toml":
            body = tomllib.loads(text)
        elif suffix == ".json":
            body = json.loads(text)
        else:
            body = {"classes": [line.strip() for line in text.splitlines() if line.strip()]}
        return _from_body(body, name)
    except (ValidationError, ValueError, TypeError, AttributeError) as err:
        raise ConfigError(f"vocabulary {name!r} cannot be read: {err}") from err


def _from_body(body: dict[str, object] | list[object], name: str) -> Vocabulary:
    fields = {"classes": body} if isinstance(body, list) else dict(body)
    classes = [{"name": c} if isinstance(c, str) else c for c in fields.pop("classes", ())]  # type: ignore[attr-defined]
    if not any(VocabularyClass.model_validate(c).name == "background" for c in classes):
        classes.insert(0, {"name": "background"})
    return Vocabulary.model_validate({"name": name, **fields, "classes": classes})
