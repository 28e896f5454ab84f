"""The samples of one img2dataset or webdataset tar, read as a stream."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Self

from ...schemas.errors import ErrorReason
from ...schemas.samples import BadSample, Sample
from .base import captions_in

IMAGE_EXTENSIONS = frozenset({"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm", "avif"})
_WANTED = IMAGE_EXTENSIONS | {"json", "txt"}
_BUFFER = 1 << 18
_LARGEST = 1 << 40  # a damaged size would otherwise be skipped block by block, past the end of the file


def read_tar(file: IO[bytes]) -> Iterator[Sample | BadSample]:
    """Yield the samples of a tar in stored order; one sample at a time is held in memory.

    Neighbouring members with the same name up to the first dot of the last path part are one sample; that
    name is its key. A tar that is cut or damaged yields what lies before the fault, then one BadSample
    without a key. A sample whose members do not lie together is found out and yielded as BadSample too.

    Raises:
        OSError: reading ``file`` fails.
    """
    seen: set[str] = set()
    group: _Group | None = None
    fault: _TarFaultError | None = None
    try:
        for key, extension, data in _members(file):
            if group is not None and group.key != key:
                yield from group.finish()
                group = None
            if group is None:
                group = _Group(key, again=key in seen)
                seen.add(key)
            group.add(extension, data)
    except _TarFaultError as err:
        fault = err
    # A sample is lost with the member that is cut, but not with a member of the next sample.
    if group is not None and not (fault and fault.key == group.key):
        yield from group.finish()
    if fault is not None:
        yield BadSample(None, fault.reason, fault.detail)


def image_members(file: IO[bytes], at_most: int) -> int:
    """Count images by the headers of a seekable tar, up to ``at_most``; a fault ends the count."""
    count = 0
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            while count < at_most and (info := tar.next()) is not None:
                split = _split(info)
                count += split is not None and split[1] in IMAGE_EXTENSIONS
                tar.members.clear()  # type: ignore[attr-defined]
    except (tarfile.TarError, ValueError):
        return count
    return count


class _TarFaultError(Exception):
    """The stream ends or goes wrong; ``key`` is of the sample whose member is cut, if one is."""

    def __init__(self, reason: ErrorReason, detail: str, key: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.key = key


class _StrictInfo(tarfile.TarInfo):
    """TarFile takes a bad or missing header after the first for the end; only the end marker is one."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as err:
            raise tarfile.ReadError(f"{err} at byte {tarfile_.offset}") from err


def _members(file: IO[bytes]) -> Iterator[tuple[str, str, bytes]]:
    """Yield (key, extension, data) of the members of samples; data of types that nobody asks for is empty."""
    try:
        tar = tarfile.open(  # noqa: SIM115 - closing it would do no more than dropping it
            fileobj=file,
            mode="r|",
            bufsize=_BUFFER,
            tarinfo=_StrictInfo,
            encoding="utf-8",
            errors="backslashreplace",
        )
    except (tarfile.TarError, ValueError) as err:
        raise _TarFaultError(ErrorReason.UNREADABLE_SHARD, f"this is not a tar: {err}") from err
    where, key = "at its start", None
    try:
        while (info := tar.next()) is not None:
            # TarFile remembers every member it has seen, which a stream has no use for.
            tar.members.clear()  # type: ignore[attr-defined]
            if split := _split(info):
                where, key = f"in member {info.name!r}", split[0]
                yield *split, _data(tar, info) if split[1] in _WANTED else b""
            where, key = f"after member {info.name!r}", None
    except (tarfile.TarError, ValueError) as err:
        raise _TarFaultError(ErrorReason.TRUNCATED_SHARD, f"cut or damaged {where}: {err}", key) from err


def _data(tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    member = tar.extractfile(info)
    if member is None:
        raise tarfile.ReadError("a member without content")
    return member.read()


def _split(info: tarfile.TarInfo) -> tuple[str, str] | None:
    """Split a member into key and lower-case extension; None for a hidden file or what is no plain one."""
    if not 0 <= info.size <= _LARGEST:
        raise tarfile.ReadError(f"it claims to have {info.size} bytes")
    folder, slash, base = info.name.removeprefix("./").rpartition("/")
    stem, dot, extension = base.partition(".")
    is_plain = info.isreg() and not info.issparse()
    return (folder + slash + stem, extension.lower()) if is_plain and stem and dot else None


@dataclass
class _Group:
    """The members of one sample; ``again`` where its key has occurred earlier in the tar."""

    key: str
    again: bool
    members: dict[str, bytes] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)

    def add(self, extension: str, data: bytes) -> None:
        if extension in IMAGE_EXTENSIONS:
            self.images.append(extension)
        self.members.setdefault(extension, data)

    def finish(self) -> Iterator[Sample | BadSample]:
        if self.again:
            yield self._apart()
        elif not self.images:
            names = ", ".join(f".{extension}" for extension in self.members)
            yield BadSample(
                self.key, ErrorReason.MISSING_IMAGE, f"sample has only {names}; no known image type"
            )
        else:
            yield self._sample()
            if len(self.images) > 1:
                detail = f"sample has {len(self.images)} images; only the .{self.images[0]} was taken"
                yield BadSample(self.key, ErrorReason.DUPLICATE_KEY, detail)

    def _apart(self) -> BadSample:
        advice = "keys must be unique and a sample's members lie together, as in a tar sorted by name"
        if self.images:
            return BadSample(self.key, ErrorReason.DUPLICATE_KEY, f"key occurs again further on; {advice}")
        names = ", ".join(f".{extension}" for extension in self.members)
        return BadSample(self.key, ErrorReason.BAD_METADATA, f"{names} lies apart from its image; {advice}")

    def _sample(self) -> Sample | BadSample:
        try:
            captions, metadata = read_metadata(self.members.get("json"), self.members.get("txt"))
        except ValueError as err:
            return BadSample(self.key, ErrorReason.BAD_METADATA, str(err))
        return Sample(self.key, self.members[self.images[0]], captions, metadata)


def read_metadata(
    json_bytes: bytes | None, txt_bytes: bytes | None
) -> tuple[tuple[str | None, ...], dict[str, Any]]:
    """Return captions and metadata: captions of the ``.json`` if it has some, else the text of the ``.txt``.

    A ``.json`` that cannot be read is passed over where there is a ``.txt``.

    Raises:
        ValueError: there are members with metadata, and none can be read.
    """
    metadata: dict[str, Any] = {}
    problem: ValueError | None = None
    if json_bytes is not None:
        try:
            metadata = _json_object(json_bytes)
            captions = captions_in(metadata)
            if captions:
                return captions, metadata
        except ValueError as err:
            problem = err
    if txt_bytes is not None:
        try:
            return (txt_bytes.decode("utf-8-sig").strip(),), metadata
        except UnicodeDecodeError as err:
            raise problem or ValueError("the .txt is not UTF-8 text") from err
    if problem is not None:
        raise problem
    return (), metadata


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as err:
        raise ValueError(f"the .json cannot be read: {err}") from err
    if not isinstance(body, dict):
        raise ValueError(f"the .json is a {type(body).__name__}, not an object")
    return body
