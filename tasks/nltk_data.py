"""Find the NLTK data that a filter run needs, or fetch it; its absence is a reason, not an exception."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import nltk
import nltk.downloader

from ..schemas.errors import ConfigError

PACKAGES: Final = {
    "averaged_perceptron_tagger_eng": "taggers/averaged_perceptron_tagger_eng/",
    "wordnet": "corpora/wordnet/",
}
TOKENISER: Final = {"punkt_tab": "tokenizers/punkt_tab/english/"}
_DOWNLOADER: Final = "python -m nltk.downloader"
HOW_TO_GET: Final = f"{_DOWNLOADER} {' '.join(PACKAGES)}"

_STALL_SECONDS: Final = 10.0  # without a byte, before the server counts as out of reach
_FETCH_SECONDS: Final = 120.0  # for about 12 MB


def use_folder(folder: str | None) -> None:
    """Put a folder first on NLTK's search path of this process; None changes nothing.

    Raises:
        ConfigError: there is no such folder.
    """
    if folder is None:
        return
    if not Path(folder).is_dir():
        raise ConfigError(f"nltk_data: there is no folder {folder!r}")
    path = str(Path(folder).resolve())
    if path not in nltk.data.path:
        nltk.data.path.insert(0, path)


def missing_data(packages: Mapping[str, str] = PACKAGES) -> str | None:
    """Return None if every package lies on NLTK's search path, else what is missing and why.

    Args:
        packages: name -> resource.
    """
    missing = []
    refused: dict[str, None] = {}
    for package, resource in packages.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                nltk.data.find(resource)
            except (LookupError, OSError, ValueError):
                missing.append(package)
        refused.update(
            dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, RuntimeWarning))
        )
    if not missing:
        return None
    return "; ".join([f"{' and '.join(missing)} not found", *refused])


def fetch_data(folder: Path | None = None, packages: Mapping[str, str] = PACKAGES) -> str | None:
    """Download packages into ``folder`` (default: ``~/nltk_data``); return None, or why it failed.

    The download runs in a process of its own with a time limit, since neither a name lookup nor a server that
    sends a byte now and then heeds a socket's timeout.
    """
    folder = folder or Path.home() / "nltk_data"
    code = f"from {__name__} import _download; import sys; sys.exit(_download(*sys.argv[1:]))"
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        done = subprocess.run(  # noqa: S603  (this very interpreter, no shell)
            [sys.executable, "-P", "-c", code, str(folder), *packages],
            capture_output=True,
            text=True,
            timeout=_FETCH_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return f"not downloaded in {_FETCH_SECONDS:.0f} s"
    except OSError as err:
        return f"no download into {folder}: {err}"
    if done.returncode == 0:
        return missing_data(packages)
    said = " ".join(line.removeprefix("[nltk_data]").strip() for line in done.stderr.splitlines())
    return said[-300:] or f"the download ended with exit status {done.returncode}"


def ensure_data(folder: str | None, packages: Mapping[str, str] = PACKAGES) -> str | None:
    """Find the data on the search path, else fetch it; return None, or the reason why there is none.

    Raises:
        ConfigError: the folder that the configuration names lacks data, or NLTK refuses to read from it.
    """
    use_folder(folder)
    reason = missing_data(packages)
    if reason is None:
        return None
    if folder is not None:
        command = f"{_DOWNLOADER} {' '.join(packages)} -d {folder}"
        raise ConfigError(f"nltk_data {folder!r}: {reason}; get it by {command}")
    failure = fetch_data(packages=packages)
    return None if failure is None else f"{reason}; download: {failure}"


def _download(folder: str, *packages: str) -> int:
    """What the download process does; 0 if all packages are there."""
    os.umask(0o022)  # NLTK reads no data from a folder that a group may write to
    socket.setdefaulttimeout(_STALL_SECONDS)
    nltk.downloader.NETWORK_TIMEOUT = _STALL_SECONDS
    return int(not all(nltk.download(name, download_dir=folder, quiet=True) for name in packages))
