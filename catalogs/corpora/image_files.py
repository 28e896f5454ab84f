"""Image files that a corpus names: where they lie, their bytes, and the size in their header."""

from __future__ import annotations

import hashlib
import struct
import warnings
import zlib
from io import BytesIO
from pathlib import PurePosixPath

import fsspec
from PIL import Image

from ...schemas.errors import CorpusError, ErrorReason
from ...schemas.samples import BadSample
from ..images import FORMATS
from ..storage import full_uri, join, locate, one_line, read_bytes, reported_as

_ORIENTATION = 0x0112
_DAMAGE = (
    Image.DecompressionBombError,
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
)


def image_folder(uri: str, images: str | None) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the folder of a corpus file's images: the one given, else ``images`` beside it, else its own.

    Raises:
        CorpusError: there is no such folder.
    """
    beside = uri.rpartition("/")[0]
    candidates = [images] if images is not None else [join(beside, "images"), beside]
    with reported_as(CorpusError, f"image folder of {uri!r} cannot be listed"):
        for candidate in candidates:
            fs, path = locate(candidate)
            if fs.isdir(path):
                return fs, path
    raise CorpusError(f"no image folder {images!r} for {uri!r}; give the folder of its file names")


class ImageFiles:
    """Opens the images that one corpus file names, by path below the image folder or by URI.

    Args:
        uri: the corpus file.
        images: its image folder, as for :func:`image_folder`; looked for when the first path is opened.
    """

    def __init__(self, uri: str, images: str | None) -> None:
        self._uri = uri
        self._images = images
        self._folder: tuple[fsspec.AbstractFileSystem, str] | None = None

    def load(self, key: str, name: str) -> bytes | BadSample:
        """Return the bytes of an image, or why there are none.

        Raises:
            CorpusError: the image folder is missing.
            OSError: a store failed (of a web address, any failure means that the image is missing).
        """
        if is_web(name):
            return _from_web(key, name)
        if (path := PurePosixPath(name)).is_absolute() or "://" in name:
            return self._load_uri(key, name)
        if ".." in path.parts or not path.name:
            return BadSample(
                key, ErrorReason.BAD_METADATA, f"{name[:200]!r} does not lie below the image folder"
            )
        if self._folder is None:
            self._folder = image_folder(self._uri, self._images)
        return load_file(key, self._folder[0], join(self._folder[1], name))

    def _load_uri(self, key: str, name: str) -> bytes | BadSample:
        scheme = name.partition("://")[0] if "://" in name else "file"
        try:
            fs = fsspec.filesystem(scheme)
        except (ImportError, ValueError) as err:
            return BadSample(key, ErrorReason.MISSING_IMAGE, f"no image at {name!r}: {one_line(err)}")
        return load_file(key, fs, fs._strip_protocol(name))


def load_file(key: str, fs: fsspec.AbstractFileSystem, path: str) -> bytes | BadSample:
    """Return the bytes of a file, or a MISSING_IMAGE where there is none that may be read."""
    try:
        return read_bytes(fs, path)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as err:
        detail = f"no image at {full_uri(fs, path)!r}: {one_line(err)}"
        return BadSample(key, ErrorReason.MISSING_IMAGE, detail)


def _from_web(key: str, url: str) -> bytes | BadSample:
    try:
        with reported_as(CorpusError, f"no image at {url[:200]!r}"):
            # Not through a URI of fsspec's: there, "::" in an address would name a chain of file systems.
            return bytes(fsspec.filesystem(url.partition("://")[0].lower()).cat_file(url))
    except CorpusError as err:
        return BadSample(key, ErrorReason.MISSING_IMAGE, str(err))


def is_web(name: str) -> bool:
    return name[:8].lower().startswith(("http://", "https://"))


def measured(data: bytes) -> tuple[str, int | None, int | None]:
    """Return the sha256 (hex) of an image file, and its width and height as seen, None where unreadable.

    Only the header is read. EXIF orientations 5 to 8 are stored with width and height swapped.
    """
    digest = hashlib.sha256(data).hexdigest()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
                turned = image.getexif().get(_ORIENTATION) in (5, 6, 7, 8)
    except _DAMAGE:
        return digest, None, None
    return digest, *((height, width) if turned else (width, height))
