"""Embedded classes kept on disk, for the next run with the same weights and prompts."""

from __future__ import annotations

import logging
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

_LOG = logging.getLogger(__name__)
_SUFFIX, _PARTIAL = ".safetensors", ".partial"
_STALE_SECONDS = 3600.0  # a partial file this old was left by a process that died
_TENSOR = "embedding"


class TextCache:
    """A folder of embeddings, one small safetensors file for each class.

    Several processes may share a folder: a file appears whole (written beside and renamed) and never changes,
    and two that write the same key write the same bytes. A cache is never a reason to fail: what cannot be
    written is not kept, and a damaged file is removed and counts as not there; both are logged.

    Args:
        folder: made when the first embedding is kept.
        limit: bytes of all files, about; above, those used longest ago go.
    """

    def __init__(self, folder: Path, limit: int = 256 * 2**20) -> None:
        self._folder, self._limit = folder, limit
        self._unchecked = limit  # so that the first write of a process looks at the folder
        self._writes = True

    def get(self, key: str) -> Tensor | None:
        """Return the (D,) float32 embedding kept under ``key``, 64 hex digits; None where there is none."""
        path = self._path(key)
        try:
            embedding = safetensors.torch.load(path.read_bytes())[_TENSOR]
        except OSError:
            return None
        except (SafetensorError, KeyError) as err:
            _LOG.warning("text cache: %s is damaged and is removed: %s", path, err)
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):  # another user's folder can be read all the same
            os.utime(path)
        return embedding

    def put(self, key: str, embedding: Tensor) -> None:
        """Keep a (D,) float32 embedding under ``key``."""
        if not self._writes:
            return
        body = safetensors.torch.save({_TENSOR: embedding.detach().cpu().contiguous()})
        path = self._path(key)
        partial = path.with_name(f"{path.name}.{secrets.token_hex(8)}{_PARTIAL}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(body)
            partial.replace(path)
            self._bound(len(body))
        except OSError as err:
            self._writes = False
            _LOG.warning("text cache: %s cannot be written, so nothing is kept: %s", self._folder, err)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}{_SUFFIX}"

    def _bound(self, written: int) -> None:
        """Count what was written; look at the whole folder once in a tenth of the limit."""
        self._unchecked += written
        if self._unchecked * 10 >= self._limit:
            self._unchecked = 0
            self._sweep()

    def _sweep(self) -> None:
        files = []
        for path in self._folder.glob("*/*"):
            try:
                status = path.stat()
            except FileNotFoundError:  # another process sweeps too
                continue
            if path.suffix == _PARTIAL and status.st_mtime < time.time() - _STALE_SECONDS:
                path.unlink(missing_ok=True)
            elif path.suffix == _SUFFIX:
                files.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._limit:
                break
            path.unlink(missing_ok=True)
            total -= size


def user_cache() -> Path | None:
    """Return the folder for embedded texts in the user's cache; None where the user has no home."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "maskmill" / "texts"
    except RuntimeError:
        return None
