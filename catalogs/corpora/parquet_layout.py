"""What the columns of a Parquet file hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pt

from ...schemas.errors import CorpusError
from .columns import CAPTION_NAMES, IMAGE_NAMES, KEY_NAMES, Columns, named_column, usual_column

BYTES, STRUCT, PATH = "bytes", "struct", "path"


@dataclass(frozen=True)
class Layout:
    """Names of the columns to read, None or nothing for those that are not there.

    ``kind`` is how the image column holds images: ``bytes``, ``struct`` (of ``bytes`` and ``path``, as
    Hugging Face writes it) or ``path`` (or URL).
    """

    key: str | None
    captions: tuple[str, ...]
    image: str | None
    kind: str | None
    digest: str | None
    width: str | None
    height: str | None
    status: str | None

    @property
    def key_source(self) -> str | None:
        """The column that keys are made from; None where they are made from row numbers."""
        return self.key or (self.image if self.kind == PATH else None)


def find_layout(schema: pa.Schema, columns: Columns, uri: str) -> Layout:
    """Match a file's columns with those that are wanted.

    Raises:
        CorpusError: a named column is missing or of a type that does not fit, or the file has neither
            captions nor images.
    """
    names = schema.names
    key = _column(schema, columns.key, KEY_NAMES, _is_key, uri)
    captions = tuple(str(_column(schema, name, (), _is_caption, uri)) for name in columns.captions)
    usual = None if captions else _column(schema, None, CAPTION_NAMES, _is_caption, uri)
    image = _column(schema, columns.image, IMAGE_NAMES, _is_image, uri)
    if not captions and not usual and not image:
        raise CorpusError(
            f"neither captions nor images in {uri!r}; name the columns that hold them, its columns are "
            f"{', '.join(names)[:400]}"
        )
    return Layout(
        key=key,
        captions=captions or ((usual,) if usual else ()),
        image=image,
        kind=image and _image_kind(schema.field(image).type),
        digest=_column(schema, None, ("sha256", "md5"), _is_text, uri),
        width=_column(schema, None, ("width",), _is_number, uri),
        height=_column(schema, None, ("height",), _is_number, uri),
        status="status" if {"status", "error_message"} <= set(names) else None,
    )


def _column(
    schema: pa.Schema,
    name: str | None,
    usual: tuple[str, ...],
    fits: Callable[[pa.DataType], bool],
    uri: str,
) -> str | None:
    if name is None:
        return usual_column(schema.names, usual, lambda found: fits(schema.field(found).type))
    named_column(schema.names, name, uri)
    if not fits(kind := schema.field(name).type):
        raise CorpusError(f"column {name!r} of {uri!r} has the type {kind}, which does not fit")
    return name


def _is_text(kind: pa.DataType) -> bool:
    if pt.is_dictionary(kind):
        kind = kind.value_type
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))


def _is_key(kind: pa.DataType) -> bool:
    return _is_text(kind) or bool(pt.is_integer(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pt.is_integer(kind) or pt.is_floating(kind))


def _is_caption(kind: pa.DataType) -> bool:
    return _is_text(kind.value_type if is_list(kind) else kind)


def is_list(kind: pa.DataType) -> bool:
    return bool(pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind))


def _is_image(kind: pa.DataType) -> bool:
    return _image_kind(kind) is not None


def _image_kind(kind: pa.DataType) -> str | None:
    if pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_binary_view(kind):
        return BYTES
    if pt.is_struct(kind):
        return STRUCT if kind.get_field_index("bytes") >= 0 else None
    return PATH if _is_text(kind) else None
