"""Vocabularies: the ordered class names a segmenter may answer with."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .errors import ConfigError

CLIP_DIY_TEMPLATE = "a photo of a {}"


class VocabularyClass(BaseModel):
    """One class.

    Args:
        name: under which its masks are stored and its IoU is reported.
        synonyms: other words that mean the same, in captions and in ground truth.
        prompts: the words that an encoder is asked for, their mean being the class; by default name and
            synonyms. A word may stand twice, and then counts twice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    synonyms: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """What an encoder embeds."""
        return self.prompts or (self.name, *self.synonyms)


class Vocabulary(BaseModel):
    """Ordered classes with prompt templates; where there is a background it is class 0.

    Args:
        name: what the vocabulary is called in results.
        classes: at least one; names are unique.
        templates: prompts with one ``{}`` each; a class is embedded as their mean.
        has_background: False where the classes are all there is to be found: class 0 then stands for what
            nobody judges, and an answer of class 0 is no answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    classes: tuple[VocabularyClass, ...]
    templates: tuple[str, ...] = (CLIP_DIY_TEMPLATE,)
    has_background: bool = True

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
        """16 hex digits over classes, their words and templates (the name does not count)."""
        # Catalogs hold hashes from before there were prompts, and vocabularies without a background.
        body = self.model_dump(mode="json", exclude={"name"})
        body["classes"] = [{k: v for k, v in c.items() if v or k != "prompts"} for c in body["classes"]]
        if body["has_background"]:
            del body["has_background"]
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]

    @classmethod
    def of(cls, names: Iterable[str], name: str = "given") -> Self:
        """Make a vocabulary of plain names: background first, then each name once, in order."""
        ordered = dict.fromkeys(("background", *names))
        return cls(name=name, classes=tuple(VocabularyClass(name=n) for n in ordered))

    @property
    def renames(self) -> dict[str, tuple[str, ...]]:
        """Class -> the words that it is asked for by in place of its name, where there are such."""
        return {c.name: c.prompts for c in self.classes if c.prompts not in ((), (c.name,))}

    def worded(self, family: str, words: Mapping[str, Sequence[str]]) -> Self:
        """Return the same classes, each asked by its words, or by nothing but its name where it has none.

        Raises:
            ConfigError: ``words`` has a class that this vocabulary has not.
        """
        if unknown := set(words) - set(self.names):
            raise ConfigError(f"wording {family!r} names no class of {self.name!r}: {sorted(unknown)}")
        classes = (
            c.model_copy(update={"prompts": tuple(words.get(c.name, (c.name,)))}) for c in self.classes
        )
        return self.model_copy(update={"name": f"{self.name}:{family}", "classes": tuple(classes)})


def shipped_vocabularies() -> tuple[str, ...]:
    """Return the names that ``load_vocabulary`` knows without a file."""
    return _data_files("vocabularies")


def shipped_wordings(vocabulary: str) -> tuple[str, ...]:
    """Return the families that have words for a shipped vocabulary: of ``voc21``, ``groupvit`` and others."""
    return tuple(family for family in _data_files("wordings") if vocabulary in _wording(family))


def load_vocabulary(name_or_path: str) -> Vocabulary:
    """Load a shipped vocabulary by name, or one from a ``.toml``, ``.json`` or ``.txt`` (a name a line) file.

    ``voc21:groupvit`` is the shipped ``voc21``, its classes asked for by GroupViT's words. A file without a
    class ``background`` gets one in front.

    Raises:
        ConfigError: there is no such name or file, or its content is no vocabulary.
    """
    name, _, family = name_or_path.partition(":")
    if name in shipped_vocabularies() and family in ("", *shipped_wordings(name)):
        vocabulary = _parse(_data("vocabularies", name), ".toml", name)
        return vocabulary.worded(family, _wording(family)[name]) if family else vocabulary
    path = Path(name_or_path)
    if not path.is_file():
        raise ConfigError(
            f"no vocabulary {name_or_path!r}: give a file (.toml, .json, .txt) or one of "
            f"{', '.join(shipped_vocabularies())}; {_how_to_word(name)}"
        )
    try:
        return _parse(path.read_text("utf-8"), path.suffix.lower(), path.stem)
    except UnicodeDecodeError as err:
        raise ConfigError(f"vocabulary {name_or_path!r} is not UTF-8 text") from err


def _how_to_word(name: str) -> str:
    families = shipped_wordings(name)
    return f"{name}:WORDING with one of {', '.join(families)}" if families else "voc21:groupvit for its words"


@cache
def _wording(family: str) -> dict[str, dict[str, list[str]]]:
    """Return vocabulary -> class -> words of one family."""
    return tomllib.loads(_data("wordings", family))


@cache
def _data_files(folder: str) -> tuple[str, ...]:
    files = resources.files(f"maskmill.schemas.{folder}").iterdir()
    return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml")))


def _data(folder: str, name: str) -> str:
    return resources.files(f"maskmill.schemas.{folder}").joinpath(f"{name}.toml").read_text("utf-8")


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
